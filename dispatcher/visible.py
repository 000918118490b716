"""Shows text from others: what controls a terminal, or is invisible, becomes an escape.

There is one form everywhere, Python's own: `\\n`, `\\x1b`, `\\u202e`, `\\U000e0041`. A sentence
about one character names it by its code point. The tables are of code points, not of a Python's
version of Unicode, so that every machine shows a text in the same way.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache

# Controls, lone surrogates, direction marks, and what Unicode calls Default_Ignorable (UCD,
# DerivedCoreProperties.txt); the Braille blank is invisible as well.
_HIDDEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SELECTORS = r"\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_PICTURES = r"\u2190-\u27ff\u2900-\u2bff\U0001f000-\U0001faff"
# Scripts that need joiners to be written correctly: Arabic to N'Ko, those of South Asia, Mongolian.
_JOINED = (
    r"\u0620-\u07ff\u0840-\u0dff\u0f00-\u109f\u1780-\u17b3\u17b6-\u17ff"
    r"\u1820-\u18af\u1b00-\u1b7f"
)
_ENGLAND, _SCOTLAND, _WALES = (
    "".join(chr(0xE0000 + ord(letter)) for letter in region)
    for region in ("gbeng", "gbsct", "gbwls")
)
_LEGITIMATE = "|".join(
    (
        # One selector, after what it can change: a keycap's digit, a sign, a letter, a picture.
        rf"(?<=[#*0-9\xa9\xae\u0300-\U0010ffff])(?<![{_HIDDEN}\s])[{_SELECTORS}]",
        rf"(?<=[\ufe0f{_PICTURES}])\u200d(?=[{_PICTURES}])",
        rf"(?<=[{_JOINED}])[\u200c\u200d]",
        rf"(?<=\U0001f3f4)(?:{_ENGLAND}|{_SCOTLAND}|{_WALES})\U000e007f",
    )
)
_LONGEST_SHOWN = 60  # characters of a text in a sentence
_CALLED = {"\n": "a line break", "\r": "a line break", "\u2028": "a line break", "\t": "a tab"}


def visible(text: str) -> str:
    """Return a text on one line, with escapes for what controls a terminal or is invisible.

    Emoji and scripts that are written with joiners stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return _found().sub(lambda found: _escape(found[0]) if found[1] else found[0], text)


def printable(text: str) -> str:
    """Return a text as `visible` does, also with escapes for joiners, selectors and unusual spaces.

    For names, ids and whatever is wrong: there each of these may be the mistake.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(each) if is_hidden(each) else each for each in text)


def quoted(text: str, longest: int = _LONGEST_SHOWN) -> str:
    """Return a text of the user's as a sentence shows it: in quotes, shortened."""
    shown = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return f'"{shown}"'


def is_hidden(character: str) -> bool:
    """Whether `printable` escapes it, because nobody can see what it is."""
    return not character.isprintable() or _any_hidden().match(character) is not None


def hidden_character(text: str) -> str | None:
    """Return the first character that `visible` escapes, as `code_point` names it, or None."""
    if text.isascii() and text.isprintable():
        return None
    found = next((each for each in _found().finditer(text) if each[1]), None)
    return found and code_point(found[0])


def code_point(character: str) -> str:
    """Return a character as a sentence names it, so that it can be found.

    `“ (U+201C)`, `U+202E (right-to-left override)`, `a line break (U+000A)`.
    """
    number = f"U+{ord(character):04X}"
    if not is_hidden(character):
        return f"{character} ({number})"
    if character in _CALLED:
        return f"{_CALLED[character]} ({number})"
    name = unicodedata.name(character, "").lower()
    return f"{number} ({name})" if name else number


def visible_json(text: str) -> str:
    """Return a JSON text of the same value in which nothing controls a terminal or is invisible."""
    if text.isascii() and text.isprintable():
        return text
    return _found().sub(lambda found: _json_escape(found[0]) if found[1] else found[0], text)


def storable(text: str) -> str:
    """Return a text as every database can hold it: lone surrogates and NUL become escapes."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")


# Compiled only when a text is not ASCII, because that takes time (benchmarks/startup.py).
@cache
def _found() -> re.Pattern[str]:
    """Return a pattern whose group 1 is a hidden character that has no function where it is."""
    return re.compile(f"{_LEGITIMATE}|([{_HIDDEN}])")


@cache
def _any_hidden() -> re.Pattern[str]:
    return re.compile(f"[{_HIDDEN}]")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _json_escape(character: str) -> str:
    if character == "\n":  # between values: within a string it is escaped already
        return character
    return json.dumps(character)[1:-1]
