"""The plugins that come with the dispatcher. They import only what a third party may import."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def builtins(roots: Iterable[Path] = ()) -> list[tuple[str, object]]:
    """Name and plugin of each built-in. `roots`: folders, besides a manifest's own, for files."""
    from dispatcher.builtin import checks, greenapi, threads
    from dispatcher.builtin.sources import Files, Links

    return [
        ("links", Links()),
        ("files", Files(roots)),
        ("checks", checks),
        ("greenapi", greenapi),
        ("threads", threads),
    ]
