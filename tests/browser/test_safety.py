"""Whatever a message holds, it does nothing in a browser."""

from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from dispatcher.sandbox.process import SandboxProcess

from .conftest import Arrive, NewPage, Upload

EVIL = [
    "<script>window.evil = 1</script>",
    "<img src=x onerror='window.evil = 1'>",
    "<svg onload='window.evil = 1'></svg>",
    '"><img src=x onerror=window.evil=1>',
    "'><iframe srcdoc='<script>parent.evil=1</script>'></iframe>",
    "</style></script></textarea></title><script>window.evil=1</script>",
    "*<b onmouseover=window.evil=1>* `<script>window.evil=1</script>`",
    "```\n</pre><script>window.evil=1</script>\n```",
    'https://e.com/"onmouseover=window.evil=1//',
    "https://e.com/'><script>window.evil=1</script>",
    "javascript:window.evil=1",
    "{{ 7*7 }} ${7*7} <%= 7*7 %> {% raw %}",
    "<!--<img src='--><img src=x onerror=window.evil=1>'>",
    "<base href='https://e.com/'><meta http-equiv=refresh content='0;url=https://e.com'>",
    "\u202e<script>window.evil=1</script>\u2028\u2029",
]


@pytest.fixture
def last(arrive: Arrive, upload: Upload) -> str:
    """Every trap in every place of an inbox; the id of the last message."""
    file = upload(b"<script>window.evil=1</script>", "html", "text/html;<script>window.evil=1")
    for evil in EVIL:
        arrive(evil)
        arrive({"type": "document", "document": {"id": file, "filename": evil, "caption": evil}})
        link = f"https://e.com/{''.join(evil.split())}"
        image = {"link": link, "caption": evil, "provider": {"name": evil}}
        arrive({"type": "image", "image": image})
    return arrive(EVIL[0], **{"X-Evil": EVIL[0], "User-Agent": EVIL[1]})


def assert_harmless(page: Page) -> None:
    page.wait_for_timeout(100)
    assert page.evaluate("window.evil") is None
    assert (
        page.locator("iframe, base, body script, [onload], [onerror], [onmouseover]").count() == 0
    )
    assert page.locator("#messages img").count() == 0
    for href in page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)"):
        assert href.startswith("http")


def test_traps_do_nothing_in_the_inbox(last: str, new_page: NewPage, arrive: Arrive) -> None:
    page = new_page()
    expect(page.get_by_text("<script>window.evil = 1</script>").last).to_be_visible()
    assert_harmless(page)

    arrive(EVIL[1])
    expect(page.get_by_text(EVIL[1]).last).to_be_visible()
    page.get_by_role("link", name="Earlier messages").click()
    assert_harmless(page)

    page.get_by_role("searchbox").fill(EVIL[0])
    expect(page.get_by_text("only what matches the search")).to_be_visible()
    assert_harmless(page)


def test_traps_do_nothing_in_details(last: str, new_page: NewPage, inbox: SandboxProcess) -> None:
    page = new_page()
    page.get_by_role("link", name=f"Details of message {last}").click()
    expect(page.get_by_role("dialog")).to_contain_text(EVIL[1])
    assert_harmless(page)

    page.goto(f"{inbox.url}/inbox/messages/{last}")
    expect(page.get_by_text(EVIL[1])).to_be_visible()
    assert_harmless(page)


def test_a_trap_in_the_address_does_nothing(new_page: NewPage, inbox: SandboxProcess) -> None:
    page = new_page()
    for evil in EVIL:
        query = dict.fromkeys(("q", "chat", "before", "type"), evil)
        page.goto(f"{inbox.url}/?{urlencode(query)}")
        assert_harmless(page)


def test_an_uploaded_page_does_not_run(new_page: NewPage, upload: Upload) -> None:
    page = new_page()
    for extension, kind in (("html", "text/html"), ("svg", "image/svg+xml"), ("png", "image/png")):
        id = upload(b"<script>alert(1)</script><svg onload='alert(1)'/>", extension, kind)
        with page.expect_download():
            page.evaluate("url => { location = url; }", f"/inbox/files/{id}")
