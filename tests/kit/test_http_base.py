"""What plugins build on keeps the contract: here with the token in the URL, and files in forms."""

from collections.abc import Iterable
from functools import cached_property
from typing import ClassVar, Literal

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher import (
    AccountRefused,
    Attachment,
    MediaId,
    Message,
    Payload,
    Problem,
    Receipt,
    Upload,
)
from dispatcher.http.responses import BY_STATUS, ErrorMap, Route
from dispatcher.http.settings import HttpSettings, Url
from dispatcher.http.transport import HttpTransport
from dispatcher.testing import Reply, Request, ScriptedGateway, TransportContract

ERROR_MAP = ErrorMap(
    code=("error_code",),
    words=(("description",),),
    by_status={**BY_STATUS, 404: AccountRefused},
    retry_after=("parameters", "retry_after"),
)


class BotSettings(HttpSettings):
    model_config = SettingsConfigDict(env_prefix="BOT_")

    base_url: Url = "https://bot.example.com"


class Bot(HttpTransport):
    """A gateway that wants the token in the URL and nowhere else."""

    name: ClassVar[str] = "bot"
    Settings: ClassVar[type[BaseSettings]] = BotSettings

    def auth_headers(self) -> dict[str, str]:
        return {}

    def build(self, message: Message, attachment: Attachment | None) -> Payload:
        file = attachment.reference if isinstance(attachment, Upload) else None
        return {"chat": message.to, "content": message.content.model_dump(), "file": file}

    def check(self, payload: Payload, attachment: Attachment | None) -> Iterable[Problem]:
        return []

    def send(self, payload: Payload) -> Receipt:
        return Receipt(id=self.post_json(self._route("sendMessage", "message_id"), payload))

    def upload(self, file: Upload) -> MediaId:
        return MediaId(id=self.post_form(self._files, file, "document", {"chat": "me"}))

    @cached_property
    def _files(self) -> Route:
        return self._route("sendDocument", "file_id")._replace(repeatable=True)

    def _route(self, method: str, identifier: str) -> Route:
        url = f"{self.settings.base_url}/bot{self.token.get_secret_value()}/{method}"
        return self.route(url, "base_url", ("result", identifier), ERROR_MAP)


class InlineBot(Bot):
    """The same gateway, where the form with the file is the message."""

    uploads: ClassVar[Literal["separate", "inline"]] = "inline"

    def send(self, payload: Payload, file: Upload | None = None) -> Receipt:
        if file is None:
            return super().send(payload)
        fields = {name: value for name, value in payload.items() if name != "file"}
        route = self._route("sendDocument", "message_id")
        return Receipt(id=self.post_form(route, file, "document", fields))


def _error(status: int, words: str) -> Reply:
    return Reply(status, {"ok": False, "error_code": status, "description": words})


class TestBot(TransportContract):
    token = 'marker"token|{1x3}'  # a URL writes it in another way
    accepted = Reply(200, {"ok": True, "result": {"message_id": 17}})
    accepted_id = "17"
    uploaded = Reply(200, {"ok": True, "result": {"file_id": "f1"}})
    uploaded_id = "f1"
    refused = (Reply(413), _error(400, "Bad Request"), _error(403, "blocked by the user"))
    account_refused = (_error(401, "Unauthorized"), _error(404, "Not Found"))
    not_sent = ()
    throttled = (
        Reply(429, {"ok": False}, {"Retry-After": "7"}),
        Reply(429, {"ok": False, "parameters": {"retry_after": 9}}),
    )
    unknown = (_error(409, "Conflict"),)

    kind: ClassVar[type[Bot]] = Bot

    def make(self, url: str) -> Bot:
        return self.kind(BotSettings(base_url=url, token=self.token, read_timeout=0.3))

    def test_no_form_of_the_token_shows(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("DEBUG")

        def say_back(request: Request) -> Reply:
            return _error(401, request.path)

        with ScriptedGateway(say_back) as gateway, pytest.raises(AccountRefused) as caught:
            self.make(gateway.url).send({})
        assert caught.value.text.endswith("/bot***/sendMessage")
        assert "/bot***/sendMessage" in caplog.text
        assert "1x3" not in caplog.text


class TestInlineBot(TestBot):
    kind = InlineBot
    uploaded = None
