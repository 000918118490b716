"""Says why a text is not TOML: the place, and a sentence that says what to write.

The parser says what its grammar expected; these sentences say what a person probably did.
"""

from __future__ import annotations

import re
from pathlib import Path
from unicodedata import category

import tomli

from dispatcher.models import LocatedProblem, located
from dispatcher.visible import code_point, is_hidden, quoted

_CURLY = "“”„‟«»‘’‚‛‹›″′`´＂＇"
_BACKSLASH = r'in "…" a backslash is written \\; in file names write /'
_UNCLOSED = 'the text has no closing quote; several lines need """'

# What to do for what the parser says, where the text at that place says no more.
_SENTENCES = {
    "Unescaped '\\'": _BACKSLASH,
    "Invalid hex value": _BACKSLASH,
    "Illegal character '\\n'": _UNCLOSED,
    "Found invalid character '\\n'": _UNCLOSED,
    "Unclosed array": "a comma or ] is missing",
    "Unclosed inline table": "a comma or } is missing",
    "Expected ']'": "the closing ] is missing",
    "Expected ']]'": "the closing ]] is missing",
    "Escaped character is not": "there is no such character",
    "Invalid date": "there is no such date or time",
    "Invalid initial character": "a key, or a part of it, is missing here",
    "Cannot overwrite a value": "this key or table was there before",
    "Cannot mutate": "this table was completed before; add the key there",
    "Cannot redefine": "this table was completed before; add the key there",
}
# The quotes of texts without an end.
_UNENDED = {
    "Unterminated string": ('"""', '"'),
    'Expected "\'"': ("'",),
    "Expected \"'''\"": ("'''",),
}
_NO_VALUES = ("null", "none", "nil", "undefined")
_SWITCHES = ("yes", "no", "on", "off")


def syntax_problem(path: Path, error: tomli.TOMLDecodeError) -> LocatedProblem:
    """Return what is wrong at the first place where a file is not TOML."""
    if error.msg in _UNENDED:
        # None of its quotes follows, so the last such quote is where it begins.
        quotes = [each for each in _UNENDED[error.msg] if error.doc.count(each) % 2]
        start = error.doc.rfind(quotes[0] if quotes else _UNENDED[error.msg][-1])
        line, column = error.doc.count("\n", 0, start) + 1, start - error.doc.rfind("\n", 0, start)
        return located(path, "a text begins here and has no closing quote", line, column)
    return located(path, _sentence(error.msg, error.doc, error.pos), error.lineno, error.colno)


def _sentence(said: str, text: str, at: int) -> str:
    here, line = text[at : at + 1], _line(text, at)
    quote = next((each for each in line if each in _CURLY), "")
    if here and here in _CURLY:
        return f"{code_point(here)} is no quote in TOML; use a straight one"
    if quote and _known(said) == _UNCLOSED:
        return f"{code_point(quote)} closes no text; write a straight quote"
    if here and here not in "\n\t " and is_hidden(here):
        way_on = "type a plain space" if category(here) == "Zs" else "delete it"
        return f"{code_point(here)} stands here; {way_on}"
    if said.startswith("Invalid value"):
        return _of_value(_rest(text, at))
    if said.startswith("Expected newline"):
        return _of_rest(text, at)
    if said.startswith("Expected '='"):
        return _of_key(here)
    if said.startswith("Invalid statement"):
        return _of_statement(_rest(text, at))
    if said.startswith("Cannot overwrite") and line.startswith("[[messages"):
        return _of_table("messages")
    if twice := re.match(r"Cannot declare \((.*)\) twice", said):
        return _of_table(".".join(re.findall(r"['\"]([^'\"]*)['\"]", twice[1])))
    if key := re.match(r"Duplicate inline table key (.*)", said):
        return f"the key {quoted(key[1].strip(chr(39)))} is there twice"
    return _known(said) or f"not valid TOML: {said[:1].lower()}{said[1:]}"


def _known(said: str) -> str | None:
    return next((_SENTENCES[start] for start in _SENTENCES if said.startswith(start)), None)


def _of_value(written: str) -> str:
    word = re.split(r"[\s,\]}]", written, maxsplit=1)[0]
    if not word:
        return "a value is missing here"
    if word.lower() in ("true", "false"):
        return f"write {word.lower()} in lower case, not {word}"
    if word.lower() in _NO_VALUES:
        return f"TOML has no {word}; leave the key out"
    if word.lower() in _SWITCHES:
        return f"write true or false, not {word}; text stands in quotes"
    return f"text stands in quotes{_example(written)}"


def _of_rest(text: str, at: int) -> str:
    """Say what to do where more follows a value that seemed to be complete."""
    before, rest = text[text.rfind("\n", 0, at) + 1 : at].rstrip(), _rest(text, at)
    if rest.startswith(","):
        return "no comma stands after a value"
    if before.endswith('"'):
        return r"the text ends before this; a quote inside it is written \""
    if before.endswith("]"):
        return "what follows a table's name stands on lines of its own"
    if re.match(r"[\w.'\"-]+\s*=", rest):
        return "each key stands on a line of its own"
    return f"text stands in quotes{_example(_rest(_line(text, at).partition('=')[2], 0))}"


def _of_key(here: str) -> str:
    if here == ":":
        return "write = after a key, not :"
    if here.strip():
        return "after a key comes =; one with spaces stands in quotes"
    return "after a key comes =, as in: key = value"


def _of_statement(written: str) -> str:
    if written.startswith(("/", ";", "<", "%", "*")):
        return "a line is: key = value; a comment begins with #"
    if written[:1].isalpha():
        return f"a key of other letters than a-z stands in quotes{_example(_key(written))}"
    return "a line is: key = value"


def _of_table(name: str) -> str:
    if name == "messages":
        return "each message begins with [[messages]], in two brackets"
    return f"the table [{name}] is there twice; join them"


def _key(written: str) -> str:
    return re.split(r"[\s=.]", written, maxsplit=1)[0]


def _example(written: str) -> str:
    """Return `: "Ann"` for what is short and plain, else an empty text."""
    plain = len(written) <= 20 and not set(written) & set("\"'\\=[]{},")
    return f': "{written}"' if plain else ""


def _rest(text: str, at: int) -> str:
    """Return the rest of the line, without a comment."""
    return text[at:].partition("\n")[0].partition("#")[0].strip()


def _line(text: str, at: int) -> str:
    start = text.rfind("\n", 0, at) + 1
    return text[start:].partition("\n")[0]
