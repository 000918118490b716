"""How two payloads differ, value by value, and which plugin made them differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dispatcher.diff.changes import Difference, File
from dispatcher.diff.side import Sample
from dispatcher.models import leaves


def differences(before: Sample | None, now: Sample | None) -> Iterator[Difference]:
    """Yield every value that differs, in the order of the payload; what names a file is not one."""
    old, new = _values(before), _values(now)
    built_old, built_new = _built(before), _built(now)
    for path in dict.fromkeys([*new, *old]):
        was, value = old.get(path), new.get(path)
        if was != value:
            same = before and now and built_old.get(path) == built_new.get(path)
            plugin = _changed_by(path, before, now) if same else None
            yield Difference(path, was, value, plugin)


def file_of(sample: Sample | None) -> File | None:
    """Return the file that is sent."""
    if sample is None or sample.upload is None:
        return None
    upload = sample.upload
    return File(upload.filename, upload.size, upload.sha256)


def _values(sample: Sample | None) -> dict[str, str]:
    return _shown(sample, sample.payload) if sample else {}


def _built(sample: Sample | None) -> dict[str, str]:
    return _shown(sample, sample.built) if sample else {}


def _shown(sample: Sample, payload: Mapping[str, Any]) -> dict[str, str]:
    """Return a payload's values by their paths, `text.body`, each as a text."""
    reference = sample.upload.reference if sample.upload else None
    return {
        path: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for path, value in leaves(payload)
        if value != reference or reference is None
    }


def _changed_by(path: str, *samples: Sample | None) -> str | None:
    """Return the last plugin that changed a value, at either side."""
    for sample in samples[::-1]:
        for change in reversed(sample.changes if sample else ()):
            before, after = dict(leaves(change.before)), dict(leaves(change.after))
            if before.get(path) != after.get(path):
                return change.plugin.name
    return None
