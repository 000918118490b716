"""Strings of a manifest → rendered strings, with a Jinja2 that cannot hurt.

Templates are reviewed in git, but rows come from anywhere and mistakes happen: a template can reach
no Python object, cannot run for ever and cannot grow without bound. It knows variables, filters,
tests, `if` and `for`, and nothing that defines or loads anything. Every operation pays for the size
of what it works on, out of a purse that is filled once for each rendering.
"""

from __future__ import annotations

import re
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from datetime import date, time
from functools import lru_cache, wraps
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from dispatcher.errors import DispatcherError
from dispatcher.toml.explain import did_you_mean, quoted

if TYPE_CHECKING:
    from jinja2 import Environment, Template, nodes

MAX_LENGTH = 100_000  # characters that are made
MAX_TEMPLATE = 30_000  # characters of a template that is more than `{{ name }}`
MAX_NODES = 5_000  # names, values, operators of such a template
MAX_WORK = 300_000  # characters and items that are worked on, and steps, of one rendering
MAX_NUMBER = 2**64

_VARIABLE = re.compile(r"\{\{ *([A-Za-z_][A-Za-z0-9_]*) *\}\}")
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
    "list lower map max min reject rejectattr reverse select selectattr sort string title trim "
    "truncate unique upper urlencode wordcount".split()
)
_METHODS = frozenset(
    "capitalize endswith get items keys lower lstrip removeprefix removesuffix rstrip split "
    "splitlines startswith strip title upper values".split()
)
_SCALARS = (str, int, float, date, time)
_CONTAINERS = (list, tuple, dict, KeysView, ValuesView, ItemsView)
_OPERATORS = frozenset("+ - * / // %".split())
# What Jinja2 says of mistakes that people make → what to do.
_ADVICE = {
    "expected token 'end of print statement'": (
        "between {{ and }} stands one name without spaces, and filters: {{ name | upper }}"
    ),
    "Missing end of comment tag": 'after "{#" there is no "#}"; to write the sign: {{ "{#" }}',
}


class TemplateProblem(DispatcherError):
    """A template cannot be compiled or rendered; `line` counts from 1 within the string."""

    def __init__(self, text: str, line: int = 1) -> None:
        super().__init__(text)
        self.line = line


def is_template(text: str) -> bool:
    """Whether rendering could change the text at all."""
    return "{" in text and ("{{" in text or "{%" in text or "{#" in text)


class Renderer:
    """Renders strings with variables; compiled templates are kept. Not for several threads.

    Most strings hold nothing but `{{ name }}`: these are filled in without loading Jinja2, which
    would take longer than everything else that `validate` does.
    """

    def __init__(self) -> None:
        self._compile = lru_cache(maxsize=4096)(self._compile_uncached)
        self._environment: Environment | None = None
        self._purse = Purse()
        self._exhausting: set[str] = set()

    def render(self, text: str, variables: Mapping[str, Any]) -> str:
        """The text with its variables filled in. Raises TemplateProblem."""
        if not is_template(text):
            return text
        simple = _fill_in(text, variables)
        return simple if simple is not None else self._render(text, variables)

    def _render(self, text: str, variables: Mapping[str, Any]) -> str:
        template = self._compile(text)
        if isinstance(template, TemplateProblem):
            raise template.with_traceback(None)
        self._purse.fill(0 if text in self._exhausting else MAX_WORK)
        try:
            return "".join(
                _bounded(template.root_render_func(template.new_context(dict(variables))))
            )
        except Exception as error:
            if isinstance(error, _Exhausted):
                self._exhausting.add(text)  # not to be tried again with each of a million rows
            line = _line(template, error)
            raise TemplateProblem(_explain(error, variables), line) from error

    def _compile_uncached(self, text: str) -> Template | TemplateProblem:
        from jinja2 import TemplateSyntaxError

        if len(text) > MAX_TEMPLATE:
            return TemplateProblem(f"the template is longer than {MAX_TEMPLATE} characters")
        self._purse.fill(MAX_WORK)
        try:
            return self.environment.from_string(text)
        except TemplateSyntaxError as error:
            return TemplateProblem(_advice(str(error.message)), error.lineno)
        except RecursionError:
            return TemplateProblem("the template is nested too deep")
        except Exception as error:  # SyntaxError of the generated code, numbers out of range, …
            return TemplateProblem(f"the template is not valid: {error}")

    @property
    def environment(self) -> Environment:
        if self._environment is None:
            self._environment = _environment(self._purse)
        return self._environment


class _Exhausted(TemplateProblem):
    """A rendering did more than it may."""


class Purse:
    """What one rendering may still do."""

    def __init__(self) -> None:
        self._left = 0

    def fill(self, amount: int) -> None:
        self._left = amount

    def spend(self, amount: int) -> None:
        self._left -= amount
        if self._left < 0:
            raise _Exhausted("the template takes too long; let it do less, or with less data")

    def pay(self, value: Any) -> Any:
        """Spend the size of a value, of all that it holds, and return it."""
        rest = [value]
        while rest:
            value_or_part = rest.pop()
            self.spend(1)
            if isinstance(value_or_part, str):
                self.spend(len(value_or_part))
            elif isinstance(value_or_part, _CONTAINERS):
                self.spend(len(value_or_part))
                rest.extend(value_or_part)
                if isinstance(value_or_part, dict):
                    rest.extend(value_or_part.values())
            elif isinstance(value_or_part, int) and abs(value_or_part) > MAX_NUMBER:
                raise TemplateProblem("a number is too large")
        return value

    def paid(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, paid for what it gets and, if it answers one by one, for each answer."""

        @wraps(function)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            self.pay((arguments, options))
            answer = function(*arguments, **options)
            return self.counted(answer) if isinstance(answer, Iterator) else answer

        return wrapped

    def counted(self, items: Iterable[Any], cost: int = 1) -> Iterator[Any]:
        """The items, each for its cost: so much happens with each of them."""
        for item in items:
            self.spend(cost)
            yield item


def _fill_in(text: str, variables: Mapping[str, Any]) -> str | None:
    """The text with each `{{ name }}` replaced, or None where that is not all there is to do."""
    parts = _VARIABLE.split(text)
    names, literals = parts[1::2], "".join(parts[0::2])
    if "{" in literals or "\r" in literals or _RESERVED & set(names):
        return None
    values = [variables.get(name) for name in names]
    if not all(map(_simple, values)):
        return None
    parts[1::2] = map(str, values)
    return _checked("".join(parts))


def _simple(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and abs(value) <= MAX_NUMBER)


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    length = 0
    for piece in pieces:
        length += len(piece)
        _check_length(length)
        yield piece


def _checked(text: str) -> str:
    _check_length(len(text))
    return text


def _check_length(length: int) -> None:
    if length > MAX_LENGTH:
        raise TemplateProblem(f"the template makes more than {MAX_LENGTH} characters")


def _environment(purse: Purse) -> Environment:
    """A sandbox that is narrower than Jinja2's own; everything in it pays from the purse."""
    from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes
    from jinja2.filters import do_round, do_sum, make_attrgetter
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.utils import pass_environment

    class Narrow(ImmutableSandboxedEnvironment):
        intercepted_binops = _OPERATORS

        def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
            tree = super()._parse(source, name, filename)
            every = list(tree.find_all(nodes.Node))
            if len(every) > MAX_NODES:
                raise TemplateSyntaxError("it is too long", 1)
            for node in every:
                self._check(node)
            for node in every:
                self._make_pay(node)
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

        def _make_pay(self, node: nodes.Node) -> None:
            """Filters, tests, calls and operators pay by themselves; this is for the rest."""
            match node:
                case nodes.For():
                    cost = nodes.Const(sum(1 for _ in node.find_all(nodes.Node)))
                    node.iter = _filtered(node.iter, "counted", cost)
                case nodes.Compare() | nodes.Operand():
                    node.expr = _filtered(node.expr, "paid")
                case nodes.Getitem(arg=nodes.Slice()):
                    node.node = _filtered(node.node, "paid")
                case nodes.Concat():
                    node.nodes = [_filtered(each, "printed") for each in node.nodes]

        def getattr(self, obj: Any, attribute: str) -> Any:
            """Tables of data have keys; `order.items` is one of them before it is a method."""
            purse.spend(1)
            if isinstance(obj, dict) and attribute in obj:
                return obj[attribute]
            return super().getattr(obj, attribute)

        def getitem(self, obj: Any, argument: Any) -> Any:
            purse.spend(1)
            return super().getitem(obj, argument)

        def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(__obj, Undefined):
                owner, name = getattr(__obj, "__self__", None), getattr(__obj, "__name__", "this")
                if not isinstance(owner, (str, dict)) or name not in _METHODS:
                    raise TemplateProblem(f"{name}() cannot be used in a template")
                purse.pay((owner if isinstance(owner, str) else None, args, kwargs))
            return super().call(__context, __obj, *args, **kwargs)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            purse.pay((left, right))
            numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
            if numbers or (operator == "+" and type(left) is type(right) in (str, list)):
                result = super().call_binop(context, operator, left, right)
                if numbers and abs(result) > MAX_NUMBER:
                    raise TemplateProblem("a number grows too large")
                return result
            for undefined in (each for each in (left, right) if isinstance(each, Undefined)):
                str(undefined)  # raises
            raise TemplateProblem(f"{operator} is for numbers; ~ puts texts together")

    def _filtered(node: Any, name: str, *arguments: nodes.Expr) -> nodes.Filter:
        return nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)

    def rounded(value: Any, precision: int = 0, method: Any = "common") -> Any:
        if abs(precision) > 20:
            raise TemplateProblem("round works with at most 20 digits")
        return do_round(value, precision, method)

    @pass_environment
    def total(environment: Environment, values: Iterable[Any], attribute: Any = None) -> Any:
        return do_sum(environment, values, attribute)

    @pass_environment
    def joined(
        environment: Environment, values: Iterable[Any], separator: str = "", attribute: Any = None
    ) -> str:
        get = make_attrgetter(environment, attribute) if attribute is not None else None
        return _join(map(get, values) if get else values, str(separator))

    environment = Narrow(
        undefined=StrictUndefined, keep_trailing_newline=True, finalize=_printable, optimized=False
    )
    environment.globals.clear()
    ours: dict[str, Callable[..., Any]] = {
        "join": joined,
        "replace": _replace,
        "round": rounded,
        "sum": total,
    }
    theirs: dict[str, Callable[..., Any]] = {name: environment.filters[name] for name in _FILTERS}
    environment.filters = {name: purse.paid(each) for name, each in {**theirs, **ours}.items()}
    environment.filters |= {
        "counted": purse.counted,
        "paid": purse.pay,
        "printed": lambda value: _printable(purse.pay(value)),
    }
    checks: dict[str, Any] = environment.tests
    environment.tests = {name: purse.paid(check) for name, check in checks.items()}
    return environment


def _printable(value: Any) -> Any:
    """What `{{ … }}` may print; a list or nothing in the middle of a text is a mistake."""
    from jinja2 import Undefined

    if isinstance(value, (*_SCALARS, Undefined)):
        return value
    if value is None:
        raise TemplateProblem("a value is empty (none); use |default('…', true)")
    raise TemplateProblem("a list or table cannot be printed; use |join(', ') or one of its values")


def _join(values: Iterable[Any], separator: str) -> str:
    texts = [str(_printable(value)) for value in values]
    _check_length(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _replace(text: Any, old: Any, new: Any, count: int = -1) -> str:
    whole, before, after = str(text), str(old), str(new)
    times = whole.count(before) if count < 0 else min(count, whole.count(before))
    _check_length(len(whole) + times * (len(after) - len(before)))
    return whole.replace(before, after, count)


def _line(template: Template, error: Exception) -> int:
    """The template's line in which it failed."""
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
        case TemplateProblem():
            return str(error)
        case UndefinedError():
            return _explain_undefined(str(error.message), variables)
        case SecurityError():
            return "the template reaches for something that templates may not use"
        case TemplateRuntimeError():
            return _advice(str(error.message))
        case ZeroDivisionError():
            return "the template divides by zero"
    return f"the template fails: {error or type(error).__name__}"


def _explain_undefined(message: str, variables: Mapping[str, Any]) -> str:
    """Jinja2's words for a lacking variable, or a lacking key of a table, in ours."""
    variable = re.fullmatch(r"'(.*)' is undefined", message, re.DOTALL)
    if variable:
        name, known = variable[1], ", ".join(sorted(map(str, variables)))
        here = f"; known here: {known[:200]}" if known else "; [vars] can define it"
        return f"unknown variable {quoted(name)}{did_you_mean(name, variables) or here}"
    lacking = re.search(r"has no (?:attribute|element) '?(.*?)'?$", message, re.DOTALL)
    return f"there is no {quoted(lacking[1])} in this value" if lacking else message


def _advice(message: str) -> str:
    """What to do about a template that Jinja2 does not understand."""
    unknown = re.match(r"No (filter|test) named '(.*?)'", message)
    if unknown:
        known = _FILTERS if unknown[1] == "filter" else ()
        return f'there is no {unknown[1]} "{unknown[2]}"{did_you_mean(unknown[2], known)}'
    advice = next((_ADVICE[start] for start in _ADVICE if message.startswith(start)), message)
    return f"the template is not valid: {advice}"
