"""The contract of transformers, kept by the configured plugin."""

from __future__ import annotations

from dispatcher.testing import TransformerContract, message
from dispatcher_utm import Utm, UtmSettings

LINK = "https://shop.example/?a=1"
TAGGED = f"{LINK}&utm_source=wa&utm_campaign=manifest-message"


class TestUtm(TransformerContract):
    plugin = Utm(
        UtmSettings(source="wa", campaign="{manifest}-{message}", domains=("shop.example",))
    )
    cases = (
        ({"text": {"body": f"See {LINK}."}}, {"text": {"body": f"See {TAGGED}."}}),
        ({"image": {"id": "1", "caption": LINK}}, {"image": {"id": "1", "caption": TAGGED}}),
        ({"to": "ops", "text": LINK}, {"to": "ops", "text": TAGGED}),
        (
            {"text": {"body": LINK}},
            {"text": {"body": f"{LINK}&utm_source=wa&utm_campaign=sale-m1"}},
            message(manifest="sale", id="m1"),
        ),
    )
    untouched = (
        {"text": {"body": "no link"}},
        {"text": {"body": "https://other.example/"}},
        {"image": {"link": LINK}},
        {"document": {"id": LINK, "filename": LINK}},
    )
    idempotent = True


class TestWithoutConfiguration(TransformerContract):
    plugin = Utm(UtmSettings())
    cases = (({"text": {"body": LINK}}, {"text": {"body": LINK}}),)
    untouched = ({"image": {"link": LINK, "caption": LINK}},)
    idempotent = True
