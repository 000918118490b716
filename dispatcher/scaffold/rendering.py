"""Fills in the templates of files that are written for users."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files


def rendered(template: str, variables: Mapping[str, str | None]) -> str:
    """Return the text of a file; `template` is its path below the folder `templates`."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    text = files(__package__).joinpath("templates", template).read_text(encoding="utf-8")
    return environment.from_string(text).render(variables)
