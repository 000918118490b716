"""What all models have in common."""

from __future__ import annotations

from functools import cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

_set = object.__setattr__  # the models are frozen


class Model(BaseModel):
    """Frozen, strict about types, no unknown fields.

    A validator is built when the first value is to be validated: most runs need few of them.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    @classmethod
    def model_construct(  # type: ignore[override] # as pydantic's plugin for mypy sees it
        cls, _fields_set: set[str] | None = None, **values: Any
    ) -> Self:
        """An instance of values that are checked already.

        pydantic's own looks for aliases, extras and private attributes, of which these models have
        none, and takes several times as long: longer than to check the values once more.
        """
        fixed, factories = _defaults(cls)
        fields = {**fixed, **values}
        for name, make in factories:
            if name not in values:
                fields[name] = make()
        made = cls.__new__(cls)
        _set(made, "__dict__", fields)
        _set(made, "__pydantic_fields_set__", set(values) if _fields_set is None else _fields_set)
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        return made

    def detached(self) -> Self:
        """A copy of one's own: nothing that is done to either shows in the other."""
        made = type(self).__new__(type(self))
        _set(made, "__dict__", detached(vars(self)))
        _set(made, "__pydantic_fields_set__", set(self.model_fields_set))
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        return made


def detached(value: Any) -> Any:
    """A copy of what a manifest, a row or a model holds; what cannot be changed is the same."""
    if isinstance(value, Model):
        return value.detached()
    if isinstance(value, dict):
        return {key: detached(item) for key, item in value.items()}
    if isinstance(value, list):
        return [detached(item) for item in value]
    return value


@cache
def _defaults(model: type[Model]) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """The defaults of a model's fields, in the fields' order, and how some are made anew."""
    fields = model.model_fields.items()
    factories = [(name, each.default_factory) for name, each in fields if each.default_factory]
    return {name: each.default for name, each in fields}, factories
