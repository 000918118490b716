"""Telegram's HTML: what it shows, and what the Bot API would refuse.

Source: Bot API, "Formatting options", "HTML style".
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

TAGS = frozenset(
    "a b blockquote code del em i ins pre s span strike strong tg-emoji tg-spoiler u".split()
)
TAG = re.compile(
    r"""<(?P<closes>/?)(?P<name>[a-z][a-z0-9-]*)(?:\s(?:"[^"]*"|'[^']*'|[^<>"'])*)?>""",
    re.IGNORECASE,
)
ENTITY = re.compile(r"&(?:lt|gt|amp|quot|#[0-9]+|#x[0-9a-f]+);", re.IGNORECASE)


class ReadHtml(NamedTuple):
    """The text that is shown; and what is wrong with the first wrong tag, with its line, from 1."""

    visible: str
    problem: str | None = None
    line: int | None = None


def read_html(text: str) -> ReadHtml:
    """Read a text in Telegram's HTML."""
    shown: list[str] = []
    open_tags: list[tuple[str, int]] = []
    place = 0
    while (start := text.find("<", place)) != -1:
        shown.append(text[place:start])
        tag = TAG.match(text, start)
        problem = _tag_problem(tag, open_tags)
        if problem or not tag:
            return ReadHtml(_plain(shown, text[start:]), problem, text.count("\n", 0, start) + 1)
        if tag["closes"]:
            open_tags.pop()
        else:
            open_tags.append((tag["name"].lower(), start))
        place = tag.end()
    visible = _plain(shown, text[place:])
    if open_tags:
        name, start = open_tags[-1]
        return ReadHtml(visible, f"<{name}> is not closed", text.count("\n", 0, start) + 1)
    return ReadHtml(visible)


def _tag_problem(tag: re.Match[str] | None, open_tags: list[tuple[str, int]]) -> str | None:
    if not tag:
        return 'a "<" that begins no tag is written as &lt;'
    name = tag["name"].lower()
    if name not in TAGS:
        known = "a line break is written as one" if name == "br" else "Telegram does not know it"
        return f"there is no tag <{name}>: {known}"
    if tag["closes"] and (not open_tags or open_tags[-1][0] != name):
        return f"</{name}> closes nothing" if not open_tags else f"<{open_tags[-1][0]}> is open"
    return None


def _plain(shown: list[str], rest: str) -> str:
    return ENTITY.sub(lambda found: html.unescape(found[0]), "".join([*shown, rest]))
