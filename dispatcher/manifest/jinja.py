"""A Jinja2 that is narrower than its own sandbox, for texts of which nobody knows what they hold.

Templates are reviewed in git, but rows come from anywhere and mistakes happen: a template can reach
no Python object, cannot run for ever and cannot grow without bound. It knows variables, filters,
tests, `if` and `for`, and nothing that defines or loads anything. Every operation pays for the size
of what it works on, out of a budget that is set anew for each rendering.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, time
from math import isfinite
from typing import Any

from jinja2 import (  # noqa: TID253 - this module is imported only for templates that need it
    Environment,
    StrictUndefined,
    TemplateSyntaxError,
    Undefined,
    nodes,
)
from jinja2.filters import do_round, do_sum, make_attrgetter  # noqa: TID253 - see above
from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: TID253 - see above
from jinja2.utils import pass_environment  # noqa: TID253 - see above

from dispatcher.manifest.filters import WRITING
from dispatcher.manifest.limits import (
    MAX_NODES,
    MAX_NUMBER,
    NOT_FINITE,
    RenderError,
    WorkBudget,
    check_length,
)
from dispatcher.names import canonical_name

_STATEMENTS = ("Template", "Output", "TemplateData", "If", "For")
_EXPRESSIONS = (
    *("Name", "Const", "Getattr", "Getitem", "Slice", "Filter", "Test", "Call", "CondExpr"),
    *("Compare", "Operand", "And", "Or", "Not", "Concat", "Add", "Sub", "Mul", "Div", "FloorDiv"),
    *("Mod", "Neg", "Pos", "List", "Tuple", "Dict", "Pair", "Keyword"),
)
_ALLOWED = frozenset(_STATEMENTS + _EXPRESSIONS)
FILTERS = frozenset(
    "abs capitalize count d date default dictsort e escape first float groupby int items join last "
    "length list lower map max min number reject rejectattr replace reverse round select "
    "selectattr sort string sum title trim truncate unique upper urlencode wordcount".split()
)
_METHODS = frozenset(
    "capitalize endswith get items keys lower lstrip removeprefix removesuffix rstrip split "
    "splitlines startswith strip title upper values".split()
)
_SCALARS = (str, int, float, date, time)


class RestrictedEnvironment(ImmutableSandboxedEnvironment):
    """Everything in it pays from the budget. `blank` is told each variable that shows nothing."""

    intercepted_binops = frozenset("+ - * / // %".split())

    def __init__(self, budget: WorkBudget, blank: Callable[[str], None]) -> None:
        super().__init__(
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            finalize=_printable,
            optimized=False,
        )
        self._budget = budget
        self._blank = blank
        self.globals.clear()
        self.filters = self._paid_filters()
        tests: dict[str, Any] = self.tests
        self.tests = {name: budget.paid(test) for name, test in tests.items()}

    def _paid_filters(self) -> dict[str, Any]:
        budget = self._budget
        ours = {"join": _join, "replace": _replace, "round": _round, "sum": _sum, **WRITING}
        theirs = {name: self.filters[name] for name in FILTERS - ours.keys()}
        return {
            **{name: budget.paid(each) for name, each in {**theirs, **ours}.items()},
            "counted": budget.counted,
            "paid": budget.pay,
            "printed": lambda value: _printable(budget.pay(value)),
            "seen": self._seen,
        }

    def _seen(self, value: Any, name: str) -> Any:
        if isinstance(value, str) and not value.strip():
            self._blank(name)
        return value

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        every = list(tree.find_all(nodes.Node))
        if len(every) > MAX_NODES:
            raise TemplateSyntaxError("it is too long", 1)
        for node in every:
            _check(node)
            _spell(node)
        for node in every:
            _make_pay(node)
        return tree

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Tables of data have keys; `order.items` is one of them before it is a method."""
        self._budget.spend(1)
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item of a list, or a value of a table."""
        self._budget.spend(1)
        return super().getitem(obj, argument)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call one of the harmless methods of a text or a table."""
        if not isinstance(__obj, Undefined):
            owner, name = getattr(__obj, "__self__", None), getattr(__obj, "__name__", "this")
            if not isinstance(owner, (str, dict)) or name not in _METHODS:
                raise RenderError(f"{name}() cannot be used in a template")
            __self._budget.pay((owner if isinstance(owner, str) else None, args, kwargs))
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Calculate; of texts and lists, `+` only."""
        self._budget.pay((left, right))
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        if numbers or (operator == "+" and type(left) is type(right) in (str, list)):
            result = super().call_binop(context, operator, left, right)
            if numbers and abs(result) > MAX_NUMBER:
                raise RenderError("a number grows too large")
            return result
        for undefined in (each for each in (left, right) if isinstance(each, Undefined)):
            str(undefined)  # raises
        raise RenderError(f"{operator} is for numbers; ~ puts texts together")


def _check(node: nodes.Node) -> None:
    kind = type(node).__name__
    if kind not in _ALLOWED or getattr(node, "recursive", False):
        name = kind.lower().replace("assign", "set")
        text = f"{name} cannot be used here; if and for can"
        raise TemplateSyntaxError(text, node.lineno)
    if isinstance(node, nodes.Const) and isinstance(node.value, float) and not isfinite(node.value):
        raise TemplateSyntaxError(NOT_FINITE, node.lineno)
    literal = isinstance(node, (nodes.List, nodes.Tuple, nodes.Dict))
    target = getattr(node, "ctx", None) == "store"  # for key, value in …
    if literal and not target and any(node.find_all(nodes.Name)):
        raise TemplateSyntaxError("a list can hold plain values only", node.lineno)


def _spell(node: nodes.Node) -> None:
    """Columns are known by names in normal form C, however the template spells them."""
    match node:
        case nodes.Name(name=str(name)):
            node.name = canonical_name(name)
        case nodes.Getattr(attr=str(name)):
            node.attr = canonical_name(name)
        case nodes.Getitem(arg=nodes.Const(value=str(name)) as key):
            key.value = canonical_name(name)


def _make_pay(node: nodes.Node) -> None:
    """Filters, tests, calls and operators pay by themselves; this is for the rest."""
    match node:
        case nodes.For():
            cost = nodes.Const(sum(1 for _ in node.find_all(nodes.Node)))
            node.iter = _filtered(node.iter, "counted", cost)
        case nodes.Compare() | nodes.Operand():
            node.expr = _filtered(node.expr, "paid")
        case nodes.Getitem(arg=nodes.Slice()):
            node.node = _filtered(node.node, "paid")
        case nodes.Output():
            node.nodes = [_watched(each) for each in node.nodes]
        case nodes.Concat():
            node.nodes = [_filtered(each, "printed") for each in node.nodes]


def _watched(node: Any) -> Any:
    """What is printed of one variable, so that it is known where it is nothing.

    Whoever writes `default` has thought of that.
    """
    inner = node
    while isinstance(inner, nodes.Filter) and inner.name not in ("default", "d"):
        inner = inner.node
    match inner:
        case nodes.Name(name=name):
            return _filtered(node, "seen", nodes.Const(name))
        case nodes.Getitem(node=nodes.Name(name="row"), arg=nodes.Const(value=str(name))):
            return _filtered(node, "seen", nodes.Const(name))
    return node


def _filtered(node: Any, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)


def _printable(value: Any) -> Any:
    """What `{{ … }}` may print; a list or nothing in the middle of a text is a mistake."""
    if isinstance(value, float) and not isfinite(value):
        raise RenderError(NOT_FINITE)
    if isinstance(value, (*_SCALARS, Undefined)):
        return value
    if value is None:
        raise RenderError("an empty value (none); use |default('…', true)")
    raise RenderError("a list or table is no text; use |join(', ')")


@pass_environment
def _join(
    environment: Environment, values: Iterable[Any], separator: str = "", attribute: Any = None
) -> str:
    if attribute is not None:
        values = map(make_attrgetter(environment, attribute), values)
    texts = [str(_printable(value)) for value in values]
    separator = str(separator)
    check_length(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _replace(text: Any, old: Any, new: Any, count: int = -1) -> str:
    whole, before, after = str(text), str(old), str(new)
    times = whole.count(before) if count < 0 else min(count, whole.count(before))
    check_length(len(whole) + times * (len(after) - len(before)))
    return whole.replace(before, after, count)


def _round(value: Any, precision: int = 0, method: Any = "common") -> Any:
    if abs(precision) > 20:
        raise RenderError("round works with at most 20 digits")
    return do_round(value, precision, method)


@pass_environment
def _sum(environment: Environment, values: Iterable[Any], attribute: Any = None) -> Any:
    return do_sum(environment, values, attribute)
