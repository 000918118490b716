"""Which names are allowed: of manifests, ids and runs, which make up keys, and of files.

Names are compared in Unicode's normal form C: a letter that one program writes as one code point
and another as a letter and a mark is the same letter. Whether a character may stand in a name is
decided here alone, by its category in Python's table: regular expressions differ in what they
take for a letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import product

LONGEST = 100  # characters of a name that is part of a key
RULE = "may hold only letters, digits and . _ - + @"

# For JSON Schema: no valid name breaks it, in any dialect of regular expressions. What it lets
# through (a space that is not ASCII, say) is found when the manifest is read.
SCHEMA_PATTERN = r"^[^\x00-/:-@\[-^`{-\x7f][^\x00-*,/:-?\[-^`{-\x7f]*$"

# Most names: a shortcut, not a second rule.
_PLAIN = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.@+-]{{0,{LONGEST - 1}}}")
_CALLED = {"\n": "a line break", "\r": "a line break", "\u2028": "a line break", "\t": "a tab"}
# Controls, formats (joiners, direction marks), surrogates, private and unassigned code points.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that show nothing (Unicode, "Default_Ignorable_Code_Point").
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    + "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
)


def canonical_name(name: str) -> str:
    """The name as it is compared, noted and sent: in normal form C."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def fault(name: str) -> str | None:
    """What keeps a text from being a part of a key ("may hold …"), or None."""
    if _PLAIN.fullmatch(name):
        return None
    if not name:
        return "must not be empty"
    if len(canonical_name(name)) > LONGEST:
        return f"must be at most {LONGEST} characters long"
    if found := unseen(name):
        return f"{RULE}; take out {found}"
    if not all(map(_stands_in_names, name)):
        return RULE
    begins = name[0] == "_" or unicodedata.category(name[0])[0] in "LN"
    return None if begins else "must begin with a letter or a digit"


def unseen(name: str) -> str | None:
    """The first invisible character in a part of a key, as `hidden_character` describes it."""
    return next((_described(each) for each in name if _is_unseen(each)), None)


def hidden_character(text: str) -> str | None:
    """The first control or invisible character in a name of a file or provider, or None.

    "a line break (U+000A)", "U+202E (RIGHT-TO-LEFT OVERRIDE)".
    """
    if text.isascii() and text.isprintable():
        return None
    # Of blank marks, those that choose a character's variant are a part of many an emoji.
    found = (each for each in text if unicodedata.category(each) in _UNSEEN)
    return next((_described(each) for each in found), None)


def spellings(key: str) -> Iterator[str]:
    """The key itself, then its other spellings: each of its parts composed or decomposed.

    A dispatcher that did not compare names in one normal form may have noted any of them.
    """
    yield key
    if key.isascii():
        return
    forms = (
        dict.fromkeys(unicodedata.normalize(form, part) for form in ("NFC", "NFD"))
        for part in key.split("/")
    )
    yield from (other for parts in product(*forms) if (other := "/".join(parts)) != key)


def _stands_in_names(character: str) -> bool:
    return character in "._-+@" or unicodedata.category(character)[0] in "LNM"


def _is_unseen(character: str) -> bool:
    kind = unicodedata.category(character)
    return (kind in _UNSEEN and kind != "Cs") or character in _BLANK  # Cs: it was no text at all


def _described(character: str) -> str:
    point = f"U+{ord(character):04X}"
    if character in _CALLED:
        return f"{_CALLED[character]} ({point})"
    name = unicodedata.name(character, "")
    return f"{point} ({name})" if name else point
