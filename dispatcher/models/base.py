"""The base of all models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict

from dispatcher.models.frozen import FrozenDict, FrozenList, frozen

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


class _ModelType(ModelMetaclass):
    """Leaves out what every pydantic model has, so that `help` shows what is a model's own."""

    def __dir__(cls) -> list[str]:
        usual = {*dir(BaseModel), "__class_vars__", "__private_attributes__", "__signature__"}
        own = (name for name in super().__dir__() if name not in usual - {"__doc__"})
        return [name for name in own if not name.startswith("__pydantic_")]


class Model(BaseModel, metaclass=_ModelType):
    """Frozen, strict about types, no unknown fields, no numbers that JSON does not have.

    A validator is built when the first value is validated: most runs need few of them
    (benchmarks/startup.py).
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, defer_build=True
    )

    def detached(self) -> Self:
        """Return a copy that shares nothing with the original that can be changed."""
        made = self.model_copy()
        vars(made).update(detached(vars(self)))
        return made


def replaced(value: Any, texts: Mapping[str, str]) -> Any:
    """Return a copy of a model, in which each text that is a key of `texts` is what that says."""
    if isinstance(value, str):
        return texts.get(value, value)
    if isinstance(value, Model):
        made = value.model_copy()
        vars(made).update({key: replaced(item, texts) for key, item in vars(value).items()})
        return made
    if isinstance(value, dict):
        return {key: replaced(item, texts) for key, item in value.items()}
    return _each(value, lambda item: replaced(item, texts))


def detached(value: Any) -> Any:
    """Return a copy of a value of a manifest, a row or a model, as `Model.detached` does."""
    if value is None or isinstance(value, (str, int)):  # as most are
        return value
    if isinstance(value, Model):
        return value.detached()
    if isinstance(value, (FrozenDict, FrozenList)):
        return frozen(value)
    if isinstance(value, dict):
        return {key: detached(item) for key, item in value.items()}
    return _each(value, detached)


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a list, a tuple or a set with each item changed, and any other value as it is."""
    if isinstance(value, tuple):
        return tuple.__new__(type(value), map(change, value))  # it may have names
    for kind in (list, set, frozenset):
        if isinstance(value, kind):
            return kind(map(change, value))
    return value
