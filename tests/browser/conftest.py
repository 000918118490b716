"""A real Chromium, and the pages it shows."""

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from dispatcher.sandbox.process import SandboxProcess
from tests.support.requirements import require

Arrive: TypeAlias = Callable[..., str]
NewPage: TypeAlias = Callable[..., Page]
Upload: TypeAlias = Callable[[bytes, str, str], str]

CHROMIUM = "/usr/bin/chromium"
QUIETLY = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    require(shutil.which(CHROMIUM), f"{CHROMIUM} (Debian's package chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIETLY)
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Browser, inbox: SandboxProcess) -> Iterator[NewPage]:
    """Open a page, the inbox if no other is named, in a browser of its own.

    No script of any may fail, none may load from afar.
    """
    contexts, complaints = [], []

    def open_page(url: str = inbox.url, **options: Any) -> Page:
        size = {"width": 1200, "height": 800}
        context = chromium.new_context(**{"viewport": size, "locale": "en-GB"} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(origin) else complaints.append(asked.url),
        )
        origin = "/".join(url.split("/")[:3])
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """The open inbox, with nothing in it yet."""
    return new_page()


@pytest.fixture
def arrive(inbox: SandboxProcess) -> Arrive:
    """Post a text, or a message without its recipient, as any program may; its id."""

    def arrive(content: Any, to: str = "79001234567", **headers: str) -> str:
        message = {"text": {"body": content}} if isinstance(content, str) else content
        answer = ask(inbox, "/v1/messages", {"to": to} | message, **headers)
        return str(answer["messages"][0]["id"])

    return arrive


def ask(inbox: SandboxProcess, path: str, body: Any, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(inbox.url + path, content, {"Authorization": "Bearer x", **headers})
    with build_opener(ProxyHandler({})).open(request) as answer:
        return json.load(answer)


@pytest.fixture
def upload(inbox: SandboxProcess) -> Upload:
    """Upload a file of this extension and type; its id."""

    def upload(content: bytes, extension: str, content_type: str) -> str:
        headers = {"X-Gr-File-Extension": extension, "Content-Type": content_type}
        return str(ask(inbox, "/v1/media", content, **headers)["media"][0]["id"])

    return upload
