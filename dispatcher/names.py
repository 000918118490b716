"""Names: which are allowed (of manifests, ids and runs, which make up keys), and which was meant.

Names are compared in Unicode's normal form C: a letter that one program writes as one code point
and another as a letter and a mark is the same letter. Whether a character may stand in a name is
decided here alone, by its category in Python's table: regular expressions differ in what they
take for a letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice

from dispatcher.visible import code_point, is_hidden, quoted

# Characters. Three names, a revision and an address make a key; if each letter takes 4 bytes, it is
# still shorter than the 2704 bytes that a row of a PostgreSQL index can have.
LONGEST = 100
LONGEST_ADDRESS = 200
RULE = "may hold only letters, digits and . _ - + @"

# For JSON Schema: no valid name breaks it, in any dialect of regular expressions. What it lets
# through (a space that is not ASCII, say) is found when the manifest is read.
_SCHEMA_NAME = r"[^\x00-/:-@\[-^`{-\x7f][^\x00-*,/:-?\[-^`{-\x7f]*"
SCHEMA_PATTERN = rf"^{_SCHEMA_NAME}$"
SCHEMA_PATTERN_OF_TWO = rf"^{_SCHEMA_NAME}(/{_SCHEMA_NAME})?$"  # a name, or manifest/id

# Most names: a shortcut, not a second rule (benchmarks/planning.py).
_PLAIN = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.@+-]{{0,{LONGEST - 1}}}")

_LONGEST_COMPARED = 60
_MOST_COMPARED = 1000


def canonical_name(name: str) -> str:
    """The name as it is compared, noted and sent: in normal form C."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def why_invalid(name: str) -> str | None:
    """Why a text cannot be a part of a key ("may hold …"); None: it can."""
    if _PLAIN.fullmatch(name):
        return None
    if not name:
        return "must not be empty"
    if len(canonical_name(name)) > LONGEST:
        return f"must be at most {LONGEST} characters long"
    if found := invisible(name):
        return f"{RULE}; take out {found}"
    if not all(map(_stands_in_names, name)):
        return RULE
    begins = name[0] == "_" or unicodedata.category(name[0])[0] in "LN"
    return None if begins else "must begin with a letter or a digit"


def invisible(name: str) -> str | None:
    """The first invisible character of a name, by its code point; None: there is none.

    Lone surrogates do not count: they stand for bytes that are no text at all.
    """
    found = (each for each in name if is_hidden(each) and unicodedata.category(each) != "Cs")
    return next(map(code_point, found), None)


def closest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant; None: none is like it.

    Of very many known names, only the first are considered.
    """
    return _closest(name[:_LONGEST_COMPARED], tuple(islice(known, _MOST_COMPARED)))


@lru_cache(maxsize=128)  # many rows have the same columns, and the same mistake
def _closest(name: str, known: tuple[str, ...]) -> str | None:
    from difflib import get_close_matches

    folded = {each.lower(): each for each in known if len(each) <= 3 * _LONGEST_COMPARED}
    matches = get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean "to"?` for the closest known name, or an empty text."""
    match = closest_name(name, known)
    return f"; did you mean {quoted(match)}?" if match is not None else ""


def _stands_in_names(character: str) -> bool:
    return character in "._-+@" or unicodedata.category(character)[0] in "LNM"
