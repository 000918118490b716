"""What all models have in common."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Frozen, strict about types, no unknown fields.

    A validator is built when the first value is to be validated: most runs need few of them
    (benchmarks/startup.py).
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    def detached(self) -> Self:
        """A copy of one's own: nothing that is done to either shows in the other."""
        made = self.model_copy()
        vars(made).update(detached(vars(self)))
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
