"""The inbox with as many messages as are kept."""

import http.client
import json
import math
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from dispatcher.sandbox.process import SandboxProcess

from .conftest import NewPage
from .waiting import wait_until

FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def fill(inbox: SandboxProcess, count: int) -> None:
    """So many messages, to a person each fifty of them."""
    connection = http.client.HTTPConnection(str(urlsplit(inbox.url).netloc))
    for number in range(count):
        body = {"to": f"7900{number // 50:07}", "text": {"body": f"*message* {number}."}}
        headers = {"Authorization": "Bearer x"}
        connection.request("POST", "/v1/messages", json.dumps(body), headers)
        connection.getresponse().read()
    connection.close()


def first_paint(page: Page) -> float:
    """Load a page anew; milliseconds from the request."""
    page.reload()
    wait_until(page, FIRST_PAINT)
    return float(page.evaluate(FIRST_PAINT))


def test_ten_thousand_messages_are_shown_as_soon_as_a_full_page(
    inbox: SandboxProcess, new_page: NewPage
) -> None:
    """The best of several times counts, of more on a machine that has other work."""
    with SandboxProcess() as other:
        fill(other, 10)
        fill(inbox, 10_000)
        page, small = new_page(), new_page(other.url)
        few = many = math.inf
        for number in range(40):
            few, many = min(few, first_paint(small)), min(many, first_paint(page))
            if number >= 8 and many <= 2 * few:
                break

    assert many <= 2 * few, f"{many:.0f} ms with 10,000 messages, {few:.0f} ms with 10"
    page.get_by_role("searchbox").fill("* 4321.")
    expect(page.get_by_role("log")).to_contain_text("message 4321.")
