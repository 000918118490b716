"""The plugins that come with the dispatcher. They import only what a third party may import."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def builtins(roots: Iterable[Path] = ()) -> list[tuple[str, object]]:
    """Return the name and plugin of each built-in.

    `roots` are the folders that may have files to upload, besides a manifest's own.
    """
    from dispatcher.builtin import checks, greenapi, threads
    from dispatcher.builtin.sources import Files, Links

    return [
        ("links", Links()),
        ("files", Files(roots)),
        ("checks", checks),
        ("greenapi", greenapi),
        ("threads", threads),
    ]
