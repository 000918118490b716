"""A payload → what its bubble shows, whatever the payload."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.bubbles import Bubble
from dispatcher.bubbles.bubble import LONGEST, File, bubble_of, shown_payload, summary_of
from dispatcher.bubbles.bubble import shown as shown_bubble
from dispatcher.bubbles.formatting import size
from dispatcher.bubbles.pages import render
from tests.support.cases import cases

PDF = File("/inbox/media/a", "application/pdf", 12_345, "a.pdf")
FILES = {"pdf": PDF, "png": File("/inbox/media/b", "image/png", 5, "b.png")}
XSS = "<img src=x onerror=alert(1)>"


def shown(payload: object) -> str:
    return render("one_bubble.html", bubble=shown_payload(payload, FILES.get))


def test_text() -> None:
    bubble = shown_payload({"to": "7", "text": {"body": "a *b*\nc"}}, FILES.get)

    assert (bubble.kind, bubble.file) == ("text", None)
    assert "<b>b</b>" in bubble.text


def test_uploaded_document_has_name_type_and_size() -> None:
    payload = {"type": "document", "document": {"id": "pdf", "filename": "Prices.pdf"}}

    file = shown_payload(payload, FILES.get).file

    assert (file.name, file.details) == ("Prices.pdf", "PDF · 12.3 kB")
    assert (file.url, file.element) == (PDF.url, None)


@cases("id, element", ("png", "image"), ("pdf", None), ("gone", None))
def test_only_images_are_shown_as_images(id: str, element: str | None) -> None:
    bubble = shown_payload({"type": "image", "image": {"id": id, "caption": "_hi_"}}, FILES.get)

    assert bubble.file.element == element
    assert "<i>hi</i>" in bubble.text


def test_a_link_names_its_provider_and_is_not_loaded() -> None:
    link = "https://cdn.example.com/a/Cat%20one.png?x=1"
    payload = {"type": "image", "image": {"link": link, "provider": {"name": "cdn"}}}

    file = shown_payload(payload, FILES.get).file

    assert (file.name, file.provider, file.link) == ("Cat one.png", "cdn", link)
    assert file.url is None
    assert "<img" not in shown(payload)


def test_a_link_that_is_no_web_address_leads_nowhere() -> None:
    assert "href" not in shown({"type": "image", "image": {"link": "javascript:alert(1)"}})


KINDS = ("text", "image", "video", "audio", "document", "sticker")


@cases("kind", *KINDS)
def test_everything_is_escaped(kind: str) -> None:
    fields = ("body", "caption", "filename", "id", "link")
    provider = {"provider": {"name": XSS}}
    for name in fields:
        assert "<img" not in shown({"type": kind, kind: {name: XSS} | provider})
    assert "<img" not in shown({"type": XSS, XSS: {}})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["id", "link", "caption", "filename", "body", "provider", "name"])
PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(KINDS) | JSON,
        **{kind: st.dictionaries(FIELDS, JSON) | JSON for kind in KINDS},
    },
)


@given(PAYLOADS | JSON)
def test_any_payload_has_a_bubble(payload: Any) -> None:
    shown(payload).encode()
    summary_of(bubble_of(payload)).encode()


@cases(
    "payload, words",
    ({"text": {"body": "a *b*\nc"}}, "a *b* c"),
    ({"type": "image", "image": {"id": "x", "caption": "hi"}}, "Image · hi"),
    ({"type": "document", "document": {"id": "x", "filename": "a.pdf"}}, "Document · a.pdf"),
    ({"type": "audio", "audio": {"id": "x"}}, "Audio"),
    ({"type": "poll"}, "Other"),
)
def test_a_summary_has_few_words(payload: object, words: str) -> None:
    assert summary_of(bubble_of(payload)) == words


def test_lines_and_buttons_are_shown_below_the_text() -> None:
    poll = Bubble("Poll", text="*Lunch?*", lines=("yes", XSS), buttons=("Vote",))

    page = render("one_bubble.html", bubble=shown_bubble(poll, "poll", FILES.get))

    assert "<b>Lunch?</b>" in page
    assert re.search(r"<li>yes</li>.*&lt;img.*Vote", page, re.DOTALL)
    assert "<img" not in page
    assert summary_of(poll) == "Poll · *Lunch?*"


@cases(
    "count, words",
    (0, "0 B"),
    (999, "999 B"),
    (1000, "1 kB"),
    (12_345, "12.3 kB"),
    (37_000_000, "37 MB"),
)
def test_sizes_are_for_people(count: int, words: str) -> None:
    assert size(count) == words


@cases(
    "payload",
    {"type": "image", "image": {"id": "x", "caption": "http://a" + ")" * 900_000}},
    {"type": "image", "image": {"id": "x" * 900_000, "caption": "\n" * 900_000}},
    {"type": "document", "document": {"link": "https://e.com/" + "x" * 900_000}},
    {"type": "document", "document": {"link": "https://e.com/", "filename": "x" * 900_000}},
    {"type": "poll", "poll": ["x"] * 300_000},
    {"type": "poll", "poll": "x" * 900_000},
)
def test_a_bubble_of_a_long_message_is_short(payload: object) -> None:
    assert len(shown(payload)) < 40 * LONGEST
    assert len(summary_of(bubble_of(payload))) < 150


def test_a_long_text_says_how_much_of_it_is_left_out() -> None:
    assert "… 7 more characters" in shown({"text": {"body": "x" * (LONGEST + 7)}})
    assert "more characters" not in shown({"text": {"body": "x" * LONGEST}})
