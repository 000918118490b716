"""The entry points of installed distributions that name plugins.

Most installations have none. To know that, a look at the files is enough; importlib.metadata, which
loads half of `email` and `zipfile`, would take longer than everything else that `validate` does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "dispatcher"
_HEADER = f"[{GROUP}]".encode()
_METADATA = (".dist-info", ".egg-info", "egg-info")  # as in importlib.metadata


def entry_points() -> Iterable[EntryPoint]:
    """Those of our group."""
    if not _may_exist():
        return ()
    from importlib import metadata

    return metadata.entry_points(group=GROUP)


def distribution(entry_point: EntryPoint) -> tuple[str | None, str | None]:
    """Name and version of the distribution that an entry point is from, if they are known."""
    try:
        found = entry_point.dist
        return (found.name, found.version) if found else (None, None)
    except Exception:  # damaged metadata: the plugin may work all the same
        return None, None


def _may_exist() -> bool:
    """Whether any file has a section of ours; what is not in plain folders may have one."""
    finders = [each for each in sys.meta_path if hasattr(each, "find_distributions")]
    return len(finders) > 1 or any(_may_be_in(folder or ".") for folder in sys.path)


def _may_be_in(folder: str) -> bool:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return False
    except OSError:  # an archive, for example
        return True
    found = (os.path.join(folder, name) for name in names if name.lower().endswith(_METADATA))
    return any(_has_section(metadata) for metadata in found)


def _has_section(metadata: str) -> bool:
    try:
        with open(os.path.join(metadata, "entry_points.txt"), "rb") as stream:
            return _HEADER in stream.read()
    except OSError:
        return False
