"""What a scripted gateway does with a request, and what it remembers of it."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any, TypeAlias


@dataclass(frozen=True)
class Reply:
    """An answer. `body`: bytes or text as it is, anything else as JSON.

    Headers that are given win over those that the gateway adds.
    """

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        if isinstance(self.body, bytes):
            return self.body
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()

    def cut(self) -> Reply:
        """The same answer, of whose body only the first half comes before the connection closes."""
        whole = self.content
        length = {"Content-Length": str(max(1, len(whole)))}
        return replace(self, body=whole[: len(whole) // 2], headers={**self.headers, **length})

    @property
    def broken(self) -> bool:
        """Whether less comes than the answer promises."""
        promised = self.headers.get("Content-Length", "")
        return promised.isdigit() and int(promised) != len(self.content)

    def encoded(self) -> bytes:
        """The whole answer as it is sent."""
        added = {"Content-Type": "application/json", "Content-Length": str(len(self.content))}
        headers = {**added, **self.headers}
        lines = [f"HTTP/1.1 {self.status} Scripted"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.content


@dataclass(frozen=True)
class Raw:
    """Bytes that are sent as they are, before the connection closes."""

    data: bytes


class Fault(enum.Enum):
    """How a connection ends without an answer."""

    CLOSE_BEFORE_READING = "closed before the request was read"
    CLOSE = "closed after the whole request"
    RESET = "reset after the whole request"
    STALL = "no answer, as long as the gateway has patience"


@dataclass(frozen=True)
class Request:
    """A request that arrived whole. `headers`: by lower-case name. `path`: with the query.

    `length`: bytes of the body. `pieces`: the lengths of the parts in which it came, if it came in
    chunks, else one.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    length: int
    sha256: str
    pieces: tuple[int, ...]
    stored: IO[bytes] = field(repr=False)

    @property
    def body(self) -> bytes:
        """The body, read from disk if it is a big one."""
        self.stored.seek(0)
        return self.stored.read()

    def json(self) -> Any:
        """The body as JSON. Raises ValueError if it is none."""
        return json.loads(self.body)


Doing: TypeAlias = Reply | Raw | Fault
Step: TypeAlias = Doing | Callable[[Request], Doing]
