"""Keeps a token out of every text: it may be in a URL, and gateways say things back."""

from __future__ import annotations

from pydantic import SecretStr

from dispatcher.redaction import HIDDEN, hidden, in_url

__all__ = ["HIDDEN", "Mask"]


class Mask:
    """Takes a token out of texts for people, and out of paths; never shows it itself.

    `in_urls`: how a URL has it.
    """

    def __init__(self, token: SecretStr) -> None:
        self._token = token
        self.in_urls = SecretStr(in_url(token.get_secret_value()))

    def __call__(self, text: str) -> str:
        """The text with `HIDDEN` in the place of the token; one that is short is not looked for."""
        return hidden(text, self._token.get_secret_value())

    def is_in(self, text: str) -> bool:
        """Whether a text shows the token: an id that does is no id."""
        return self(text) != text

    def of_path(self, url: str) -> str:
        """The URL with the token out of what follows the host; see `wire`, which puts it back."""
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        for form in (self._token, self.in_urls):
            path = path.replace(form.get_secret_value(), HIDDEN)
        return f"{scheme}://{host}{slash}{path}"
