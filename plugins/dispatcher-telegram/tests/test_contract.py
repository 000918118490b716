"""What holds for every transport holds for this one, whatever a message contains."""

from __future__ import annotations

from typing import Any, ClassVar

from dispatcher import Message, Payload, Upload
from dispatcher.testing import Reply, TransportContract, message, upload
from dispatcher_telegram import Telegram, TelegramSettings
from dispatcher_telegram.contents import CONTENTS


def _error(status: int, description: str, **parameters: int) -> Reply:
    body = {"ok": False, "error_code": status, "description": description}
    return Reply(status, {**body, "parameters": parameters} if parameters else body)


def _message(kind: str, **fields: Any) -> Message:
    content = CONTENTS[kind](**fields)
    return message(transport="telegram", to="123456789", type=kind, content=content)


class _Contract(TransportContract):
    token = "123456789:AAmarker_token-d75b3374288810784"
    accepted = Reply(200, {"ok": True, "result": {"message_id": 42, "date": 1, "chat": {"id": 5}}})
    accepted_id = "42"
    uploaded = None
    refused = (
        _error(400, "Bad Request: chat not found"),
        _error(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1001234567890),
        _error(403, "Forbidden: bot was blocked by the user"),
        _error(413, "Request Entity Too Large"),
    )
    account_refused = (
        _error(401, "Unauthorized"),
        _error(404, "Not Found"),
        _error(400, "Logged out"),
    )
    not_sent = ()
    throttled = (_error(429, "Too Many Requests: retry after 7", retry_after=7),)
    unknown = (
        _error(500, "Internal Server Error"),
        _error(502, "Bad Gateway"),
        Reply(504, "<html>504 Gateway Time-out</html>"),
        Reply(400, "<html>of a proxy</html>"),
    )

    kind: ClassVar[str]
    fields: ClassVar[dict[str, Any]]

    def make(self, url: str) -> Telegram:
        return Telegram(TelegramSettings(base_url=url, token=self.token, read_timeout=0.3))

    def payload(self) -> Payload:
        return self.make("http://127.0.0.1:9").build(_message(self.kind, **self.fields), None)


class _FileContract(_Contract):
    """Without a file to upload, its message has a link."""

    def payload(self) -> Payload:
        linked = _message(self.kind, link="https://cdn.example.com/a", **self.fields)
        return self.make("http://127.0.0.1:9").build(linked, None)

    def file_message(self, file: Upload) -> Message:
        return _message(self.kind, source=file.filename, **self.fields)


class TestText(_Contract):
    kind = "text"
    fields: ClassVar[dict[str, Any]] = {"body": "<b>Hello!</b>", "parse_mode": "HTML"}


class TestImage(_FileContract):
    kind = "image"
    fields: ClassVar[dict[str, Any]] = {"caption": "<b>Spring</b>", "parse_mode": "HTML"}

    def file(self) -> Upload:
        return upload(b"\x89PNG\r\n\x1a\n picture", "banner.png")


class TestVideo(_FileContract):
    kind = "video"
    fields: ClassVar[dict[str, Any]] = {"disable_notification": True}


class TestAudio(_FileContract):
    kind = "audio"
    fields: ClassVar[dict[str, Any]] = {"title": "Spring", "performer": "The Shops"}


class TestDocument(_FileContract):
    kind = "document"
    fields: ClassVar[dict[str, Any]] = {"caption": "Prices", "message_thread_id": 3}


class TestLocation(_Contract):
    kind = "location"
    fields: ClassVar[dict[str, Any]] = {"latitude": 59.9386, "longitude": 30.3141}


class TestPoll(_Contract):
    kind = "poll"
    fields: ClassVar[dict[str, Any]] = {"question": "Lunch?", "options": ["yes", "no"]}
