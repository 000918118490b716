"""A first look at a manifest, for the usual case that its structure is right.

Building pydantic's validator takes longer than all else that `validate` does with a small file.
This reads the same models (`tables.py`) and knows the few kinds and rules that they use; whatever
it does not know or does not like is left for pydantic to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MinLen
from pydantic import AfterValidator, BaseModel, Discriminator, Tag
from pydantic.fields import FieldInfo


def surely_fits(table: object, model: type[BaseModel]) -> bool:
    """Whether pydantic, asked to validate the table, would surely find nothing."""
    fields = model.model_fields
    return (
        type(table) is dict
        and table.keys() <= fields.keys()
        and all(name in table for name, field in fields.items() if field.is_required())
        and all(_fits(table[key], fields[key].annotation, fields[key].metadata) for key in table)
    )


def _fits(value: Any, kind: Any, rules: Iterable[object] = ()) -> bool:
    return _is(value, kind) and all(_keeps(value, rule) for rule in rules)


def _is(value: Any, kind: Any) -> bool:
    inner = get_args(kind)
    match get_origin(kind):
        case None:
            plain = kind in (str, int, bool)
            return type(value) is kind if plain else _is_table(value, kind)
        case origin if origin in (Union, UnionType):
            return any(_fits(value, each) for each in inner)
        case origin if origin is Annotated:
            return _fits(value, inner[0], inner[1:])
        case origin if origin is Literal:
            return type(value) is str and value in inner
        case origin if origin is list:
            return type(value) is list and all(_fits(each, inner[0]) for each in value)
    return kind == dict[str, Any] and type(value) is dict


def _is_table(value: Any, kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel) and surely_fits(value, kind)


def _keeps(value: Any, rule: object) -> bool:
    match rule:
        case Ge(ge=least):
            return bool(value >= least)
        case Le(le=most):
            return bool(value <= most)
        case MinLen(min_length=least):
            return len(value) >= least
        case AfterValidator(func=check):
            return _passes(check, value)
        case FieldInfo(metadata=rules):
            return all(_keeps(value, each) for each in rules)
    return isinstance(rule, (Tag, Discriminator))


def _passes(check: Callable[..., Any], value: Any) -> bool:
    try:
        check(value)
    except ValueError:
        return False
    return True
