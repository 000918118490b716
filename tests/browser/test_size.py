"""The inbox with as many messages as are kept."""

import json
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page, expect

from dispatcher.sandbox.database import Database
from dispatcher.sandbox.process import SandboxProcess
from dispatcher.sandbox.store import Store

from .conftest import NewPage
from .waiting import wait_until

FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def filled(file: Path, count: int) -> SandboxProcess:
    """A sandbox with so many messages, to a person each fifty of them."""
    with closing(Database(file)) as database:
        store = Store(database)
        for number in range(count):
            to = f"7900{number // 50:07}"
            body = {"to": to, "text": {"body": f"*message* {number}."}}
            store.add(to, "text", json.dumps(body), [])
    return SandboxProcess("--storage", str(file))


def first_paint(page: Page) -> float:
    """Milliseconds from the request; the best of several times, as the machine has other work."""
    found = []
    for _ in range(8):
        page.reload()
        wait_until(page, FIRST_PAINT)
        found.append(float(page.evaluate(FIRST_PAINT)))
    return min(found)


def test_ten_thousand_messages_are_shown_as_soon_as_a_full_page(
    tmp_path: Path, new_page: NewPage
) -> None:
    with filled(tmp_path / "few.db", 10) as inbox:
        few = first_paint(new_page(inbox.url))
    with filled(tmp_path / "many.db", 10_000) as inbox:
        page = new_page(inbox.url)
        many = first_paint(page)

        assert many <= 2 * few, f"{many:.0f} ms with 10,000 messages, {few:.0f} ms with 10"
        page.get_by_role("searchbox").fill("* 4321.")
        expect(page.get_by_role("log")).to_contain_text("message 4321.")
