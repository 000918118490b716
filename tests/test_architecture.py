"""What may import what, and what a command must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dispatcher
from tests.support.cases import cases

PACKAGE = Path(dispatcher.__file__).parent
ROOT = Path(__file__).parents[1]


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of each import of this package in a file, those for type checks aside."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found = [(str(node.module), alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found = [(alias.name, "") for alias in node.names]
        else:
            continue
        yield from (each for each in found if each[0].split(".")[0] == "dispatcher")


def modules(part: str) -> list[Path]:
    """The files of a module or subpackage."""
    file = PACKAGE / f"{part}.py"
    return [file] if file.exists() else sorted((PACKAGE / part).rglob("*.py"))


def test_nobody_imports_the_command_line() -> None:
    importers = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        for module, _ in imports(path)
        if module.startswith("dispatcher.cli")
    }
    assert importers == {"cli", "__main__.py"}


def test_nobody_imports_the_testing_kit() -> None:
    importers = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        for module, _ in imports(path)
        if module.startswith("dispatcher.testing")
    }
    assert importers == {"testing"}


def test_builtins_import_what_a_third_party_may_import() -> None:
    """The package's public names and what transports over HTTP share; else their own modules."""
    for path in modules("builtin"):
        for module, name in imports(path):
            ours = module.startswith("dispatcher.builtin")
            public = module == "dispatcher" and name in dispatcher.__all__
            public = public or module.startswith("dispatcher.http.")
            assert ours or public, f"{path}: from {module} import {name}"


def test_import_contracts_hold() -> None:
    """Those of pyproject.toml, which follow indirect imports too."""
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
    ]
    checked = subprocess.run(
        [*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


SLOW = (
    "pydantic",
    "pydantic_settings",
    "requests",
    "rich",
    "jinja2",
    "psycopg",
    "starlette",
    "uvicorn",
    "tenacity",
)
ASK = f"""
import sys
from dispatcher import cli

code = cli.run(sys.argv[1:])
print(code, *[name for name in {SLOW} if name in sys.modules], file=sys.stderr)
"""


@cases(
    "arguments, loaded",
    (["--version"], []),
    (["validate", "1-hello.toml", "3-media.toml"], ["pydantic", "pydantic_settings"]),
    (["validate"], ["pydantic", "pydantic_settings", "jinja2"]),
    (["--help"], ["pydantic"]),
    (["schema"], ["pydantic", "pydantic_settings"]),
    (["plugins"], ["pydantic"]),
    (["plan", "1-hello.toml"], ["pydantic", "pydantic_settings"]),
    ids=" ".join,
)
def test_command_loads_nothing_slow_that_it_does_not_need(
    tmp_path: Path, arguments: list[str], loaded: list[str]
) -> None:
    (tmp_path / "dispatcher.toml").write_text(f'manifests = "{ROOT / "manifests"}"')
    paths = [
        str(ROOT / "manifests" / each) if each.endswith(".toml") else each for each in arguments
    ]
    asked = subprocess.run(
        [sys.executable, "-c", ASK, *paths],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stderr.splitlines()[-1].split() == ["0", *loaded]
