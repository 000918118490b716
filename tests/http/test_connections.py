"""A token in a path reaches the gateway, and no log, error or object on the way to it."""

import logging

import pytest
from pydantic_settings import SettingsConfigDict

from dispatcher import OutcomeUnknown, Receipt
from dispatcher.http.responses import HIDDEN, ErrorMap, Route
from dispatcher.http.settings import HttpSettings
from dispatcher.http.transport import HttpTransport
from tests.support.gateway import Serve

SECRET = "marker-token-in-a-path"


class Settings(HttpSettings):
    model_config = SettingsConfigDict(env_prefix="PATHS_")


class Paths(HttpTransport):
    Settings = Settings

    def auth_headers(self) -> dict[str, str]:
        return {}

    def route(self, url: str) -> Route:
        return Route(url=url, setting="base_url", identifier=("id",), error_map=ErrorMap())


def test_the_token_is_put_into_the_path_by_the_connection_alone(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sender = Paths(Settings(token=SECRET))
    server = serve(lambda peer: peer.answer_each(200, b'{"id":"1"}'))
    for path in (f"/plain/{HIDDEN}/x", f"/other/{SECRET}", "/none", f"/plain/{HIDDEN}/x"):
        assert Receipt(id=sender.post_json(sender.route(server.url + path), {})).id == "1"
    asked = [request.path for request in server.requests]
    assert asked == [f"/plain/{SECRET}/x", f"/other/{SECRET}", "/none", f"/plain/{SECRET}/x"]
    assert f'"POST /plain/{HIDDEN}/x HTTP/1.1" 200' in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in f"{vars(sender._client())}{vars(sender)}"


def test_unreadable_headers_are_not_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    head = f"HTTP/1.1 200 OK\r\n{SECRET}\r\nX: y\r\n\r\n".encode()
    server = serve(lambda peer: (peer.read(), peer.raw(head)))
    route = Paths(Settings(token=SECRET)).route(f"{server.url}/said-back")
    with pytest.raises(OutcomeUnknown, match="the answer has no id"):
        Paths(Settings(token=SECRET)).post_json(route, {})
    assert '"POST /said-back HTTP/1.1" 200' in caplog.text
    assert SECRET not in caplog.text
