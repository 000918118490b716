"""What makes the usual run fast must give what the long way gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher import Image, Message, Provider, Text


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
