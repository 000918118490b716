"""The inbox with as many messages as are kept."""

import http.client
import json
from urllib.parse import urlsplit

from playwright.sync_api import expect

from dispatcher.sandbox.process import SandboxProcess

from .conftest import NewPage

BUBBLES = "document.querySelectorAll('.bubble').length"
ELEMENTS = "document.querySelectorAll('*').length"


def fill(inbox: SandboxProcess, count: int) -> None:
    """So many messages, to a person each fifty of them."""
    connection = http.client.HTTPConnection(str(urlsplit(inbox.url).netloc))
    for number in range(count):
        body = {"to": f"7900{number // 50:07}", "text": {"body": f"*message* {number}."}}
        headers = {"Authorization": "Bearer x"}
        connection.request("POST", "/v1/messages", json.dumps(body), headers)
        connection.getresponse().read()
    connection.close()


def test_of_ten_thousand_messages_a_page_has_the_newest(
    inbox: SandboxProcess, new_page: NewPage
) -> None:
    """So it is as small, and as quick to load, as the page of a few."""
    fill(inbox, 10_000)
    page = new_page()
    assert page.evaluate(BUBBLES) == 25
    assert page.evaluate(ELEMENTS) < 5_000
    page.get_by_role("searchbox").fill("* 4321.")
    expect(page.get_by_role("log")).to_contain_text("message 4321.")
