"""Finds the texts of a payload and the links in them, and adds parameters to the links."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_plus, urlsplit

# What people read in a payload: Green API's `text.body` and `image.caption`, and other gateways'
# names for the same.
_READ = frozenset({"body", "caption", "text"})
_LINK = re.compile(r"(?<![A-Za-z0-9])https?://[^\s<>\"“”„«»]+", re.IGNORECASE)
# What ends a sentence or a quotation rather than a URL, in many scripts.
_TRAILING = ".,;:!?'’‘…。，、！？；：」』】》）…؟،।"
_BRACKETS = {")": "(", "]": "[", "}": "{"}
# WhatsApp's formatting: in *https://example.com* the stars do not belong to the link.
_MARKERS = "*_~`"


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return the value with every text that people read changed, at any depth."""
    if isinstance(value, dict):
        return {key: _item(key, item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [with_texts(item, change) for item in value]
    return value


def _item(key: object, value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str) and key in _READ:
        return change(value)
    return with_texts(value, change)


class Campaign(NamedTuple):
    """Parameters, and the domains (ASCII) whose links get them; all links, if there are none."""

    parameters: Mapping[str, str]
    domains: Sequence[str] = ()

    def tagged(self, text: str) -> str:
        """Return the text with the parameters on its links; those that a link has already stay."""
        return _LINK.sub(self._tagged_match, text)

    def _tagged_match(self, found: re.Match[str]) -> str:
        before = found.string[found.start() - 1 : found.start()]
        url = _without_punctuation(found[0], before)
        return self._tagged_url(url) + found[0][len(url) :]

    def _tagged_url(self, url: str) -> str:
        if not self._concerns(url):
            return url
        address, hash_mark, fragment = url.partition("#")
        address, _, query = address.partition("?")
        missing = _missing(self.parameters, query)
        if not missing:
            return url
        joined = "&".join(filter(None, (query.rstrip("&"), *missing)))
        return f"{address}?{joined}{hash_mark}{fragment}"

    def _concerns(self, url: str) -> bool:
        try:
            host = ascii_host(urlsplit(url).hostname or "")
        except ValueError:
            return False
        within = any(host == each or host.endswith(f".{each}") for each in self.domains)
        return bool(host) and (within or not self.domains)


def ascii_host(host: str) -> str:
    """Return a host name as it is in DNS: `магазин.рф` and `xn--…` are the same."""
    try:
        return host.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        return host.lower()


def _missing(parameters: Mapping[str, str], query: str) -> list[str]:
    present = {unquote_plus(part.partition("=")[0]) for part in query.split("&")}
    return [
        f"{name}={quote(value, safe='')}"
        for name, value in parameters.items()
        if name not in present
    ]


def _without_punctuation(url: str, before: str) -> str:
    """Return what was found without the sentence's punctuation after it."""
    while url:
        last = url[-1]
        opening = _BRACKETS.get(last)
        unbalanced = opening is not None and url.count(last) > url.count(opening)
        marker = last in _MARKERS and last == before
        if not (last in _TRAILING or unbalanced or marker):
            break
        url = url[:-1]
    return url
