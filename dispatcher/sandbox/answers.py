"""Answers in JSON."""

import json
from typing import Final

from starlette.responses import Response

# Made once: `json.dumps` with arguments makes one each time.
ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Json(Response):
    """A value as JSON: readable, and escaped only where it cannot be UTF-8 (lone surrogates)."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return ENCODER.encode(content).encode(errors="backslashreplace")
