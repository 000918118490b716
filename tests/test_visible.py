"""Text of others as it is shown: nothing steers or hides, and people can still read their own."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.visible import printable, visible, visible_json
from tests.support.cases import cases

ANYTHING = st.text(st.characters())


@cases(
    "text, shown",
    ("a\nb\r\tc", r"a\nb\r\tc"),
    ("\x1b]0;title\x07\x1b[2J", r"\x1b]0;title\x07\x1b[2J"),
    ("\x7f\x9b\x85", r"\x7f\x9b\x85"),
    ("pay \u202e05\u202c", r"pay \u202e05\u202c"),
    ("\u2066\u2069\u200e\u200f\u061c", r"\u2066\u2069\u200e\u200f\u061c"),
    ("\ufeff1\u200b2\u2060\xad", r"\ufeff1\u200b2\u2060\xad"),
    ("a\u2028b\u2029", r"a\u2028b\u2029"),
    ("a\udcff\ud83d", r"a\udcff\ud83d"),
    ("\u3164\u115f\u2800", r"\u3164\u115f\u2800"),
    ("hi\U000e0068\U000e0069", r"hi\U000e0068\U000e0069"),
    ("a\u200db \u200d", r"a\u200db \u200d"),
    ("a\ufe0f x\u200c", r"a\ufe0f x\u200c"),
    ("❤\ufe0f\ufe0f\ufe01", "❤\ufe0f\\ufe0f\\ufe01"),
    ("\U0001f3f4\U000e0078\U000e007f", "\U0001f3f4\\U000e0078\\U000e007f"),
)
def test_what_steers_or_hides_shows_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@cases(
    "text",
    "Цена 100\xa0₽ — «йод»",
    "😀 ❤️ 1️⃣ 👍🏽 🏳️‍🌈 👩🏽‍🚀 👨‍👩‍👧‍👦",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "नमस्ते क्‍ष श्रीमान्",
    "สวัสดีที่นี่",
    "السَّلامُ عليكم می‌خواهم ه‍",
    "שָׁלוֹם",
    "ё is e\u0308",
    ids=lambda text: unicodedata.name(text[0]),
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert visible(text) == text
    assert json.loads(visible_json(json.dumps(text, ensure_ascii=False))) == text


def test_names_hold_nothing_that_cannot_be_seen() -> None:
    assert printable("a\xa0b\u200d👩\u200d🚀") == r"a\xa0b\u200d👩\u200d🚀"
    assert printable("Анна, 75 %") == "Анна, 75 %"


@given(ANYTHING)
def test_whatever_it_is_it_fits_on_one_line_and_can_be_written(text: str) -> None:
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in shown)
    assert shown.encode().decode() == shown
    assert visible(shown) == shown
    assert printable(shown).isprintable()


@given(st.recursive(ANYTHING, lambda inner: st.lists(inner) | st.dictionaries(ANYTHING, inner)))
def test_json_says_the_same(value: object) -> None:
    shown = visible_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(shown) == value
    assert len(shown.splitlines()) == 1
