"""Compares two texts: line by line, and word by word where a line is nearly the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple, TypeAlias

Sign: TypeAlias = Literal["=", "-", "+", "~", "…"]
_WORD = re.compile(r"\w+|\s+|.", re.DOTALL)
_CONTEXT = 1  # lines around a change
_ALIKE = 0.4  # of a line is the same: with less, it is another line
_SHORT = 40  # characters of a value that is one line, whatever it becomes
_MOST_WORDS = 1000  # of a line that is compared by words


class Piece(NamedTuple):
    """A part of a line: kept (`=`), removed (`-`) or added (`+`)."""

    sign: Literal["=", "-", "+"]
    text: str


class Line(NamedTuple):
    """A line: kept, removed, added, changed within (`~`), or some that are left out (`…`)."""

    sign: Sign
    pieces: tuple[Piece, ...]


def compared(before: str, now: str) -> list[Line]:
    """Return the lines of both texts, without those far from any change."""
    old, new = before.split("\n"), now.split("\n")
    if len(old) == len(new) == 1 and max(len(before), len(now)) <= _SHORT:
        pieces = _words(before, now) or [Piece("-", before), Piece("+", now)]
        return [Line("~", tuple(pieces))]
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    lines: list[Line] = []
    for operation, i, j, k, m in matcher.get_opcodes():
        if operation == "equal":
            lines += [Line("=", (Piece("=", each),)) for each in old[i:j]]
        else:
            lines += _replaced(old[i:j], new[k:m])
    return list(_near_changes(lines))


def _replaced(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    """Yield lines that have become others: first those that are nearly the same, in pairs."""
    paired = 0
    for was, is_now in zip(old, new, strict=False):
        pieces = _words(was, is_now)
        if pieces is None:
            break
        yield Line("~", tuple(pieces))
        paired += 1
    yield from (Line("-", (Piece("-", each),)) for each in old[paired:])
    yield from (Line("+", (Piece("+", each),)) for each in new[paired:])


def _words(old: str, new: str) -> list[Piece] | None:
    """Return what has changed within a line, or None if it is another line."""
    one, other = _WORD.findall(old), _WORD.findall(new)
    if len(one) > _MOST_WORDS or len(other) > _MOST_WORDS:
        return None
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    kept = sum(len("".join(one[i:j]).strip()) for i, j in _equal(matcher))
    if not kept or 2 * kept < _ALIKE * (len(old) + len(new)):
        return None
    pieces: list[Piece] = []
    for operation, i, j, k, m in matcher.get_opcodes():
        if operation == "equal":
            pieces.append(Piece("=", "".join(one[i:j])))
        else:
            pieces += [Piece("-", "".join(one[i:j])), Piece("+", "".join(other[k:m]))]
    return _joined([each for each in pieces if each.text])


def _equal(matcher: SequenceMatcher[str]) -> Iterator[tuple[int, int]]:
    return ((i, j) for operation, i, j, _, _ in matcher.get_opcodes() if operation == "equal")


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Join changes between which there is nothing but space: `[-a b-]{+c d+}`."""
    joined: list[Piece] = []
    removed = added = ""
    for number, piece in enumerate(pieces):
        between = (removed or added) and number + 1 < len(pieces)
        if piece.sign == "-":
            removed += piece.text
        elif piece.sign == "+":
            added += piece.text
        elif between and not piece.text.strip():
            removed, added = removed + piece.text, added + piece.text
        else:
            joined += [Piece("-", removed), Piece("+", added), piece]
            removed = added = ""
    joined += [Piece("-", removed), Piece("+", added)]
    return [each for each in joined if each.text]


def _near_changes(lines: list[Line]) -> Iterator[Line]:
    changed = [number for number, line in enumerate(lines) if line.sign != "="]
    shown = {
        number
        for each in changed
        for number in range(max(each - _CONTEXT, 0), min(each + _CONTEXT + 1, len(lines)))
    }
    left_out = 0
    for number, line in enumerate(lines):
        if number in shown:
            if left_out:
                yield _left_out(left_out)
            left_out = 0
            yield line
        else:
            left_out += 1
    if left_out:
        yield _left_out(left_out)


def _left_out(count: int) -> Line:
    text = "1 line as before" if count == 1 else f"{count} lines as before"
    return Line("…", (Piece("=", text),))
