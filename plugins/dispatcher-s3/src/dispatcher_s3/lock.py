"""`s3.lock` beside a manifest: what the objects contain that its messages upload.

It has one line for each, as `sha256sum` writes them, with the size between:

    9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  4  s3://media/test.txt
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from dispatcher import SourceError, find_file
from dispatcher_s3.location import Location

NAME = "s3.lock"
_LINE = re.compile(r"([0-9a-f]{64})  ([0-9]+)  (s3://.+)")


class Entry(NamedTuple):
    """What an object contained when it was locked; `size` is in bytes."""

    sha256: str
    size: int


def find_entry(location: Location, base: Path) -> Entry:
    """Return what the lock in a manifest's folder says of an object. Raises SourceError."""
    if not os.path.lexists(base / NAME):
        raise SourceError(f"there is no {NAME} beside the manifest; {_advice(location)}")
    path = find_file(NAME, base)
    entry = _cached(path, path.stat().st_mtime_ns).get(str(location))
    if entry is None:
        raise SourceError(f'"{location}" is not in {NAME}; {_advice(location)}')
    return entry


def read(path: Path) -> dict[str, Entry]:
    """Return the entries by source. Raises SourceError."""
    entries = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        raise SourceError(f"{path.name} cannot be read") from None
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise SourceError(f"{path.name}, line {number}: not a sha256, a size and s3://…")
        entries[found[3]] = Entry(found[1], int(found[2]))
    return entries


def write(path: Path, entries: Mapping[str, Entry]) -> None:
    """Replace the lock atomically. Raises OSError."""
    lines = [f"{entries[each].sha256}  {entries[each].size}  {each}\n" for each in sorted(entries)]
    new = path.with_name(f"{path.name}.new")
    new.write_text("".join(lines), encoding="utf-8")
    new.replace(path)


@lru_cache(maxsize=16)
def _cached(path: Path, _: int) -> dict[str, Entry]:
    return read(path)


def _advice(location: Location) -> str:
    return f'add it: dispatcher s3-lock "{location}"'
