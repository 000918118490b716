"""HTML as Telegram reads it: what is shown, and what it would refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher_telegram.contents import Text
from dispatcher_telegram.formatting import read_html


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("plain & simple", "plain & simple"),
        ("<b>bold</b> and <i>it<u>al</u>ic</i>", "bold and italic"),
        ('<a href="https://example.com/?a=1&amp;b=2">prices</a>', "prices"),
        ("<a href='https://example.com/>'>prices</a>", "prices"),
        ('<pre><code class="language-python">x &lt; 1</code></pre>', "x < 1"),
        ("<B>x</b>", "x"),
        ("<blockquote expandable>x</blockquote>", "x"),
        ("&lt;b&gt; &amp;amp; &#128512; &#x41; &nbsp;", "<b> &amp; 😀 A &nbsp;"),
        ("a > b", "a > b"),
    ],
)
def test_what_is_shown(text: str, visible: str) -> None:
    assert read_html(text) == (visible, None, None)


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("a < b", "begins no tag", 1),
        ("one\ntwo <3", "begins no tag", 2),
        ("one<br>two", "no tag <br>: a line break is written as one", 1),
        ("\n\n<p>one</p>", "no tag <p>", 3),
        ("<b>one\n<i>two</i>", "<b> is not closed", 1),
        ("one</b>", "</b> closes nothing", 1),
        ("<b><i>x</b></i>", "<i> is open", 1),
        ("x <b", "begins no tag", 1),
    ],
)
def test_what_is_wrong(text: str, problem: str, line: int) -> None:
    read = read_html(text)
    assert problem in str(read.problem)
    assert read.line == line


@given(st.text(alphabet="<>/&;\"'= abi\n"))
def test_whatever_is_written_is_read(text: str) -> None:
    read = read_html(text)
    assert len(read.visible) <= len(text)
    assert (read.problem is None) == (read.line is None)


@given(st.text())
def test_what_a_template_escapes_is_shown_as_it_was(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert read_html(f"<b>{escaped}</b>") == (text, None, None)


def test_the_preview_shows_no_markup() -> None:
    assert Text(body="<b>1</b> &lt; 2", parse_mode="HTML").bubble().text == "1 < 2"
    assert Text(body="<b>").bubble().text == "<b>"
