"""Renders templates with a restricted Jinja2 (see `jinja.py`), and explains what is wrong."""

from __future__ import annotations

import json
import re
from ast import literal_eval
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from dispatcher.manifest.limits import (
    MAX_NUMBER,
    MAX_TEMPLATE,
    MAX_WORK,
    Exhausted,
    RenderError,
    WorkBudget,
    check_length,
)
from dispatcher.names import closest_name, did_you_mean
from dispatcher.visible import code_point, quoted

if TYPE_CHECKING:
    from jinja2 import Environment, Template

__all__ = ["RenderError", "Renderer", "is_template"]

_VARIABLE = re.compile(r"\{\{ *([A-Za-z_][A-Za-z0-9_]*) *\}\}")
# {name}, %name%, $name and ${name} of other programs.
_OTHER_SYNTAX = re.compile(r"(?<!\{)\{ *(\w+) *\}(?!\})|%(\w+)%|\$\{?(\w+)\}?")
_MOST_COLUMNS = 1000  # as a .csv file can have
_UNFIT = "a filter or operator does not fit this value"
_UNKNOWN = "unknown variable"
_LACKING = "there is no {} in this value"
_RESERVED = frozenset("true false none True False None not and or in is if else self".split())
_LONGEST_SHOWN = 24  # characters of the template that are shown

# How Jinja2's message begins, as a pattern → what to say instead; `{0}` is what a group matched.
_SYNTAX_ERRORS = {
    r"unexpected '.', expected '(.)'": "a {0} is missing",
    r"expected token ':', got": "a brace too many; a variable is {{{{ name }}}}",
    r"expected token 'name'": "a name is missing after | or .",
    r"Expected an expression": "between {{{{ and }}}} a name is missing",
    r"unexpected 'end of": "something is missing at the end of the braces",
    r"expected token '.*', got '='": "= compares nothing here; write ==",
    r"expected token 'end of print statement'": "in {{{{ }}}} stands a name, and filters after |",
    r"Encountered unknown tag '(?:elseif|elsif)'": "write elif, not elseif",
    r"Encountered unknown tag 'end'": "write {{% endif %}} or {{% endfor %}}, not {{% end %}}",
    r"Encountered unknown tag 'end(if|for)'": "{{% end{0} %}} has no {{% {0} … %}} before it",
    r"Encountered unknown tag '(\w+)'": "{{% {0} %}} is no statement; write {{{{ {0} }}}}",
    r"Unexpected end of template.* is '(\w+)'": "{{% {0} … %}} has no {{% end{0} %}}",
    r"Missing end of raw": "{{% raw %}} has no {{% endraw %}}",
    r"tag name expected": "{{% %}} is empty",
    r"Missing end of comment": '{{# has no #}}; to print it write {{{{ "{{#" }}}}',
    r"unexpected char '&'": "write and, not &",
    r"unexpected char '\?'": "there is no ? here; write {{{{ a if b else c }}}}",
    r"(\w+ cannot be used here.*)": "{0}",
    r"(a list can hold .*)": "{0}",
    r"unexpected char [\"']['\"]": "a text in the braces has no closing quote",
}


def is_template(text: str) -> bool:
    """Whether rendering could change the text at all."""
    return "{" in text and ("{{" in text or "{%" in text or "{#" in text)


def not_filled_in(text: str, variables: Collection[str]) -> str | None:
    """Return the first name of a variable that is written as other programs have it: `{name}`."""
    # A search takes as long as to fill in the text (benchmarks/planning.py).
    if "%" not in text and "$" not in text and "{" not in text.replace("{{", ""):
        return None
    for found in _OTHER_SYNTAX.finditer(text):
        if next(filter(None, found.groups())) in variables:
            return found.group()
    return None


class Renderer:
    """Renders strings with variables, and keeps compiled templates. Not safe for several threads.

    Most strings hold nothing but `{{ name }}`: these are filled in without Jinja2, which takes
    longer to compile one of them than all else takes for a message (benchmarks/planning.py).

    `blanks` are variables that the last text names but that were blank.
    """

    def __init__(self) -> None:
        self._compile = lru_cache(maxsize=4096)(self._compile_uncached)
        self._budget = WorkBudget()
        self._exhausting: set[str] = set()
        self.blanks: list[str] = []

    def render(self, text: str, variables: Mapping[str, Any]) -> str:
        """Return the text with its variables filled in. Raises RenderError."""
        self.blanks.clear()
        if not is_template(text):
            return text
        simple = _fill_in(text, variables, self.blanks)
        return simple if simple is not None else self._render(text, variables)

    def _render(self, text: str, variables: Mapping[str, Any]) -> str:
        template = self._compile(text)
        if isinstance(template, RenderError):
            if advice := _misnamed(text, variables):
                raise RenderError(advice, template.line)
            raise template.with_traceback(None)
        self._budget.reset(0 if text in self._exhausting else MAX_WORK)
        try:
            return "".join(
                _bounded(template.root_render_func(template.new_context(dict(variables))))
            )
        except Exception as error:
            if isinstance(error, Exhausted):
                self._exhausting.add(text)  # or each of a million rows would be tried
            line = _line(template, error)
            sentence = _explain(error, variables)
            sentence = _lacking_column(text, sentence, variables) or sentence
            if sentence.startswith(_UNKNOWN):
                sentence = _misnamed(text, variables) or sentence
            raise RenderError(sentence, line) from error

    def _compile_uncached(self, text: str) -> Template | RenderError:
        from jinja2 import TemplateSyntaxError

        if len(text) > MAX_TEMPLATE:
            return RenderError(f"the template is longer than {MAX_TEMPLATE} characters")
        self._budget.reset(MAX_WORK)
        try:
            return self._environment.from_string(text)
        except TemplateSyntaxError as error:
            return _syntax_error(str(error.message), text, error.lineno)
        except RecursionError:
            return RenderError("the template is nested too deep")
        except Exception as error:  # a SyntaxError in the generated code, numbers out of range, …
            return RenderError(f"the template is not valid: {error}")

    @cached_property
    def _environment(self) -> Environment:
        from dispatcher.manifest.jinja import RestrictedEnvironment

        return RestrictedEnvironment(self._budget, self.blanks.append)


def _fill_in(text: str, variables: Mapping[str, Any], blanks: list[str]) -> str | None:
    """Return the text with each `{{ name }}` replaced, or None if it needs Jinja2."""
    parts = _VARIABLE.split(text)
    names, literals = parts[1::2], "".join(parts[0::2])
    if "{" in literals or "\r" in literals or not _RESERVED.isdisjoint(names):
        return None
    values = [variables.get(name) for name in names]
    if not all(map(_simple, values)):
        return None
    parts[1::2] = shown = [*map(str, values)]
    blanks += [name for name, value in zip(names, shown, strict=True) if not value.strip()]
    return _checked("".join(parts))


def _simple(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and abs(value) <= MAX_NUMBER)


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    length = 0
    for piece in pieces:
        length += len(piece)
        check_length(length)
        yield piece


def _checked(text: str) -> str:
    check_length(len(text))
    return text


def _line(template: Template, error: Exception) -> int:
    """Return the line of the template in which it failed."""
    lines = [
        template.get_corresponding_lineno(line)
        for frame, line in walk_tb(error.__traceback__)
        if frame.f_globals.get("__jinja_template__") is template
    ]
    return lines[-1] if lines else 1


def _explain(error: Exception, variables: Mapping[str, Any]) -> str:
    from jinja2 import TemplateRuntimeError, UndefinedError
    from jinja2.exceptions import SecurityError

    match error:
        case RenderError():
            return str(error)
        case UndefinedError():
            return _explain_undefined(str(error.message), variables)
        case SecurityError():
            return "this is out of the reach of templates"
        case TemplateRuntimeError():  # filters and tests are looked up when they are used
            return str(_syntax_error(str(error.message), "", 1))
        case ZeroDivisionError():
            return "the template divides by zero"
        case TypeError():
            return _of_arguments(error)
    return f"the template fails: {error or type(error).__name__}"


def _misnamed(text: str, variables: Mapping[str, Any]) -> str | None:
    """Return how to write a column whose name cannot be a variable's, or None."""
    row = variables.get("row")
    return _misnamed_column(text, tuple(row)) if isinstance(row, dict) else None


@lru_cache(maxsize=128)  # many rows have the same columns, and the same mistake
def _misnamed_column(text: str, columns: tuple[str, ...]) -> str | None:
    for name in columns[:_MOST_COLUMNS]:
        inside = rf"\{{[{{%][^{{}}]*?(?<![\w\"']){re.escape(name)}(?!\w)"
        if not _is_variable(name) and re.search(inside, text, re.IGNORECASE):
            return _as_column(name)
    return None


def _lacking_column(text: str, sentence: str, variables: Mapping[str, Any]) -> str | None:
    """Return which columns there are, if the template asks a row for another one."""
    row, lacking = variables.get("row"), re.fullmatch(_LACKING.format('"(.*)"'), sentence)
    if not lacking or row is None:
        return None
    if not re.search(rf"\brow *(?:\. *|\[ *[\"']){re.escape(lacking[1])}\b", text):
        return None
    if not isinstance(row, dict):
        return 'a column or variable named "row" hides the row itself here; give it another name'
    known = ", ".join(row)
    near = did_you_mean(lacking[1], row) or f"; there are {known[:200]}"
    return f"the list has no column {quoted(lacking[1])}{near}"


def _is_variable(name: str) -> bool:
    return name.isidentifier() and name not in _RESERVED


def _as_column(name: str) -> str:
    return f"write {{{{ row[{json.dumps(name, ensure_ascii=False)}] }}}}"


def _explain_undefined(message: str, variables: Mapping[str, Any]) -> str:
    """Explain Jinja2's message that a variable, or a key of a table, is undefined."""
    variable = re.fullmatch(r"'(.*)' is undefined", message, re.DOTALL)
    if variable:
        name, known = variable[1], ", ".join(sorted(map(str, variables)))
        here = f"; known here: {known[:200]}" if known else "; [vars] can define it"
        near = closest_name(name, variables)
        if near and near in variables.get("row", ()) and not _is_variable(near):
            return f"{_UNKNOWN} {quoted(name)}; {_as_column(near)}"
        return f"{_UNKNOWN} {quoted(name)}{did_you_mean(name, variables) or here}"
    lacking = re.search(r"has no (?:attribute|element) '?(.*?)'?$", message, re.DOTALL)
    return _LACKING.format(quoted(lacking[1])) if lacking else message


def _of_arguments(error: TypeError) -> str:
    """Explain a wrong call of a filter or test; Python's own message names internals."""
    lacking = re.search(r"missing .* argument: '(\w+)'", str(error))
    return f"a filter lacks its {quoted(lacking[1])}" if lacking else _UNFIT


def _syntax_error(said: str, text: str, line: int) -> RenderError:
    """Return the error for a line of `text`, with Jinja2's message or what to write instead."""
    kind = re.search(r"'end of (print statement|statement block)'", said)
    if kind and "expected" in said:
        opening, closing = ("{{", "}}") if kind[1] == "print statement" else ("{%", "%}")
        before = "\n".join(text.split("\n")[:line])
        start = before.rfind(opening)
        if closing not in before[start:]:
            shown = quoted(text[start:].split("\n")[0].rstrip(), _LONGEST_SHOWN)
            return RenderError(f"{shown} has no {closing}", text.count("\n", 0, start) + 1)
    return RenderError(_syntax_sentence(said, _from_line(text, line)), line)


def _syntax_sentence(said: str, text: str) -> str:
    if said == "unexpected '}'" and (found := re.search(r"\{([{%])[^{}%\n]*\}(?!\})", text)):
        ends = "ends in one brace; write two" if found[1] == "{" else "ends without %; write %}"
        return f"{quoted(found[0], _LONGEST_SHOWN)} {ends}"
    if said.startswith("expected token 'end of print statement', got '") and (
        found := re.search(r"\{\{ *[^\W\d]\w*(?: +\w+)+ *\}\}", text)
    ):
        return f"{quoted(found[0], _LONGEST_SHOWN)}: a name has no spaces"
    if unknown := re.match(r"No (filter|test) named '(.*?)'", said):
        from dispatcher.manifest.filters import FILTERS

        known = FILTERS if unknown[1] == "filter" else ()
        return f"no {unknown[1]} {quoted(unknown[2])}{did_you_mean(unknown[2], known)}"
    for pattern, sentence in _SYNTAX_ERRORS.items():
        if known_words := re.match(pattern, said, re.DOTALL):
            return sentence.format(*known_words.groups())
    if character := re.match(r"unexpected char ('.+?') at", said):
        return f"{code_point(literal_eval(character[1]))} has no place in the braces"
    return f"the template is not valid: {said[:1].lower()}{said[1:].rstrip('.')}"


def _from_line(text: str, line: int) -> str:
    """Return the text from a line on."""
    return "\n".join(text.split("\n")[line - 1 :])
