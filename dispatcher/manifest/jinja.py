"""Restricts Jinja2's sandbox further.

Templates are reviewed in git, but rows come from anywhere and mistakes happen: a template can reach
no Python object, run for ever or grow without bound. It has variables, filters, tests, `if` and
`for`, and nothing that defines or loads anything. Every operation is charged, by the size of what
it works on, to a budget that is reset for each rendering.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dispatcher.manifest.filters import FILTERS, OWN_FILTERS, printable_value
from dispatcher.manifest.limits import (
    MAX_NODES,
    MAX_NUMBER,
    NOT_FINITE,
    RenderError,
    WorkBudget,
)
from dispatcher.names import canonical_name

_STATEMENTS = ("Template", "Output", "TemplateData", "If", "For")
_EXPRESSIONS = (
    *("Name", "Const", "Getattr", "Getitem", "Slice", "Filter", "Test", "Call", "CondExpr"),
    *("Compare", "Operand", "And", "Or", "Not", "Concat", "Add", "Sub", "Mul", "Div", "FloorDiv"),
    *("Mod", "Neg", "Pos", "List", "Tuple", "Dict", "Pair", "Keyword"),
)
_ALLOWED = frozenset(_STATEMENTS + _EXPRESSIONS)
_METHODS = frozenset(
    "capitalize endswith get items keys lower lstrip removeprefix removesuffix rstrip split "
    "splitlines startswith strip title upper values".split()
)


class RestrictedEnvironment(ImmutableSandboxedEnvironment):
    """Charges all its work to `budget`. Calls `blank` with each variable that shows nothing."""

    intercepted_binops = frozenset("+ - * / // %".split())

    def __init__(self, budget: WorkBudget, blank: Callable[[str], None]) -> None:
        super().__init__(
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            finalize=printable_value,
            optimized=False,
        )
        self._budget = budget
        self._blank = blank
        self.globals.clear()
        self.filters = self._charged_filters()
        tests: dict[str, Any] = self.tests
        self.tests = {name: budget.charged(test) for name, test in tests.items()}

    def _charged_filters(self) -> dict[str, Any]:
        budget = self._budget
        known: dict[str, Any] = {**self.filters, **OWN_FILTERS}
        return {
            **{name: budget.charged(known[name]) for name in FILTERS},
            "counted": budget.counted,
            "charged": budget.charge,
            "printed": lambda value: printable_value(budget.charge(value)),
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
            _charge(node)
        return tree

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a table's key before a method: `order.items` is the key if there is one."""
        self._budget.spend(1)
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item of a list, or a value of a table."""
        self._budget.spend(1)
        return super().getitem(obj, argument)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call one of the harmless methods of a text or a table."""
        if not isinstance(__obj, Undefined):
            owner, name = getattr(__obj, "__self__", None), getattr(__obj, "__name__", "this")
            if not isinstance(owner, (str, dict)) or name not in _METHODS:
                raise RenderError(f"{name}() cannot be used in a template")
            __self._budget.charge((owner if isinstance(owner, str) else None, args, kwargs))
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Calculate with numbers; texts and lists have `+` only."""
        self._budget.charge((left, right))
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
    """Put names of columns into normal form C, in whatever form the template writes them."""
    match node:
        case nodes.Name(name=str(name)):
            node.name = canonical_name(name)
        case nodes.Getattr(attr=str(name)):
            node.attr = canonical_name(name)
        case nodes.Getitem(arg=nodes.Const(value=str(name)) as key):
            key.value = canonical_name(name)


def _charge(node: nodes.Node) -> None:
    """Charge the rest: filters, tests, calls and operators are charged when they are called."""
    match node:
        case nodes.For():
            cost = nodes.Const(sum(1 for _ in node.find_all(nodes.Node)))
            node.iter = _filtered(node.iter, "counted", cost)
        case nodes.Compare() | nodes.Operand():
            node.expr = _filtered(node.expr, "charged")
        case nodes.Getitem(arg=nodes.Slice()):
            node.node = _filtered(node.node, "charged")
        case nodes.Output():
            node.nodes = [_watched(each) for each in node.nodes]
        case nodes.Concat():
            node.nodes = [_filtered(each, "printed") for each in node.nodes]


def _watched(node: Any) -> Any:
    """Return a node that watches the output of one variable, to warn if it is blank.

    A template with `default` has provided for that.
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
