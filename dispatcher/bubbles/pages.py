"""What pages with bubbles need: templates, static files, and headers that make them safe."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dispatcher.bubbles.bubble import SHOWN

if TYPE_CHECKING:
    from jinja2 import Environment

STATIC: Final = Path(__file__).parent / "static"
TEMPLATES: Final = Path(__file__).parent / "templates"

# Nothing from elsewhere, no scripts but our files, and no frame in another page.
SAFE: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# Headers of a user's file: a browser may show or save it, but neither guess its type nor run it.
HARMLESS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def file_headers(content_type: str) -> dict[str, str]:
    """Return the headers of a user's file; as of a type only if bubbles show files of that."""
    given = content_type.partition(";")[0].strip().lower()
    is_shown = any(given in types for types in SHOWN.values())
    return {
        **HARMLESS,
        "Content-Type": given if is_shown else "application/octet-stream",
        "Content-Disposition": "attachment",
    }


def render(template: str, **values: object) -> str:
    """Return a page made from a template in this package."""
    return templates(TEMPLATES).get_template(template).render(**values)


@cache
def templates(*folders: Path) -> Environment:
    """Return the templates of these folders; everything put into one is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(list(folders))
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
