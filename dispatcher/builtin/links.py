"""Sources that are URLs → links, which the gateway fetches by itself."""

from __future__ import annotations

from dispatcher import Link, SourceError, hookimpl


@hookimpl
def dispatcher_resolve_source(source: str) -> Link | None:
    scheme, separator, _ = source.partition("://")
    if not separator:
        return None
    if scheme.lower() in ("http", "https"):
        return Link(url=source)
    if scheme.isalnum():
        raise SourceError(
            f'no plugin knows what "{scheme}://" means; a source is a local file, or an http or '
            "https link"
        )
    return None
