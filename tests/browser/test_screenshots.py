"""The pictures of the README, made anew: `python -m pytest tests/browser --screenshots`."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.project import EXAMPLES, Project

from .conftest import Arrive, NewPage, Upload

IMAGES = Path(__file__).parents[2] / "docs" / "images"
LARGEST = 120_000
ORDER = (
    "*Hello* _Anna_ 😃\nYour order `#1042` is ready:\n- 2 × coffee\n- 1 × ~tea~ cocoa\n"
    "> See you soon!\nhttps://shop.example.com/orders/1042"
)


BAD = """[[messages]]
id = "news"
to = "79001234567"
text.body = "Our *radio spot* is out!"

[[messages]]
id = "radio-spot"
to = "79001234567"
[messages.audio]
source = "files/greeting.mp3"
caption = "Listen"
"""


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where pictures go: into the repository only if that is asked for."""
    return IMAGES if request.config.getoption("--screenshots") else tmp_path


@pytest.fixture
def shop(arrive: Arrive, upload: Upload) -> None:
    """A conversation to look at."""
    prices = upload((EXAMPLES / "files/prices.pdf").read_bytes(), "pdf", "application/pdf")
    photo = upload((EXAMPLES / "files/shop.jpg").read_bytes(), "jpg", "image/jpeg")
    arrive("The shop opens at *nine*.", "79001234567-1581234048")
    arrive("Thank you for your visit!", "79007654321")
    arrive({"type": "image", "image": {"id": photo, "caption": "We have moved"}})
    document = {"id": prices, "filename": "Prices.pdf", "caption": "Spring prices"}
    arrive({"type": "document", "document": document})
    arrive(ORDER)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_inbox(scheme: str, shop: None, new_page: NewPage, folder: Path) -> None:
    size = {"width": 960, "height": 640}
    page = new_page(color_scheme=scheme, viewport=size, timezone_id="UTC")
    expect(page.get_by_role("blockquote")).to_be_in_viewport()
    page.wait_for_timeout(300)
    # The same picture every time: no ids, and one hour.
    page.evaluate(
        "() => { for (const id of document.querySelectorAll('.message-id')) id.remove();"
        " for (const time of document.querySelectorAll('time')) time.textContent = '09:30'; }"
    )
    take(page, f"inbox-{scheme}.png", folder)


def test_preview(project: Project, new_page: NewPage, folder: Path) -> None:
    shutil.copytree(EXAMPLES, project.folder / "manifests")
    project.manifest(BAD, "manifests/5-bad.toml")
    with project.preview() as url:
        size = {"width": 960, "height": 640}
        page = new_page(f"{url}/?chat=79001234567", viewport=size)
        page.get_by_text("caption is not allowed").scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        take(page, "preview.png", folder)


def take(page: Page, name: str, folder: Path) -> None:
    page.screenshot(path=folder / name, animations="disabled")
    assert (folder / name).stat().st_size < LARGEST
    assert (IMAGES / name).exists()
