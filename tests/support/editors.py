"""The two TOML language servers that editors use, from their command lines."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.requirements import require

# The sentences about each file that is refused.
Refused = dict[Path, list[str]]


def reports(editor: str, folder: Path, schemas: Mapping[str, Path]) -> Refused:
    """What an editor refuses in folders of a folder; `schemas`: that of each, by its name."""
    return EDITORS[editor](folder, schemas)


def format_all(editor: str, folder: Path) -> None:
    """Let an editor lay out all files below a folder anew."""
    done = _run(folder, editor, "format", *(["--offline"] if editor == "tombi" else []))
    assert done.returncode == 0, done.stderr


def _tombi(folder: Path, schemas: Mapping[str, Path]) -> Refused:
    _configure(
        folder / "tombi.toml", schemas, '[[schemas]]\ninclude = ["{}/**/*.toml"]\npath = "{}"\n'
    )
    report = folder / "tombi.json"
    options = ("--offline", "--diagnostics-format", "json", "--diagnostics-file", str(report))
    _run(folder, "tombi", "lint", *options)
    refused: Refused = {}
    for each in json.loads(report.read_text(encoding="utf-8", errors="replace")):
        if each["level"] == "error":
            refused.setdefault(folder / each["path"], []).append(each["message"])
    return refused


def _taplo(folder: Path, schemas: Mapping[str, Path]) -> Refused:
    rule = '[[rule]]\ninclude = ["{}/**/*.toml"]\n[rule.schema]\npath = "{}"\n'
    _configure(folder / ".taplo.toml", schemas, rule)
    done = _run(folder, "taplo", "lint", "--colors", "never")
    refused: Refused = {}
    pattern = r"^error: (.*)\n *┌─ (.*?):\d+:\d+$"
    for sentence, path in re.findall(pattern, done.stdout + done.stderr, re.MULTILINE):
        refused.setdefault(Path(path), []).append(sentence)
    return refused


EDITORS = {"tombi": _tombi, "taplo": _taplo}


def _configure(file: Path, schemas: Mapping[str, Path], rule: str) -> None:
    text = "".join(rule.format(name, schema) for name, schema in schemas.items())
    file.write_text(text, encoding="utf-8")


def program(name: str) -> str:
    """Where the program of an editor is."""
    found = shutil.which(name, path=Path(sys.executable).parent) or shutil.which(name)
    require(found, f"{name} (pip install {name})")
    assert found is not None
    return found


def _run(folder: Path, editor: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program(editor), *arguments],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
