"""The inbox in a browser: what people see and do."""

import re
from urllib.error import HTTPError

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.project import EXAMPLES, Project

from .conftest import Arrive, NewPage, Upload
from .waiting import wait_until

PERSON, OTHER = "79001234567", "79007654321"
GROUP = "79001234567-1581234048"


def bubbles(page: Page) -> Locator:
    return page.get_by_role("log").get_by_role("listitem").and_(page.locator(".bubble"))


def chats(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Chats").get_by_role("link")


def style(element: Locator, name: str) -> str:
    return str(element.evaluate("(it, name) => getComputedStyle(it)[name]", name))


def test_what_send_sends_appears_by_itself(page: Page, project: Project) -> None:
    project.texts("hello")
    loaded = page.evaluate("performance.timeOrigin")
    expect(page.get_by_role("heading", name="Nothing has arrived yet")).to_be_visible()

    assert project.call("send").code == 0

    expect(bubbles(page)).to_contain_text(["I am hello"])
    expect(chats(page)).to_contain_text(["+79001234567"])
    assert page.evaluate("performance.timeOrigin") == loaded


def test_all_of_a_burst_appear_once_and_the_newest_is_in_sight(page: Page, arrive: Arrive) -> None:
    for number in range(20):
        arrive(f"message {number}.")

    expect(bubbles(page)).to_have_count(20)
    expect(bubbles(page)).to_contain_text([f"message {number}." for number in range(20)])
    expect(bubbles(page).last).to_be_in_viewport()


def test_earlier_messages_come_when_asked_for(new_page: NewPage, arrive: Arrive) -> None:
    for number in range(60):
        arrive(f"message {number}.")
    page = new_page()
    expect(bubbles(page)).to_have_count(25)

    page.get_by_role("link", name="Earlier messages").click()
    expect(bubbles(page)).to_have_count(50)
    page.get_by_role("link", name="Earlier messages").click()

    expect(bubbles(page)).to_contain_text([f"message {number}." for number in range(60)])
    expect(page.get_by_role("link", name="Earlier messages")).to_have_count(0)


def test_comes_back_after_the_server_was_gone(new_page: NewPage) -> None:
    with SandboxProcess() as first:
        port = first.url.rpartition(":")[2]
        page = new_page(first.url)
        expect(page.get_by_text("waiting for it")).to_be_hidden()
    expect(page.get_by_text("waiting for it")).to_be_visible()
    with SandboxProcess("--port", port) as second:
        assert second.url == first.url
        expect(page.get_by_text("waiting for it")).to_be_hidden()


def test_persons_and_groups_are_told_apart(page: Page, arrive: Arrive) -> None:
    arrive("to one")
    arrive("to all", GROUP)

    expect(page.get_by_role("link", name=f"Person +{PERSON}")).to_be_visible()
    expect(page.get_by_role("link", name=f"Group {GROUP}")).to_be_visible()


def test_unread_marks_go_when_the_chat_is_opened(page: Page, arrive: Arrive) -> None:
    arrive("read at once")
    expect(bubbles(page)).to_have_count(1)
    arrive("one", OTHER)
    arrive("two", OTHER)
    other = page.get_by_role("link", name=f"+{OTHER}")
    expect(other).to_contain_text("2 unread")
    expect(page).to_have_title(re.compile(r"^\(2\)"))

    other.click()

    expect(bubbles(page)).to_contain_text(["one", "two"])
    expect(page.get_by_text("unread")).to_have_count(0)
    expect(page).to_have_title(re.compile("^Sandbox"))


def test_formatting_is_seen(page: Page, arrive: Arrive) -> None:
    arrive("*bold* _italic_ ~strike~ `code` https://example.com/_a_/\n> quoted\n- item\n7. seven")
    arrive("שלום עולם")

    assert int(style(page.get_by_text("bold", exact=True), "fontWeight")) >= 600
    assert style(page.get_by_text("italic", exact=True), "fontStyle") == "italic"
    assert "line-through" in style(page.get_by_text("strike", exact=True), "textDecoration")
    assert "monospace" in style(page.get_by_text("code", exact=True), "fontFamily")
    link = page.get_by_role("link", name="https://example.com/_a_/")
    assert link.get_attribute("href") == "https://example.com/_a_/"
    expect(page.get_by_role("blockquote")).to_have_text("quoted")
    assert style(page.get_by_text("שלום עולם").last, "direction") == "rtl"
    assert style(page.get_by_text("quoted").last, "direction") == "ltr"


def test_an_image_is_shown(page: Page, arrive: Arrive, upload: Upload) -> None:
    id = upload((EXAMPLES / "files/shop.jpg").read_bytes(), "jpg", "image/jpeg")
    arrive({"type": "image", "image": {"id": id, "caption": "our *shop*"}})

    image = page.get_by_role("img", name="Image")
    expect(image).to_be_visible()
    wait_until(page, "document.querySelector('#messages img').naturalWidth > 0")
    caption = page.get_by_role("log").get_by_text("our shop")
    expect(caption).to_be_visible()
    assert caption.bounding_box()["y"] > image.bounding_box()["y"]


@cases(
    "kind, file, content_type",
    ("video", "tour.mp4", "video/mp4"),
    ("audio", "greeting.mp3", "audio/mpeg"),
)
def test_video_and_audio_play(
    kind: str, file: str, content_type: str, page: Page, arrive: Arrive, upload: Upload
) -> None:
    id = upload((EXAMPLES / f"files/{file}").read_bytes(), file.rpartition(".")[2], content_type)
    arrive({"type": kind, kind: {"id": id}})

    player = page.locator(f"#messages {kind}")
    expect(player).to_be_visible()
    player.evaluate("player => { player.muted = true; return player.play(); }")
    wait_until(page, f"document.querySelector('#messages {kind}').currentTime > 0")


def test_a_document_has_name_type_and_size(page: Page, arrive: Arrive, upload: Upload) -> None:
    id = upload(b"%PDF-" + b"x" * 2495, "pdf", "application/pdf")
    document = {"id": id, "filename": "Prices.pdf", "caption": "Spring"}
    arrive({"type": "document", "document": document})

    expect(bubbles(page)).to_contain_text("Prices.pdf")
    expect(bubbles(page)).to_contain_text("PDF · 2.5 kB")
    expect(bubbles(page)).to_contain_text("Spring")
    with page.expect_download() as download:
        page.get_by_role("link", name="Prices.pdf").click()
    assert download.value.suggested_filename == "Prices.pdf"


def test_a_link_is_shown_with_its_provider_and_not_loaded(page: Page, arrive: Arrive) -> None:
    link = "https://cdn.example.com/banner.png"
    arrive({"type": "image", "image": {"link": link, "provider": {"name": "cdn-1"}}})

    expect(page.get_by_role("link", name="banner.png")).to_have_attribute("href", link)
    expect(bubbles(page)).to_contain_text("provider cdn-1")
    expect(bubbles(page)).to_contain_text("Fetched by the gateway from cdn.example.com")


def test_search(page: Page, arrive: Arrive) -> None:
    arrive("Straße *und Brücke*")
    arrive("something else")
    arrive("hello", OTHER)
    search = page.get_by_role("searchbox")

    search.fill("STRASSE")
    expect(chats(page)).to_have_count(1)
    expect(bubbles(page)).to_have_text([re.compile("Straße")])

    search.fill("+7 900 765-43-21")
    expect(bubbles(page)).to_have_text([re.compile("hello")])

    search.fill("straße und brücke")
    expect(bubbles(page)).to_have_text([re.compile("Brücke")])

    search.fill("no such thing")
    expect(page.get_by_text("Nothing matches.", exact=True)).to_be_visible()

    search.fill("")
    expect(chats(page)).to_have_count(2)


def test_search_by_type(page: Page, arrive: Arrive) -> None:
    arrive("a text")
    arrive({"type": "audio", "audio": {"link": "https://e.com/a.mp3"}})

    page.get_by_label("Type of message").select_option("audio")

    expect(bubbles(page)).to_have_text([re.compile("a.mp3")])

    page.get_by_label("Type of message").press("ArrowUp")
    expect(page.get_by_label("Type of message")).to_have_value("video")
    expect(page.get_by_text("Nothing matches.", exact=True)).to_be_visible()


def test_what_was_asked_for_before_the_search_is_not_mixed_with_its_results(
    page: Page, arrive: Arrive
) -> None:
    arrive({"type": "audio", "audio": {"link": "https://e.com/a.mp3"}})
    expect(bubbles(page)).to_have_count(1)
    late: list[Route] = []
    page.route(lambda url: "chat=" in url and "type=" not in url, lambda route: late.append(route))
    with page.expect_request(lambda request: "chat=" in request.url):
        arrive("a text")

    page.get_by_label("Type of message").select_option("audio")
    expect(page).to_have_url(re.compile("type=audio"))
    page.wait_for_timeout(200)
    for route in late:
        route.continue_()
    arrive({"type": "audio", "audio": {"link": "https://e.com/b.mp3"}})

    expect(bubbles(page)).to_have_text([re.compile("a.mp3"), re.compile("b.mp3")])


def test_details(page: Page, arrive: Arrive, inbox: SandboxProcess) -> None:
    id = arrive("look closely")

    page.get_by_role("link", name=f"Details of message {id}").click()

    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text('"body": "look closely"')
    expect(dialog).to_contain_text("user-agent")
    expect(dialog).to_contain_text("Bearer ***")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog.get_by_role("button", name="Copy As curl").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl {inbox.url}/v1/messages")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_what_the_gateway_refuses_is_shown_and_why(page: Page, arrive: Arrive) -> None:
    refuse(arrive, "x" * 5000)
    expect(page.get_by_role("link", name="The gateway refused 1 request")).to_be_visible()
    refuse(arrive, "hello", to="somebody")
    page.get_by_role("link", name="The gateway refused 2 requests").press("Enter")

    dialog = page.get_by_role("dialog", name="Refused requests")
    reasons = dialog.get_by_role("heading", level=2)
    expect(reasons).to_contain_text(["1021: to must be digits", "1032: text.body has 5000"])
    expect(dialog).to_contain_text('"to": "somebody"')
    page.keyboard.press("Escape")
    page.once("dialog", lambda question: question.accept())
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_role("link", name="The gateway refused")).to_have_count(0)


def refuse(arrive: Arrive, text: str, **options: str) -> None:
    with pytest.raises(HTTPError) as refused:
        arrive(text, **options)
    refused.value.close()


def test_clear_all(page: Page, arrive: Arrive, inbox: SandboxProcess) -> None:
    arrive("to be forgotten")
    expect(bubbles(page)).to_have_count(1)
    clear = page.get_by_role("button", name="Clear all")

    page.once("dialog", lambda question: question.dismiss())
    clear.click()
    assert len(inbox.messages()) == 1

    page.once("dialog", lambda question: question.accept())
    clear.click()
    expect(page.get_by_role("heading", name="Nothing has arrived yet")).to_be_visible()
    assert inbox.messages() == []


def lightness(page: Page) -> float:
    channels = re.findall(r"[\d.]+", style(page.locator("body"), "backgroundColor"))
    return sum(map(float, channels[:3])) / (3 * 255)


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_light_or_dark_as_the_system_is(scheme: str, is_dark: bool, new_page: NewPage) -> None:
    page = new_page(color_scheme=scheme)

    assert (lightness(page) < 0.5) == is_dark


def test_light_or_dark_by_the_switch(page: Page) -> None:
    seen = []
    for _ in range(3):
        page.get_by_role("button", name="Theme:").click()
        seen.append(page.get_by_role("button", name="Theme:").get_attribute("aria-label"))
        page.reload()
        assert (lightness(page) < 0.5) == (seen[-1] == "Theme: dark")

    assert seen == ["Theme: light", "Theme: dark", "Theme: system"]


def test_by_keyboard_alone(page: Page, arrive: Arrive) -> None:
    arrive("to the first")
    id = arrive("to the second", OTHER)
    expect(chats(page)).to_have_count(2)

    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("second")
    expect(chats(page)).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    button = page.get_by_role("button", name="Search")
    expect(button).to_be_focused()
    assert button.bounding_box()["width"] > 24
    page.keyboard.press("Tab")
    expect(chats(page).first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"+{OTHER}")).to_be_visible()
    detail = page.get_by_role("link", name=f"Details of message {id}")
    detail.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(detail).to_be_focused()


def test_arrows_walk_along_the_chats(page: Page, arrive: Arrive) -> None:
    arrive("one")
    arrive("two", OTHER)
    expect(chats(page)).to_have_count(2)

    chats(page).first.focus()
    page.keyboard.press("ArrowDown")
    expect(chats(page).nth(1)).to_be_focused()
    arrive("three", OTHER)
    expect(chats(page).first).to_contain_text("three")
    expect(chats(page).nth(1)).to_be_focused()


def test_on_a_phone(new_page: NewPage, arrive: Arrive) -> None:
    arrive("hello " * 50)
    arrive("https://example.com/" + "x" * 300, OTHER)
    page = new_page(viewport={"width": 360, "height": 640}, has_touch=True)

    expect(chats(page)).to_have_count(2)
    expect(page.get_by_role("log")).to_be_hidden()
    page.get_by_role("link", name=f"+{OTHER}").tap()
    expect(page.get_by_role("log")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for button in page.get_by_role("button").all():
        assert not button.is_visible() or button.bounding_box()["height"] >= 24
    page.get_by_role("link", name="Back to the chats").tap()
    expect(chats(page)).to_have_count(2)


def test_without_scripts(new_page: NewPage, arrive: Arrive) -> None:
    id = arrive("a *plain* page")
    page = new_page(java_script_enabled=False)

    expect(bubbles(page)).to_contain_text("a plain page")
    page.get_by_role("link", name=f"Details of message {id}").click()
    expect(page.get_by_role("heading", name=f"Message {id}")).to_be_visible()
