"""What makes the usual run fast must give what the long way gives."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher import Image, Message, Provider, Text
from dispatcher.registry import installed


def test_constructed_models_are_as_validated_ones() -> None:
    values: dict[str, Any] = {
        "transport": "t",
        "key": "k",
        "manifest": "m",
        "id": "i",
        "to": "7900",
        "recipient_type": "individual",
        "type": "image",
    }
    image = Image.model_construct(link="l", provider=Provider.model_construct(name="p"))
    constructed = Message.model_construct(**values, image=image)
    validated = Message(**values, image=Image(link="l", provider=Provider(name="p")))
    assert constructed == validated
    assert repr(constructed) == repr(validated)
    assert list(constructed) == list(validated)
    assert constructed.model_fields_set == validated.model_fields_set
    assert constructed.model_dump() == validated.model_dump()
    assert constructed.model_copy(update={"to": "7901"}).to == "7901"
    with pytest.raises(ValidationError):
        constructed.to = "7901"  # type: ignore[misc]
    assert Message.model_construct(**values).vars is not Message.model_construct(**values).vars
    assert hash(Text.model_construct(body="x")) == hash(Text(body="x"))


@pytest.mark.parametrize(
    ("metadata", "text", "expected"),
    [
        ("other-1.dist-info", "[console_scripts]\nx = y:z\n", False),
        ("plugin-1.dist-info", "[console_scripts]\nx = y:z\n[dispatcher]\nx = y\n", True),
        ("plugin.egg-info", "[dispatcher]\nx = y\n", True),
        ("plugin", "[dispatcher]\nx = y\n", False),
    ],
)
def test_entry_points_are_found_in_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metadata: str, text: str, expected: bool
) -> None:
    (tmp_path / metadata).mkdir()
    (tmp_path / metadata / "entry_points.txt").write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "nowhere")])
    assert installed._may_exist() is expected
    assert bool(list(installed.entry_points())) is expected


def test_entry_points_in_an_archive_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("plugin-1.dist-info/METADATA", "Name: plugin\nVersion: 1\n")
        archive.writestr("plugin-1.dist-info/entry_points.txt", "[dispatcher]\nx = y\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "all.zip")])
    assert [each.name for each in installed.entry_points()] == ["x"]


def test_whoever_finds_distributions_in_other_ways_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Finder:
        def find_distributions(self, context: object = None) -> Iterator[Any]:
            return iter(())

        def find_spec(self, *arguments: object) -> None:
            return None

    monkeypatch.setattr(sys, "path", [])
    assert not installed._may_exist()
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert installed._may_exist()


SLOW = ("pydantic_settings", "asyncio", "concurrent.futures")
ASK = f"""
import sys
from dispatcher import cli

cli.run(["validate", "--no-plugins", "m.toml"])
print(*[name for name in {SLOW} if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("environment", "loaded"), [({}, ""), ({"GREENAPI_TOKEN": "x"}, "pydantic_settings")]
)
def test_settings_are_loaded_only_when_there_are_any(
    tmp_path: Path, environment: dict[str, str], loaded: str
) -> None:
    text = 'manifest = 1\n[[messages]]\nid = "a"\nto = "79001234567"\ntext.body = "x"\n'
    (tmp_path / "m.toml").write_text(text)
    asked = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded in asked.stdout
    assert bool(loaded) == bool(asked.stdout.strip())
