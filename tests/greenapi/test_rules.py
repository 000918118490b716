"""The document's "Параметры запроса", row by row, and payloads that nobody should write."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dispatcher import Link, Problem
from dispatcher.builtin.greenapi.rules import check
from tests.support.cases import cases
from tests.support.greenapi import upload

GROUP = "79001234567-1581234048"
TEXT = {"to": "79001234567", "type": "text", "text": {"body": "x"}}
LINK = {"link": "https://cdn.example/x"}


def _with(**fields: Any) -> dict[str, Any]:
    """The text message with other fields; None takes a field out."""
    return {key: value for key, value in {**TEXT, **fields}.items() if value is not None}


def _media(kind: str, **fields: Any) -> dict[str, Any]:
    return {"to": "79001234567", "type": kind, kind: fields}


@cases(
    "payload",
    TEXT,
    _with(type=None),
    _with(recipient_type="individual"),
    _with(to=GROUP),
    _with(to=GROUP, recipient_type="group"),
    _with(to="1234567"),
    _with(to="123456789012345"),
    _with(text={"body": "x" * 4096}),
    _with(text={"body": "😃" * 4096}),
    _with(preview_url=True),
    _with(preview_url=False),
    _media("image", id="1", caption=""),
    _media("document", link="http://cdn.example:8080/ключ?x=1#y", filename="f"),
)
def test_good_payloads(payload: dict[str, Any]) -> None:
    assert check(payload, None) == []


@cases(
    "payload, where, words",
    (_with(to=None), "to", "missing"),
    (_with(to=""), "to", "neither a phone number"),
    (_with(to="+79001234567"), "to", '"+79001234567" is neither'),
    (_with(to="123456"), "to", "neither a phone number"),
    (_with(to="1234567890123456"), "to", "neither a phone number"),
    (_with(to="7900123456٣"), "to", "neither"),
    (_with(to="79001234567\n"), "to", '"79001234567\\n" is neither'),
    (_with(to="7900\u202e1234567"), "to", '"7900\\u202e1234567" is neither'),
    (_with(text={"body": "x", "\u202ey": "x"}), "text.\\u202ey", 'no field "\\u202ey"'),
    (_with(to="79001234567-"), "to", "group id"),
    (_with(to="7900-123-4567"), "to", "group id"),
    (_with(to=79001234567), "to", "a int is neither"),
    (_with(to=["79001234567"]), "to", "a list is neither"),
    (_with(recipient_type="group"), "recipient_type", "address of a person"),
    (_with(to="0123456789"), "to", "neither a phone number"),
    (_with(to="7-1"), "to", "group id"),
    (_with(to=GROUP, recipient_type="individual"), "recipient_type", "address of a group"),
    (_with(recipient_type="person"), "recipient_type", '"individual" or "group"'),
    (_with(recipient_type=["group"]), "recipient_type", '"individual" or "group"'),
    (_with(type="sticker"), "type", "must be one of text, image, video, audio, document"),
    (_with(type=["text"]), "type", "must be one of"),
    (_with(type="image"), "type", 'says "image", but the content is "text"'),
    ({**_media("image", **LINK), "type": "text"}, "type", 'the content is "image"'),
    ({"to": "79001234567", "image": LINK}, "type", 'says "text"'),
    (_with(text=None), None, "there is nothing"),
    (_with(image=LINK), None, "there is text and image"),
    (_with(text="hello"), "text", "table of fields"),
    (_with(text={}), "text.body", "empty"),
    (_with(text={"body": ""}), "text.body", "empty"),
    (_with(text={"body": 1}), "text.body", "must be text"),
    (_with(text={"body": "x" * 4097}), "text.body", "has 4097 characters; at most 4096"),
    (_with(text={"body": "x", "caption": "x"}), "text.caption", "not allowed on text"),
    (_with(preview_url="yes"), "preview_url", "true or false"),
    (_with(preview_url=1), "preview_url", "true or false"),
    ({**_media("image", **LINK), "preview_url": True}, "preview_url", "only for text"),
    (_with(priority=1), "priority", 'no field "priority"'),
    (_with(preview="x"), "preview", "did you mean preview_url?"),
    (_with(text={"body": "x", "boddy": "x"}), "text.boddy", "did you mean body?"),
    (_media("image"), "image", "there is neither"),
    (_media("image", id="1", **LINK), "image", "there is both"),
    (_media("image", id=""), "image.id", "not empty"),
    (_media("image", id=5), "image.id", "must be text"),
    (_media("image", link=""), "image.link", "not empty"),
    (_media("image", link=["x"]), "image.link", "must be text"),
    (_media("image", link="ftp://h/x"), "image.link", "http:// or https://, not ftp"),
    (_media("image", link="cdn.example/x"), "image.link", "begin with http://"),
    (_media("image", link="https:///x"), "image.link", "no host"),
    (_media("image", link="https://h:0/"), "image.link", "no host"),
    (_media("image", link="https://[::1/x"), "image.link", "not a valid URL"),
    (_media("image", link="https://h:port/x"), "image.link", "not a valid URL"),
    (_media("image", link="https://h/a b"), "image.link", "spaces"),
    (_media("image", link="https://h/a\nb"), "image.link", "control"),
    (_media("image", id="1", provider={"name": "p"}), "image.provider", "only beside a link"),
    (_media("image", provider="p", **LINK), "image.provider", "table with a name"),
    (_media("image", provider={}, **LINK), "image.provider.name", "not empty"),
    (_media("image", provider={"name": ""}, **LINK), "image.provider.name", "not empty"),
    (_media("image", provider={"name": 1}, **LINK), "image.provider.name", "must be text"),
    (
        _media("image", provider={"name": "p", "key": "k"}, **LINK),
        "image.provider.key",
        'no field "key"',
    ),
    (_media("image", caption=1, **LINK), "image.caption", "must be text"),
    (_media("video", caption=None, **LINK), "video.caption", "must be text"),
    (_media("audio", caption="x", **LINK), "audio.caption", "caption is not allowed on audio"),
    (_media("audio", filename="x", **LINK), "audio.filename", "not allowed on audio"),
    (_media("image", filename="x", **LINK), "image.filename", "not allowed on image"),
    (_media("video", filename="x", **LINK), "video.filename", "not allowed on video"),
    (_media("document", filename="", **LINK), "document.filename", "not empty"),
    (_media("document", captoin="", **LINK), "document.captoin", "did you mean caption?"),
    (_media("document", source="x", **LINK), "document.source", 'no field "source"'),
    ({**TEXT, 7: "x"}, None, "named by a int"),
    (_with(text={"body": "x", None: 1}), "text", "named by a NoneType"),
)
def test_each_rule_names_its_field(payload: dict[Any, Any], where: str | None, words: str) -> None:
    (problem,) = check(payload, None)
    assert problem.where == where
    assert words in problem.message
    assert problem.severity == "error"


def test_half_a_character_is_shown_as_its_escape() -> None:
    (problem,) = check(_with(to="\ud800"), None)
    assert problem.message.startswith('"\\ud800" is neither a phone number')


def test_all_problems_at_once() -> None:
    payload = {"to": "x", "type": "audio", "audio": {"caption": "x"}, "preview_url": 1, "more": 1}
    wheres = [problem.where for problem in check(payload, None)]
    assert wheres == ["more", "to", "audio.caption", "audio", "preview_url", "preview_url"]


def test_a_payload_must_be_a_table() -> None:
    [problem] = check(["x"], None)
    assert problem.message == "the message is not a table of fields"


@cases("size, fits", (1, True), (37_000_000, True), (37_000_001, False))
def test_the_size_of_a_file(size: int, fits: bool) -> None:
    problems = check(_media("document", id="upload:sha256:x"), upload(size=size))
    assert (problems == []) is fits
    if not fits:
        assert problems[0].where == "document.source"
        assert '"prices.pdf" has 37.0 MB (37000001 bytes)' in problems[0].message
        assert "at most 37 MB (37000000 bytes)" in problems[0].message


def test_a_file_must_not_be_empty() -> None:
    (problem,) = check(_media("image", id="x"), upload(b""))
    assert (problem.where, problem.message) == ("image.source", 'the file "prices.pdf" is empty')


@cases("mime_type", "", "pdf", "text/plain\r\nX: y", "text/plain; é=1")
def test_a_file_needs_a_mime_type_that_a_header_can_carry(mime_type: str) -> None:
    (problem,) = check(_media("image", id="x"), upload(mime_type=mime_type))
    assert problem.where == "image.source"
    assert "is not a MIME type" in problem.message


FIELDS = (
    "to type text image video audio document preview_url recipient_type"
    " body id link provider name caption filename"
).split()
KEYS = st.sampled_from(FIELDS) | st.text(max_size=9) | st.integers() | st.none() | st.tuples()
LEAVES = (
    st.sampled_from(["text", "image", "group", "79001234567", "https://x", "http://[", "\ud800"])
    | st.text(alphabet=st.characters(), max_size=9)
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=4)
    | st.builds(object)
    | st.sets(st.integers(), max_size=2)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)
KNOWN = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS[:9], VALUES))


@given(VALUES | st.dictionaries(KEYS, VALUES) | KNOWN)
def test_check_never_raises(payload: object) -> None:
    _check_in_peace(payload)


def test_check_survives_what_json_does_not() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    cycle: dict[str, Any] = {}
    cycle["text"] = cycle
    _check_in_peace(_with(more=deep))
    _check_in_peace(cycle)
    _check_in_peace({"text": {"x" * 10_000: 1}, "y" * 10_000: 1, "to": "9" * 10_000})


def _check_in_peace(payload: object) -> None:
    problems = check(payload, Link(url="https://cdn.example"))
    for problem in problems:
        assert isinstance(problem, Problem)
        assert f"{problem.where}: {problem.message}".encode()  # can be printed
        assert len(problem.message) < 400
    assert problems
