"""Keeps a token out of every text: it may be in a URL, and gateways say things back."""

from __future__ import annotations

import logging
from urllib.parse import quote

from pydantic import SecretStr

_IN_URLS = "!#$%&'()*+,/:;=?@[]~"  # what requests leaves as it is
# They write the URL of a request: each of them for debugging, the second also as a warning.
_LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")


class Mask:
    """Takes a token out of texts, as it is and as a URL has it; never shows it itself."""

    def __init__(self, token: SecretStr) -> None:
        written = quote(token.get_secret_value(), safe=_IN_URLS)
        self._forms = (token, SecretStr(written))

    def __call__(self, text: str) -> str:
        """The text with `***` in the place of the token."""
        for form in self._forms:
            text = text.replace(form.get_secret_value(), "***")
        return text


class _LogFilter(logging.Filter):
    """Masks what is logged, whoever listens."""

    def __init__(self) -> None:
        super().__init__()
        self.masks: dict[SecretStr, Mask] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        masked = self._masked(said)
        if masked != said:
            record.msg, record.args = masked, ()
        if record.exc_info:
            trace = logging.Formatter().formatException(record.exc_info)
            if (hidden := self._masked(trace)) != trace:
                record.exc_info, record.exc_text = None, hidden
        return True

    def _masked(self, text: str) -> str:
        for mask in tuple(self.masks.values()):
            text = mask(text)
        return text


_FILTER = _LogFilter()


def keep_out_of_logs(token: SecretStr, mask: Mask) -> None:
    """From now on, whatever urllib3 logs is masked."""
    _FILTER.masks[token] = mask
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)  # once: it is the same one
