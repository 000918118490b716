"""A text with WhatsApp's marks → HTML that is safe to show: fences, lists, quotes, then lines.

Approximate: WhatsApp publishes no exact rules. Every line has a direction of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final, NamedTuple

from markupsafe import Markup

from dispatcher.bubbles.inline import inline
from dispatcher.bubbles.plain import plain

LINE_END: Final = re.compile(r"\r\n|\r|\n")
# Only a fence with a line end in it is a block; `inline` makes code of the others.
FENCE: Final = re.compile(r"```(?!\s*```)(.+?)```[ \t]*\n?", re.DOTALL)
BLOCKS: Final = (
    ("bullets", re.compile(r"[*-] +(?P<text>\S.*)")),
    ("numbers", re.compile(r"(?P<number>[0-9]{1,2})\. +(?P<text>\S.*)")),
    ("quote", re.compile(r"> ?(?P<text>.*)")),
)


class _Line(NamedTuple):
    kind: str
    text: str
    number: str = ""


def formatted(text: str) -> Markup:
    """The text as blocks of HTML, in which nothing of it is markup but WhatsApp's own."""
    return Markup("").join(_blocks(LINE_END.sub("\n", text)))


def _blocks(text: str) -> Iterator[Markup]:
    told = 0
    for fence in FENCE.finditer(text):
        if "\n" in fence[1]:
            yield from _lines(text[told : fence.start()].removesuffix("\n"))
            yield Markup('<pre dir="auto">{}</pre>').format(plain(fence[1].strip("\n")))
            told = fence.end()
    yield from _lines(text[told:])


def _lines(text: str) -> Iterator[Markup]:
    if not text:
        return
    lines = map(_line, text.split("\n"))
    for kind, group in groupby(lines, lambda line: line.kind):
        yield RENDERERS[kind](list(group))


def _line(text: str) -> _Line:
    for kind, pattern in BLOCKS:
        if found := pattern.fullmatch(text):
            return _Line(kind, found["text"], found.groupdict().get("number", ""))
    return _Line("text", text)


def _paragraphs(lines: list[_Line]) -> Markup:
    paragraph = Markup('<p dir="auto">{}</p>')
    return Markup("").join(paragraph.format(inline(line.text) or Markup("<br>")) for line in lines)


def _bullets(lines: list[_Line]) -> Markup:
    return Markup("<ul>{}</ul>").format(_items(lines))


def _numbers(lines: list[_Line]) -> Markup:
    items = Markup("").join(
        Markup('<li dir="auto" value="{}">{}</li>').format(int(line.number), inline(line.text))
        for line in lines
    )
    return Markup("<ol>{}</ol>").format(items)


def _quote(lines: list[_Line]) -> Markup:
    return Markup("<blockquote>{}</blockquote>").format(_paragraphs(lines))


def _items(lines: list[_Line]) -> Markup:
    item = Markup('<li dir="auto">{}</li>')
    return Markup("").join(item.format(inline(line.text)) for line in lines)


RENDERERS: Final[dict[str, Callable[[list[_Line]], Markup]]] = {
    "text": _paragraphs,
    "bullets": _bullets,
    "numbers": _numbers,
    "quote": _quote,
}
