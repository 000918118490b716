"""Keeps a token out of every text: it may be in a URL, and gateways say things back."""

from __future__ import annotations

from urllib.parse import quote

from pydantic import SecretStr

# Stands for a token; of letters that no part of requests changes in a path.
HIDDEN = "***"
_IN_URLS = "!#$%&'()*+,/:;=?@[]~"  # what requests leaves as it is


class Mask:
    """Takes a token out of texts, as it is and as a URL has it; never shows it itself.

    `in_urls`: how a URL has it.
    """

    def __init__(self, token: SecretStr) -> None:
        self.in_urls = SecretStr(quote(token.get_secret_value(), safe=_IN_URLS))
        self._forms = (token, self.in_urls)

    def __call__(self, text: str) -> str:
        """The text with `HIDDEN` in the place of the token."""
        for form in self._forms:
            text = text.replace(form.get_secret_value(), HIDDEN)
        return text

    def of_path(self, url: str) -> str:
        """The URL with the token out of what follows the host; see `wire`, which puts it back."""
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme}://{host}{slash}{self(path)}"
