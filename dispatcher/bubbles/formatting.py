"""Turns a text with WhatsApp's marks into HTML that is safe to show.

Blocks come first: fences, lists, quotes; then the marks within each line: code, links, *bold*,
_italic_ and ~strike~. Approximate: WhatsApp publishes no exact rules. Every line has a direction of
its own.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Final, NamedTuple

from markupsafe import Markup, escape

# What neither HTML nor UTF-8 can represent: controls but tab and line ends, and lone surrogates.
UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

LINE_END: Final = re.compile(r"\r\n|\r|\n")
# Only a fence with a line end in it is a block; the others are code within a line.
FENCE: Final = re.compile(r"```(?!\s*```)(.+?)```[ \t]*\n?", re.DOTALL)
BLOCKS: Final = (
    ("bullets", re.compile(r"[*-] +(?P<text>\S.*)")),
    ("numbers", re.compile(r"(?P<number>[0-9]{1,2})\. +(?P<text>\S.*)")),
    ("quote", re.compile(r"> ?(?P<text>.*)")),
)

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


class _BlockLine(NamedTuple):
    """A line, and the kind of block to which it belongs."""

    kind: str
    text: str
    number: str = ""


def formatted(text: str) -> Markup:
    """Return the text as blocks of HTML, with no markup but that for WhatsApp's marks."""
    return Markup("").join(_blocks(LINE_END.sub("\n", text)))


def _blocks(text: str) -> Iterator[Markup]:
    done = 0
    for fence in FENCE.finditer(text):
        if "\n" in fence[1]:
            yield from _lines(text[done : fence.start()].removesuffix("\n"))
            yield Markup('<pre dir="auto">{}</pre>').format(plain(fence[1].strip("\n")))
            done = fence.end()
    yield from _lines(text[done:])


def _lines(text: str) -> Iterator[Markup]:
    if not text:
        return
    lines = map(_line, text.split("\n"))
    for kind, group in groupby(lines, lambda line: line.kind):
        yield RENDERERS[kind](list(group))


def _line(text: str) -> _BlockLine:
    for kind, pattern in BLOCKS:
        if found := pattern.fullmatch(text):
            return _BlockLine(kind, found["text"], found.groupdict().get("number", ""))
    return _BlockLine("text", text)


def _paragraphs(lines: list[_BlockLine]) -> Markup:
    paragraph = Markup('<p dir="auto">{}</p>')
    return Markup("").join(paragraph.format(_inline(line.text) or Markup("<br>")) for line in lines)


def _bullets(lines: list[_BlockLine]) -> Markup:
    item = Markup('<li dir="auto">{}</li>')
    items = Markup("").join(item.format(_inline(line.text)) for line in lines)
    return Markup("<ul>{}</ul>").format(items)


def _numbers(lines: list[_BlockLine]) -> Markup:
    items = Markup("").join(
        Markup('<li dir="auto" value="{}">{}</li>').format(int(line.number), _inline(line.text))
        for line in lines
    )
    return Markup("<ol>{}</ol>").format(items)


def _quote(lines: list[_BlockLine]) -> Markup:
    return Markup("<blockquote>{}</blockquote>").format(_paragraphs(lines))


RENDERERS: Final[dict[str, Callable[[list[_BlockLine]], Markup]]] = {
    "text": _paragraphs,
    "bullets": _bullets,
    "numbers": _numbers,
    "quote": _quote,
}


def _inline(line: str) -> Markup:
    """Return one line with its marks as HTML.

    Code and links are found first, and nothing in them is a mark. A mark opens at the edge of a
    word and before a character that is no space; the nearest mark that stands the other way round
    closes it. Words are Unicode's: letters and digits of any script.
    """
    return _MarkedLine(line).html(0, len(line), frozenset()) if MARKED.search(line) else plain(line)


class _MarkedLine:
    """A line, with the places of what is opaque and of the marks that may close."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._opaque = {start: (end, html) for start, end, html in _opaque(text)}
        self._closers = self._find_closers()

    def html(self, start: int, end: int, inside: frozenset[str]) -> Markup:
        """Return this part of the line as HTML; `inside` are the marks that are open around it."""
        parts: list[Markup] = []
        position = done = start
        while position < end:
            found = self._piece(position, end, inside)
            if found is None:
                position += 1
                continue
            parts += [plain(self._text[done:position]), found[1]]
            position = done = found[0]
        return Markup("").join([*parts, plain(self._text[done:end])])

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

    def _opens(self, index: int) -> bool:
        before, after = self._around(index)
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

    def _closes(self, index: int) -> bool:
        before, after = self._around(index)
        return bool(before.strip()) and not after.isalnum()

    def _around(self, index: int) -> tuple[str, str]:
        """Return the characters before and after an index, each "" at the end of the line."""
        return self._text[max(index - 1, 0) : index], self._text[index + 1 : index + 2]


def _opaque(text: str) -> Iterator[tuple[int, int, Markup]]:
    """Yield what contains no marks: its start, its end, and its HTML."""
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
    """Return the link without the punctuation of the sentence after it."""
    unclosed = {close: link.count(open) - link.count(close) for close, open in BRACKETS.items()}
    end = len(link)
    while link[end - 1] in AFTER_LINKS or unclosed.get(link[end - 1], 0) < 0:
        end -= 1
        if link[end] in unclosed:
            unclosed[link[end]] += 1
    return link[:end]


def printable(text: str) -> str:
    """Return the text with a replacement character for each that cannot be shown."""
    return UNPRINTABLE.sub("\ufffd", text)


def short(text: str, most: int = 200) -> str:
    """Return the beginning of the text, printable."""
    return printable(text if len(text) <= most else f"{text[: most - 1]}…")


def plain(text: str) -> Markup:
    """Return the text as it is, escaped."""
    return escape(printable(text))


def size(count: int) -> str:
    """Return a number of bytes for people: `830 B`, `12.5 kB`."""
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.1f}".removesuffix(".0") + f" {unit}"
