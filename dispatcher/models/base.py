"""The base of all models."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Frozen, strict about types, no unknown fields.

    A validator is built when the first value is validated: most runs need few of them
    (benchmarks/startup.py).
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    def detached(self) -> Self:
        """Return a copy that shares nothing with the original that can be changed."""
        made = self.model_copy()
        vars(made).update(detached(vars(self)))
        return made


def detached(value: Any) -> Any:
    """Return a copy of a value of a manifest, a row or a model, as `Model.detached` does."""
    if isinstance(value, Model):
        return value.detached()
    if isinstance(value, dict):
        return {key: detached(item) for key, item in value.items()}
    if isinstance(value, list):
        return [detached(item) for item in value]
    return value
