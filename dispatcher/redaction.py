"""Keeps secrets out of logs, warnings and error messages.

Data is never changed: an id, a key, a payload or a receipt is used and stored as it is.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

# Replaces a secret; requests changes none of these characters in a path.
HIDDEN = "***"
# Characters. A shorter word is a part of many sentences and ids, and is no real secret.
SHORTEST = 8
SECRET_FOUND = "a secret belongs in the environment, never here"
_SECRET_WORDS = ("token", "secret", "password", "passwd", "apikey", "api_key", "authorization")
_IN_URLS = "!#$%&'()*+,/:;=?@[]~"  # requests leaves these as they are
_PASSWORD = re.compile(r"://[^/\s:@]*:([^/\s]+)@")
_PASSWORD_IN_QUERY = re.compile(r"(?i)([?&]\w*(?:password|passwd|secret|token)=)[^&]*")


def without_password(url: str) -> str:
    """A URL with `HIDDEN` in the place of its password, however short that is."""
    url = _PASSWORD.sub(lambda found: found[0].removesuffix(f"{found[1]}@") + f"{HIDDEN}@", url)
    return _PASSWORD_IN_QUERY.sub(rf"\1{HIDDEN}", url)


def is_secret(key: str) -> bool:
    """Whether a key's name says that its value is a secret."""
    flat = key.lower().replace("-", "_")
    return any(word in flat for word in _SECRET_WORDS)


def in_url(secret: str) -> str:
    """Return a secret as requests writes it in a URL."""
    return quote(secret, safe=_IN_URLS)


def hidden(text: str, secret: str) -> str:
    """Return the text with `HIDDEN` in place of a secret, in whatever form that is written.

    A secret shorter than `SHORTEST` is not searched for.
    """
    for form in _forms(secret):
        text = text.replace(form, HIDDEN)
    return text


class Secrets:
    """The secrets that a process knows; removes them from texts."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._owners: list[object] = []

    def add(self, value: str) -> None:
        """Add a secret; if it is a URL, also its parts, because libraries log those."""
        self._values |= {value, *_parts(value)}

    def add_password(self, value: str) -> None:
        """Add the password in a URL, if it has one; the rest of the URL is no secret."""
        self._values |= set(_passwords(value))

    def watch(self, owner: object) -> None:
        """Add whatever the attributes of an object hold as `SecretStr`, now or later."""
        self._owners.append(owner)

    def hidden(self, text: str) -> str:
        """Return the text with `HIDDEN` in place of every secret."""
        held = {part for each in self._owners for value in _held(each) for part in _parts(value)}
        for secret in sorted(self._values | held, key=len, reverse=True):
            text = hidden(text, secret)
        return text


@lru_cache(maxsize=1000)
def _forms(secret: str) -> tuple[str, ...]:
    """Return a secret as it is, in a URL, quoted in JSON and Python, in Base64; longest first."""
    if len(secret) < SHORTEST:
        return ()
    try:
        in_urls = {in_url(secret), quote(secret), quote(secret, safe=""), quote_plus(secret)}
    except UnicodeEncodeError:  # from a variable that is no text
        in_urls = set()
    as_json = (json.dumps(secret, ensure_ascii=each) for each in (True, False))
    quoted = {each[1:-1] for each in (*as_json, repr(secret), ascii(secret))}
    return tuple(sorted({secret, *in_urls, *quoted, *_base64(secret)}, key=len, reverse=True))


def _base64(secret: str) -> Iterator[str]:
    """Yield what shows of a secret in the Base64 of a text, wherever in the text it begins.

    `Authorization: Basic` is such a text. A character at the edge, which also depends on a
    neighbour, is left out.
    """
    data = secret.encode(errors="surrogateescape")
    for before in range(3):
        letters = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        shown = letters[first:last]
        yield from (shown, shown.replace("+", "-").replace("/", "_"))


def _parts(value: str) -> Iterator[str]:
    """Yield the value and, for a URL, its user name, password, and parts of path and query."""
    yield value
    if "://" not in value:
        return
    yield from _passwords(value)
    try:
        url = urlsplit(value)
        words = [url.username or "", url.path, *url.path.split("/"), url.query, url.fragment]
        words += (word for _, word in parse_qsl(url.query))
    except ValueError:
        return
    yield from (form for word in words for form in (word, unquote(word)))


def _passwords(value: str) -> Iterator[str]:
    yield from (form for word in _PASSWORD.findall(value) for form in (word, unquote(word)))


def _held(owner: object) -> Iterator[str]:
    """Yield the secrets in an object's attributes, and in their settings, lists and tables."""
    yield from _revealed(list(getattr(owner, "__dict__", {}).values()))


def _revealed(value: Any) -> Iterator[str]:
    from pydantic import BaseModel, SecretStr

    if isinstance(value, SecretStr):
        yield value.get_secret_value()
        return
    inner: Iterable[Any] = ()
    if isinstance(value, BaseModel):
        inner = value.__dict__.values()
    elif isinstance(value, Mapping):
        inner = value.values()
    elif isinstance(value, (list, tuple)):
        inner = value
    for each in list(inner):
        yield from _revealed(each)
