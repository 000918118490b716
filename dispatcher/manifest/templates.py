"""Strings of a manifest → rendered strings, with a Jinja2 that cannot hurt.

Templates are reviewed in git, but rows come from anywhere and mistakes happen: a template can reach
no Python object, cannot run for ever and cannot grow without bound. It knows variables, filters,
tests, `if` and `for`, and nothing that defines or loads anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dispatcher.errors import DispatcherError

if TYPE_CHECKING:
    from jinja2 import Environment, Template, nodes

MAX_STEPS = 10_000
MAX_LENGTH = 100_000

_MARKS = ("{{", "{%", "{#")
_VARIABLE = re.compile(r"\{\{ *([A-Za-z_]\w*) *\}\}")
_RESERVED = frozenset("true false none True False None not and or in is if else self".split())
_STATEMENTS = ("Template", "Output", "TemplateData", "If", "For")
_EXPRESSIONS = (
    *("Name", "Const", "Getattr", "Getitem", "Slice", "Filter", "Test", "Call", "CondExpr"),
    *("Compare", "Operand", "And", "Or", "Not", "Concat", "Add", "Sub", "Mul", "Div", "FloorDiv"),
    *("Mod", "Neg", "Pos", "List", "Tuple", "Dict", "Pair", "Keyword"),
)
_ALLOWED = frozenset(_STATEMENTS + _EXPRESSIONS)
_LITERALS = frozenset({"List", "Tuple", "Dict"})
_FILTERS = frozenset(
    "abs capitalize count d default dictsort e escape first float groupby int items last length "
    "list lower map max min reject rejectattr reverse round select selectattr sort string sum "
    "title trim truncate unique upper urlencode wordcount".split()
)
_METHODS = frozenset(
    "capitalize endswith get items keys lower lstrip removeprefix removesuffix rstrip split "
    "splitlines startswith strip title upper values".split()
)
_SCALARS = (str, int, float, date, time)


class TemplateProblem(DispatcherError):
    """A template cannot be compiled or rendered; `line` counts from 1 within the string."""

    def __init__(self, text: str, line: int = 1) -> None:
        super().__init__(text)
        self.line = line


def is_template(text: str) -> bool:
    """Whether rendering could change the text at all."""
    return "{" in text and any(mark in text for mark in _MARKS)


class Renderer:
    """Renders strings with variables; compiled templates are kept. Not for several threads.

    Most strings hold nothing but `{{ name }}`: these are filled in without loading Jinja2, which
    would take longer than everything else that `validate` does.
    """

    def __init__(self) -> None:
        self._compile = lru_cache(maxsize=4096)(self._compile_uncached)
        self._environment: Environment | None = None
        self._steps = 0

    def render(self, text: str, variables: Mapping[str, Any]) -> str:
        """The text with its variables filled in. Raises TemplateProblem."""
        if not is_template(text):
            return text
        simple = _fill_in(text, variables)
        return simple if simple is not None else self._render(text, variables)

    def _render(self, text: str, variables: Mapping[str, Any]) -> str:
        self._steps = 0
        try:
            pieces = self._compile(text).generate(variables)
            return "".join(_bounded(pieces))
        except TemplateProblem:
            raise
        except Exception as error:
            raise TemplateProblem(_explain(error, variables)) from error

    def _compile_uncached(self, text: str) -> Template:
        from jinja2 import TemplateSyntaxError

        try:
            return self.environment.from_string(text)
        except TemplateSyntaxError as error:
            raise TemplateProblem(
                f"the template is not valid: {error.message}", error.lineno
            ) from None
        except (RecursionError, ValueError, MemoryError, OverflowError) as error:
            raise TemplateProblem(f"the template is not valid: {error}") from None

    @property
    def environment(self) -> Environment:
        if self._environment is None:
            self._environment = _environment(self._counted)
        return self._environment

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise TemplateProblem(f"the template takes more than {MAX_STEPS} steps")
            yield _checked(item) if isinstance(item, str) else item


def _fill_in(text: str, variables: Mapping[str, Any]) -> str | None:
    """The text with each `{{ name }}` replaced, or None where that is not all there is to do."""
    parts = _VARIABLE.split(text)
    names, literals = parts[1::2], parts[0::2]
    if "{" in "".join(literals):
        return None
    values = [variables.get(name) for name in names]
    if not all(isinstance(value, (str, int)) for value in values) or _RESERVED & set(names):
        return None
    parts[1::2] = map(str, values)
    return _checked("".join(parts))


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > MAX_LENGTH:
            raise TemplateProblem(f"the template makes more than {MAX_LENGTH} characters")
        yield piece


def _checked(text: str) -> str:
    return "".join(_bounded([text]))


def _environment(counted: Callable[[Iterable[Any]], Iterator[Any]]) -> Environment:
    """A sandbox that is narrower than Jinja2's own; `counted` wraps what a `for` runs over."""
    from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Narrow(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset({"*", "%"})

        def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
            tree = super()._parse(source, name, filename)
            for node in tree.find_all(nodes.Node):
                self._check(node)
            for loop in list(tree.find_all(nodes.For)):
                loop.iter = nodes.Filter(
                    loop.iter, "counted", [], [], None, None, lineno=loop.lineno
                )
            return tree

        def _check(self, node: nodes.Node) -> None:
            kind = type(node).__name__
            if kind not in _ALLOWED or getattr(node, "recursive", False):
                raise TemplateSyntaxError(
                    f"{kind.lower()} cannot be used here; variables, filters, if and for can",
                    node.lineno,
                )
            if kind in _LITERALS and any(node.find_all(nodes.Name)):
                raise TemplateSyntaxError("a list can hold plain values only", node.lineno)

        def is_safe_callable(self, obj: Any) -> bool:
            owner = getattr(obj, "__self__", None)
            return isinstance(owner, (str, dict)) and obj.__name__ in _METHODS

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if not (isinstance(left, (int, float)) and isinstance(right, (int, float))):
                raise TemplateProblem(f"{operator} works with numbers only")
            result = super().call_binop(context, operator, left, right)
            if abs(result) > 10**30:
                raise TemplateProblem("a number grows too large")
            return result

    environment = Narrow(undefined=StrictUndefined, keep_trailing_newline=True, finalize=_printable)
    environment.globals.clear()
    known = {name: environment.filters[name] for name in _FILTERS}
    environment.filters = {**known, "counted": counted, "join": _join, "replace": _replace}
    return environment


def _printable(value: Any) -> Any:
    """What `{{ … }}` may print; a list or nothing in the middle of a text is a mistake."""
    from jinja2 import Undefined

    if isinstance(value, (*_SCALARS, Undefined)):
        return value
    if value is None:
        raise TemplateProblem("a value is empty (none); use |default('…', true)")
    raise TemplateProblem("a list or table cannot be printed; use |join(', ') or one of its values")


def _join(values: Iterable[Any], separator: str = "") -> str:
    texts = [str(_printable(value)) for value in values]
    return _checked(str(separator).join(texts))


def _replace(text: str, old: str, new: str) -> str:
    if len(new) > 1000:
        raise TemplateProblem("the replacement is too long")
    return _checked(str(text).replace(str(old), str(new)))


def _explain(error: Exception, variables: Mapping[str, Any]) -> str:
    from jinja2 import UndefinedError
    from jinja2.exceptions import SecurityError

    if isinstance(error, UndefinedError):
        known = ", ".join(sorted(map(str, variables))) or "none"
        return f"the template uses an unknown variable: {error.message} (known here: {known})"
    if isinstance(error, SecurityError):
        return "the template reaches for something that templates may not use"
    return f"the template fails: {type(error).__name__}: {error}"
