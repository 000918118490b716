"""Reports two manifests with one name that two commands send: in the journal, they are one.

Within one command, this is an error anyway (see `Manifests`). Here, the file from which a name came
before, as the journal recorded it, counts as long as it exists and still has the name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dispatcher.errors import ManifestError
from dispatcher.localfiles import existing_spelling
from dispatcher.models import LocatedProblem, located
from dispatcher.names import canonical_name
from dispatcher.toml.file import read_toml
from dispatcher.visible import storable


def relative_paths(paths: Mapping[str, Path], folder: Path) -> dict[str, str]:
    """Return paths by manifest as the journal records them: relative to the configuration."""
    top = os.path.realpath(folder)
    return {
        name: storable(canonical_name(os.path.relpath(os.path.realpath(paths[name]), top)))
        for name in paths
    }


def problems(
    paths: Mapping[str, Path], known: Mapping[str, set[str]], folder: Path
) -> Iterator[LocatedProblem]:
    """Yield an error for each manifest whose name the journal knows from another file.

    `paths` are those of the manifests, by name; `known` is what the journal recorded of the names.
    """
    now = relative_paths(paths, folder)
    for name, path in paths.items():
        for former in sorted(known.get(name, set()) - {now[name]}):
            other = existing_spelling(folder / former)
            if _still_has(name, other) and not os.path.samefile(other, path):
                sentence = (
                    f'the name "{name}" is also that of {other}, which was sent before: what '
                    'one sent counts as sent for both; give one another name: name = "…"'
                )
                yield located(path, sentence)


def _still_has(name: str, path: Path) -> bool:
    """Whether a file is a manifest of this name; one that cannot be read may be."""
    if not path.is_file():
        return False
    try:
        given = read_toml(path).data.get("name")
    except ManifestError:
        given = None
    return canonical_name(given if isinstance(given, str) else path.stem) == name
