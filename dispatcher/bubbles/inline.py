"""The marks within one line: code, links, *bold*, _italic_ and ~strike~, as safe HTML.

Code and links are found first, and nothing in them is a mark. A mark opens at the edge of a word
and before a character that is no space; the nearest mark that stands the other way round closes it.
Words are Unicode's: letters and digits of any script.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Final

from markupsafe import Markup

from dispatcher.bubbles.plain import plain

TAGS: Final[Mapping[str, str]] = {"*": "b", "_": "i", "~": "s"}
OPAQUE: Final = re.compile(
    r"```(?!\s*```)(?P<fence>.+?)```"
    r"|`(?=[^`\n]*[^`\s])(?P<code>[^`\n]+)`"
    r"|(?<![^\W_])(?P<link>https?://[^\s<>\"`]+)",
    re.IGNORECASE,
)
MARKED: Final = re.compile(r"[*_~`]|://")
AFTER_LINKS: Final = ".,;:!?'\"*_~…»”’"
BRACKETS: Final[Mapping[str, str]] = {")": "(", "]": "[", "}": "{"}


def inline(line: str) -> Markup:
    """One line with its marks as HTML."""
    return _Line(line).html(0, len(line), frozenset()) if MARKED.search(line) else plain(line)


class _Line:
    """A line, with the places of what is opaque and of the marks that may close."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._opaque = {start: (end, html) for start, end, html in _opaque(text)}
        self._closers = self._find_closers()

    def html(self, start: int, end: int, inside: frozenset[str]) -> Markup:
        """This part of the line; `inside`: the marks that are open around it."""
        parts: list[Markup] = []
        position = told = start
        while position < end:
            found = self._piece(position, end, inside)
            if found is None:
                position += 1
                continue
            parts += [plain(self._text[told:position]), found[1]]
            position = told = found[0]
        return Markup("").join([*parts, plain(self._text[told:end])])

    def _piece(self, start: int, end: int, inside: frozenset[str]) -> tuple[int, Markup] | None:
        if start in self._opaque:
            return self._opaque[start]
        mark = self._text[start]
        if mark not in TAGS or mark in inside or not self._opens(start):
            return None
        closers = self._closers[mark]
        index = bisect_left(closers, start + 2)
        if index == len(closers) or closers[index] >= end:
            return None
        close = closers[index]
        content = self.html(start + 1, close, inside | {mark})
        return close + 1, Markup("<{0}>{1}</{0}>").format(TAGS[mark], content)

    def _opens(self, place: int) -> bool:
        before, after = self._around(place)
        return not before.isalnum() and bool(after.strip())

    def _find_closers(self) -> dict[str, list[int]]:
        closers: dict[str, list[int]] = {mark: [] for mark in TAGS}
        position = 0
        while position < len(self._text):
            mark = self._text[position]
            if mark in TAGS and self._closes(position):
                closers[mark].append(position)
            position = self._opaque.get(position, (position + 1,))[0]
        return closers

    def _closes(self, place: int) -> bool:
        before, after = self._around(place)
        return bool(before.strip()) and not after.isalnum()

    def _around(self, place: int) -> tuple[str, str]:
        """The characters before and after a place, each "" at the end of the line."""
        return self._text[max(place - 1, 0) : place], self._text[place + 1 : place + 2]


def _opaque(text: str) -> Iterator[tuple[int, int, Markup]]:
    """What no mark reaches into: from where, to where, and as HTML."""
    for found in OPAQUE.finditer(text):
        code = found["fence"] or found["code"]
        if code is not None:
            yield found.start(), found.end(), Markup("<code>{}</code>").format(plain(code))
            continue
        link = _without_punctuation(found["link"])
        if not link.endswith("//"):
            yield found.start(), found.start() + len(link), _anchor(link)


def _anchor(link: str) -> Markup:
    tag = '<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>'
    return Markup(tag).format(plain(link))


def _without_punctuation(link: str) -> str:
    """The link without what follows it in a sentence."""
    unclosed = {close: link.count(open) - link.count(close) for close, open in BRACKETS.items()}
    end = len(link)
    while link[end - 1] in AFTER_LINKS or unclosed.get(link[end - 1], 0) < 0:
        end -= 1
        if link[end] in unclosed:
            unclosed[link[end]] += 1
    return link[:end]
