"""What makes the usual run fast must give what the long way gives."""

from __future__ import annotations

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
