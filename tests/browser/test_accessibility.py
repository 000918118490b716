"""axe-core, which knows the rules of accessible pages, finds nothing to complain about."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.error import HTTPError

import pytest
from playwright.sync_api import Page, expect

from dispatcher.sandbox.process import SandboxProcess
from tests.support.project import EXAMPLES, Project, text
from tests.support.requirements import require

from .conftest import Arrive, NewPage, Upload

VERSION = "4.10.3"
SCHEMES = ["light", "dark"]


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's script; kept from one run of the tests to the next."""
    require(shutil.which("npm"), "npm")
    cache = Path(tempfile.gettempdir()) / f"dispatcher-tests-{os.getuid()}" / f"axe-{VERSION}"
    script = cache / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        cache.mkdir(parents=True, exist_ok=True)
        install = ["npm", "install", "--no-audit", "--no-fund", f"axe-core@{VERSION}"]
        npm = subprocess.run([*install, "--prefix", str(cache)], capture_output=True, text=True)
        require(npm.returncode == 0, f"axe-core from npm's registry: {npm.stderr[-500:]}")
    return script.read_text(encoding="utf-8")


@pytest.fixture
def filled(inbox: SandboxProcess, arrive: Arrive, upload: Upload) -> str:
    """An inbox with every kind of message; the id of the last."""
    image = upload((EXAMPLES / "files/shop.jpg").read_bytes(), "jpg", "image/jpeg")
    video = upload((EXAMPLES / "files/tour.mp4").read_bytes(), "mp4", "video/mp4")
    audio = upload((EXAMPLES / "files/greeting.mp3").read_bytes(), "mp3", "audio/mpeg")
    document = upload((EXAMPLES / "files/prices.pdf").read_bytes(), "pdf", "application/pdf")
    arrive("to a group", "79001234567-1581234048")
    arrive({"type": "image", "image": {"id": image}})
    arrive({"type": "video", "video": {"id": video, "caption": "_a tour_"}})
    arrive({"type": "audio", "audio": {"id": audio}})
    arrive({"type": "document", "document": {"id": document, "filename": "Prices.pdf"}})
    link = {"link": "https://e.com/a.png", "provider": {"name": "cdn"}}
    arrive({"type": "image", "image": link})
    arrive("> *quote* `code` https://e.com\n- item\n1. one\n```\na block\n```")
    inbox.faults([{"fault": "delay", "delay": 0}])
    with pytest.raises(HTTPError) as refused:
        arrive("to nobody", "nobody")
    refused.value.close()
    return arrive("שלום")


def complaints(page: Page, axe: str) -> list[str]:
    page.evaluate("() => Promise.all(document.getAnimations().map(each => each.finished))")
    page.evaluate(axe)
    found = page.evaluate("axe.run()")["violations"]
    return [f"{each['id']}: {[node['html'][:200] for node in each['nodes']]}" for each in found]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1200, 360])
def test_inbox(
    scheme: str, width: int, axe: str, filled: str, inbox: SandboxProcess, new_page: NewPage
) -> None:
    size = {"width": width, "height": 800}
    page = new_page(f"{inbox.url}/?chat=79001234567", color_scheme=scheme, viewport=size)
    assert complaints(page, axe) == []
    page.goto(inbox.url)
    assert complaints(page, axe) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_dialogs(scheme: str, axe: str, filled: str, new_page: NewPage) -> None:
    page = new_page(color_scheme=scheme)
    page.get_by_role("button", name="Faults").click()
    page.get_by_role("switch", name="Slow").click()
    expect(page.get_by_role("switch", name="Slow")).to_be_checked()
    page.wait_for_timeout(200)
    assert complaints(page, axe) == []
    page.keyboard.press("Escape")
    page.get_by_role("link", name=f"Details of message {filled}").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert complaints(page, axe) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_other_pages(
    scheme: str, axe: str, filled: str, inbox: SandboxProcess, new_page: NewPage
) -> None:
    page = new_page(f"{inbox.url}/help", color_scheme=scheme)
    assert complaints(page, axe) == []
    page.goto(f"{inbox.url}/inbox/messages/{filled}")
    assert complaints(page, axe) == []
    page.goto(f"{inbox.url}/inbox/refused")
    assert complaints(page, axe) == []
    inbox.clear()
    page.goto(inbox.url)
    assert complaints(page, axe) == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1200, 360])
def test_preview(scheme: str, width: int, axe: str, project: Project, new_page: NewPage) -> None:
    shutil.copytree(EXAMPLES, project.folder / "manifests")
    project.manifest('[[messages]]\nid = "m"\nto = "79001234567"\naudio.source = "missing.mp3"')
    with project.preview() as url:
        size = {"width": width, "height": 800}
        page = new_page(f"{url}/?chat=79001234567", color_scheme=scheme, viewport=size)
        expect(page.get_by_text("no such file")).to_have_count(1)
        assert complaints(page, axe) == []
        page.goto(url)
        assert complaints(page, axe) == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1200, 360])
def test_report(scheme: str, width: int, axe: str, project: Project, new_page: NewPage) -> None:
    project.manifest(text("a", ["79001234567", "79001234568"]) + text("b"))
    project.inbox.faults([{"fault": "refuse", "to": "79001234568"}])
    project.call("send")
    project.call("report", "--html", "report.html")
    size = {"width": width, "height": 800}
    # Its policy forbids the very script that examines it.
    page = new_page(
        (project.folder / "report.html").as_uri(),
        color_scheme=scheme,
        viewport=size,
        bypass_csp=True,
    )
    expect(page.get_by_role("heading", name="Run default")).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    assert complaints(page, axe) == []
