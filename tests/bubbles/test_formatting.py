"""WhatsApp's marks → HTML: the known vectors, and what holds for every text."""

import re
import time
from html import unescape
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.bubbles.formatting import formatted
from tests.support.cases import cases

ALLOWED = {"p", "b", "i", "s", "code", "pre", "a", "ul", "ol", "li", "blockquote", "br"}
ATTRIBUTES = {"dir", "value", "href", "target", "rel"}


def line(text: str) -> str:
    """The HTML of one line, without its paragraph."""
    found = re.fullmatch(r'<p dir="auto">(.*)</p>', formatted(text))
    assert found, formatted(text)
    return found[1]


@cases(
    "text, html",
    ("*b*,", "<b>b</b>,"),
    ("_i_ ~s~", "<i>i</i> <s>s</s>"),
    ("a*b*c", "a*b*c"),
    ("2*3*4", "2*3*4"),
    ("snake_case_x", "snake_case_x"),
    ("*b", "*b"),
    ("_snake_case_", "<i>snake_case</i>"),
    ("*a*b*", "<b>a*b</b>"),
    ("_*b*_", "<i><b>b</b></i>"),
    ("*_b_*", "<b><i>b</i></b>"),
    ("**b**", "<b>*b</b>*"),
    ("~~s~~", "<s>~s</s>~"),
    ("***", "<b>*</b>"),
    ("x * y * z", "x * y * z"),
    ("*b *", "*b *"),
    ("*при*вет", "*при*вет"),
    ("*привет*", "<b>привет</b>"),
    ("*a* *b*", "<b>a</b> <b>b</b>"),
    ("(*b*)", "(<b>b</b>)"),
    ("№*b*", "№<b>b</b>"),
    ("😀*b*", "😀<b>b</b>"),
    ("*a _b* c_", "<b>a _b</b> c_"),
    ("`*b*`", "<code>*b*</code>"),
    ("*a `*` b*", "<b>a <code>*</code> b</b>"),
    ("a ```*b*``` c", "a <code>*b*</code> c"),
    ("``` ```", "``` ```"),
    ("` `", "` `"),
    ("<b>&\"'", "&lt;b&gt;&amp;&#34;&#39;"),
    ("שלום *עולם*", "שלום <b>עולם</b>"),
)
def test_marks_within_a_line(text: str, html: str) -> None:
    assert line(text) == html


@cases(
    "text, href",
    ("http://x/_a_/b", "http://x/_a_/b"),
    ("see https://e.com/a*b*c.", "https://e.com/a*b*c"),
    ("*https://e.com*", "https://e.com"),
    ("(https://e.com/a_(b)_c)", "https://e.com/a_(b)_c"),
    ("HTTPS://e.com/?a=1&b=2!", "HTTPS://e.com/?a=1&b=2"),
    ("https://пример.рф/путь", "https://пример.рф/путь"),
)
def test_links_are_untouched_and_lead_where_they_say(text: str, href: str) -> None:
    found = re.search(r'<a href="([^"]*)"[^>]*>(.*?)</a>', formatted(text))

    assert found
    assert unescape(found[1]) == unescape(found[2]) == href


@cases("text", "javascript:alert(1)", "data:text/html,x", "xhttp://e.com")
def test_nothing_else_is_a_link(text: str) -> None:
    assert "<a" not in formatted(text)


@cases(
    "text, html",
    ("a\nb", '<p dir="auto">a</p><p dir="auto">b</p>'),
    ("a\r\n\r\nb", '<p dir="auto">a</p><p dir="auto"><br></p><p dir="auto">b</p>'),
    ("```\n*a*\n```", '<pre dir="auto">*a*</pre>'),
    ("x\n```a\nb```\ny", '<p dir="auto">x</p><pre dir="auto">a\nb</pre><p dir="auto">y</p>'),
    ("* a\n- *b*", '<ul><li dir="auto">a</li><li dir="auto"><b>b</b></li></ul>'),
    ("3. c\n4. d", '<ol><li dir="auto" value="3">c</li><li dir="auto" value="4">d</li></ol>'),
    ("100. c", '<p dir="auto">100. c</p>'),
    ("> a\n> b", '<blockquote><p dir="auto">a</p><p dir="auto">b</p></blockquote>'),
    ("*a\nb*", '<p dir="auto">*a</p><p dir="auto">b*</p>'),
    ("", ""),
)
def test_blocks(text: str, html: str) -> None:
    assert formatted(text) == html


class Reader(HTMLParser):
    """Reads HTML as a browser would: tags in balance, and the text between them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED
        assert {name for name, _ in attrs} <= ATTRIBUTES
        for name, value in attrs:
            assert name != "href" or str(value).lower().startswith(("http://", "https://"))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment


SIGNS = ["*", "_", "~", "`", "```", "\n", " ", "a", "é", "7", "> ", "- ", "1. ", "א", "😃"]
TRAPS = ["<b>", "&lt;", '"', "javascript:", "<script>alert(1)</script>", "\ud800", "\0"]
MARKED = st.lists(st.sampled_from([*SIGNS, *TRAPS, "https://e.com/"]), max_size=40).map("".join)


@given(st.text() | st.text(st.characters()) | MARKED)
def test_any_text_is_safe_and_balanced(text: str) -> None:
    reader = Reader()
    reader.feed(formatted(text))
    reader.close()

    assert reader.open == []
    formatted(text).encode()


@given(st.text(st.characters(categories=["L", "N", "Zs"]), min_size=1))
def test_text_without_marks_stays_as_it_is(text: str) -> None:
    reader = Reader()
    reader.feed(formatted(text))

    assert reader.text == text


def cpu_seconds(text: str) -> float:
    started = time.process_time()
    formatted(text)
    return time.process_time() - started


@cases(
    "start, piece",
    ("http://a", "."),
    ("http://a", ")"),
    ("http://a", ".)"),
    ("http://a[", "]("),
    ("`", "a"),
    ("", "`a"),
    ("", "```a"),
    ("", "*a "),
    ("", "*_~a"),
)
def test_the_time_grows_with_the_length_and_no_faster(start: str, piece: str) -> None:
    short, long = ((start + piece * length)[:length] for length in (5_000, 80_000))
    # Sixteen times the text: a quadratic algorithm takes 256 times as long.
    assert cpu_seconds(long) < 64 * max(cpu_seconds(short), 0.01)
