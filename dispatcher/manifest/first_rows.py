"""Where each recipient of a list was first: exact, in few bytes, as a list may have millions."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

_MOST_DIGITS = 18  # so that every number fits into 64 bits
_BUCKET = 1024  # recipients, above which a bucket is divided


class FirstRows:
    """The row of each recipient. One who is written as a number takes about 13 bytes.

    The numbers are in sorted arrays, each with an array of as many rows beside it, as in a B-tree
    of two levels; all others are in a dict.
    """

    def __init__(self) -> None:
        self._others: dict[str, int] = {}
        self._lowest: list[int] = [0]  # what may be in a bucket, up to that of the next one
        self._buckets = [(array("Q"), array("I"))]

    def first(self, to: str, row: int) -> int | None:
        """Return the row in which a recipient was before, or note that this one is the first."""
        if not _is_number(to):
            known = self._others.get(to)
            if known is None:
                self._others[to] = row
            return known
        number = int(to)
        index = bisect_right(self._lowest, number) - 1
        numbers, rows = self._buckets[index]
        place = bisect_left(numbers, number)
        if place < len(numbers) and numbers[place] == number:
            return rows[place]
        numbers.insert(place, number)
        rows.insert(place, row)
        if len(numbers) > _BUCKET:
            self._divide(index)
        return None

    def _divide(self, index: int) -> None:
        numbers, rows = self._buckets[index]
        middle = len(numbers) // 2
        self._buckets[index : index + 1] = [
            (numbers[:middle], rows[:middle]),
            (numbers[middle:], rows[middle:]),
        ]
        self._lowest.insert(index + 1, numbers[middle])


def _is_number(text: str) -> bool:
    """Whether the text is the only way to write some number."""
    return len(text) <= _MOST_DIGITS and text.isascii() and text.isdigit() and text[0] != "0"
