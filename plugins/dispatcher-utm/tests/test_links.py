"""Which links are changed, and how."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dispatcher_utm.links import Campaign

ADDED = "utm_source=wa"
TAGGED = Campaign({"utm_source": "wa"}).tagged


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://a.example", f"https://a.example?{ADDED}"),
        ("https://a.example/?", f"https://a.example/?{ADDED}?"),
        ("http://a.example/b?c=d", f"http://a.example/b?c=d&{ADDED}"),
        ("https://a.example/?c=d&", f"https://a.example/?c=d&{ADDED}"),
        ("https://a.example/#new", f"https://a.example/?{ADDED}#new"),
        ("https://a.example/?c#d?e", f"https://a.example/?c&{ADDED}#d?e"),
        ("https://a.example/?utm_source=mail", "https://a.example/?utm_source=mail"),
        ("https://a.example/?utm%5Fsource=mail", "https://a.example/?utm%5Fsource=mail"),
        ("https://a.example/?utm_source", "https://a.example/?utm_source"),
        ("https://a.example/#utm_source=x", f"https://a.example/?{ADDED}#utm_source=x"),
        ("HTTPS://A.EXAMPLE/", f"HTTPS://A.EXAMPLE/?{ADDED}"),
        ("https://магазин.рф/зима", f"https://магазин.рф/зима?{ADDED}"),
        ("https://a.example:8443/x_(y)", f"https://a.example:8443/x_(y)?{ADDED}"),
        ("https://a.example/b_", f"https://a.example/b_?{ADDED}"),
        ("https://[::1]/", f"https://[::1]/?{ADDED}"),
        ("https://[bad/", "https://[bad/"),
        ("https://", "https://"),
        ("ftp://a.example/", "ftp://a.example/"),
        ("xhttps://a.example/", "xhttps://a.example/"),
        ("mailto:a@a.example", "mailto:a@a.example"),
    ],
)
def test_a_link_alone(link: str, expected: str) -> None:
    assert TAGGED(link) == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("See ", "."),
        ("Now: ", "!!! 😃"),
        ("(see ", ")"),
        ("[", "], or"),
        ("«", "»"),
        ("“", "”"),
        ("*", "*"),
        ("_", "_."),
        ("~", "~"),
        ("看 ", "。"),
        ("看", "！"),
        ("<", ">"),
        ('"', '"'),
        ("Was ist ", "?\nNoch etwas"),
        ("и ", ", и"),
        ("", "…"),
    ],
)
def test_what_stands_around_a_link_is_no_part_of_it(before: str, after: str) -> None:
    link = "https://a.example/b"
    assert TAGGED(f"{before}{link}{after}") == f"{before}{link}?{ADDED}{after}"


def test_every_link_of_a_text() -> None:
    text = "https://a.example https://b.example/?x=1, https://a.example"
    tagged = f"https://a.example?{ADDED} https://b.example/?x=1&{ADDED}, https://a.example?{ADDED}"
    assert TAGGED(text) == tagged


@pytest.mark.parametrize("host", ["shop.example", "www.SHOP.example", "shop.example."])
def test_links_to_a_domain_are_changed(host: str) -> None:
    tagged = Campaign({"utm_source": "wa"}, ["shop.example"]).tagged
    assert tagged(f"https://{host}/") == f"https://{host}/?{ADDED}"


@pytest.mark.parametrize("host", ["notshop.example", "shop.example.evil.example", "example"])
def test_links_to_others_are_left_alone(host: str) -> None:
    tagged = Campaign({"utm_source": "wa"}, ["shop.example"]).tagged
    assert tagged(f"https://{host}/") == f"https://{host}/"


@pytest.mark.parametrize("host", ["магазин.рф", "МАГАЗИН.РФ", "www.магазин.рф"])
def test_a_domain_in_another_script(host: str) -> None:
    tagged = Campaign({"utm_source": "wa"}, ["xn--80aairftm.xn--p1ai"]).tagged
    assert tagged(f"https://{host}/") == f"https://{host}/?{ADDED}"


def test_values_are_escaped() -> None:
    tagged = Campaign({"utm_campaign": "a&b=c #зима"}).tagged
    expected = "https://a.example?utm_campaign=a%26b%3Dc%20%23%D0%B7%D0%B8%D0%BC%D0%B0"
    assert tagged("https://a.example") == expected


@given(some.text(alphabet="aзhtps:/.?&=#()[]*_ \n", max_size=60), some.text(max_size=10))
def test_twice_is_once(text: str, value: str) -> None:
    tagged = Campaign({"utm_source": value, "utm_medium": "x"}).tagged
    for whole in (text, f"https://{text}", f"see https://a.example/{text}"):
        once = tagged(whole)
        assert tagged(once) == once


@given(some.text(alphabet="aз:/.?&=#()[]*_ \n", max_size=60))
def test_the_parameters_are_all_that_is_new(text: str) -> None:
    whole = f"see https://a.example/{text.replace('?', '')}"
    assert sorted(TAGGED(whole)) == sorted(f"{whole}?{ADDED}")
