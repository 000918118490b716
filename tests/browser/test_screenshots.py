"""The pictures of the README, made anew: `python -m pytest tests/browser --screenshots`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dispatcher.sandbox.process import SandboxProcess

IMAGES = Path(__file__).parents[2] / "docs" / "images"
LARGEST = 120_000
ORDER = (
    "*Hello* _Anna_ 😃\nYour order `#1042` is ready:\n- 2 × coffee\n- 1 × ~tea~ cocoa\n"
    "> See you soon!\nhttps://shop.example.com/orders/1042"
)


@pytest.fixture
def shop(
    arrive: Callable[..., str],
    upload: Callable[[bytes, str, str], str],
    manifests: Callable[[str], bytes],
) -> None:
    """A conversation to look at."""
    prices = upload(manifests("files/prices.pdf"), "pdf", "application/pdf")
    photo = upload(manifests("files/shop.jpg"), "jpg", "image/jpeg")
    arrive("The shop opens at *nine*.", "79001234567-1581234048")
    arrive("Thank you for your visit!", "79007654321")
    arrive({"type": "image", "image": {"id": photo, "caption": "We have moved"}})
    document = {"id": prices, "filename": "Prices.pdf", "caption": "Spring prices"}
    arrive({"type": "document", "document": document})
    arrive(ORDER)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_inbox(
    scheme: str,
    shop: None,
    inbox: SandboxProcess,
    new_page: Callable[..., Page],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    size = {"width": 960, "height": 640}
    page = new_page(inbox.url, color_scheme=scheme, viewport=size, timezone_id="UTC")
    expect(page.get_by_role("blockquote")).to_be_in_viewport()
    page.wait_for_timeout(300)
    # The same picture every time: no ids, and one hour.
    page.evaluate(
        "() => { for (const id of document.querySelectorAll('.message-id')) id.remove();"
        " for (const time of document.querySelectorAll('time')) time.textContent = '09:30'; }"
    )
    folder = IMAGES if request.config.getoption("--screenshots") else tmp_path
    page.screenshot(path=folder / f"inbox-{scheme}.png", animations="disabled")

    assert (folder / f"inbox-{scheme}.png").stat().st_size < LARGEST
    assert (IMAGES / f"inbox-{scheme}.png").exists()
