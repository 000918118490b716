"""Addresses, timeouts, rates, and where the token comes from."""

import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError

from dispatcher import ConfigError
from dispatcher.builtin.greenapi.transport import GreenApiSettings
from dispatcher.delivery.rate_limiter import parsed
from tests.support.cases import cases
from tests.support.greenapi import TOKEN


def test_defaults_are_those_of_the_provider() -> None:
    settings = GreenApiSettings()
    assert settings.base_url == "https://api.green-api.com"
    assert settings.media_url == "https://media.green-api.com"
    assert (settings.connect_timeout, settings.read_timeout) == (5, 30)
    assert (settings.rate, settings.recipient_rate) == ("50/s", None)


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENAPI_BASE_URL", "http://127.0.0.1:8025/")
    monkeypatch.setenv("GREENAPI_READ_TIMEOUT", "2.5")
    monkeypatch.setenv("GREENAPI_RATE", "")
    settings = GreenApiSettings()
    assert settings.base_url == "http://127.0.0.1:8025"
    assert settings.read_timeout == 2.5
    assert settings.rate == "50/s"


@cases(
    "given, kept",
    ("https://gateway.example", "https://gateway.example"),
    ("https://gateway.example:8443/green///", "https://gateway.example:8443/green"),
    ("http://localhost:8025/", "http://localhost:8025"),
    ("http://LOCALHOST", "http://LOCALHOST"),
    ("http://127.8.9.10", "http://127.8.9.10"),
    ("http://[::1]:8025", "http://[::1]:8025"),
)
def test_good_urls(given: str, kept: str) -> None:
    assert GreenApiSettings(base_url=given).base_url == kept
    assert GreenApiSettings(media_url=given).media_url == kept


FOREIGN = [
    *("api.green-api.com", "127.0.0.1.example.com", "localhost.example.com", "127.1", "10.0.0.1"),
    *("0.0.0.0", "localhost\\.evil.example"),
]


@cases(
    "url, why",
    *((url, "with a host") for url in ("", "api.green-api.com", "ftp://api.green-api.com")),
    *((url, "with a host") for url in ("https://", "https:///v1")),
    *((url, "a user") for url in ("https://user@host.example", "https://user:secret@host.example")),
    *((url, "a query") for url in ("https://host.example?x=1", "https://host.example/?")),
    ("https://host.example/#x", "a fragment"),
    ("https://host.example:99999", "ort out of range"),
    ("https://host.example:0", "port 0"),
    ("https://[::1", "Invalid IPv6"),
    ("https://host .example", "spaces"),
    ("https://host.example/\n", "control"),
    ("http://localhost\\@evil.example", "a user"),
    *((f"http://{host}", "must be https") for host in FOREIGN),
)
def test_bad_urls(url: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why) as caught:
        GreenApiSettings(base_url=url)
    assert "secret" not in str(caught.value)
    with pytest.raises(ValidationError, match=why):
        GreenApiSettings(media_url=url)


@cases("field", "connect_timeout", "read_timeout")
@cases("value", 0, -1, "nan", "inf", "soon", 1e300)
def test_bad_timeouts(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        GreenApiSettings(**{field: value})


@cases("rate", "50/s", "10/min", "5/h", "1/d", "0.5/s", "0.001/h", "1000000000/s")
def test_good_rates(rate: str) -> None:
    settings = GreenApiSettings(rate=rate, recipient_rate=rate)
    assert (settings.rate, settings.recipient_rate) == (rate, rate)
    assert parsed(rate), "and the rate limiter takes it, too"


@cases(
    "rate",
    *("50", "50/", "/s", "0/s", "0.0/s", "-1/s", "x/s", "5/day", "5 /s", "nan/s", "inf/s"),
    *("0.0009/h", "1000000001/s", "9" * 400 + "/s"),
)
def test_bad_rates(rate: str) -> None:
    why = "50/s|from 0.001 to"
    with pytest.raises(ValidationError, match=why):
        GreenApiSettings(rate=rate)
    with pytest.raises(ValidationError, match=why):
        GreenApiSettings(recipient_rate=rate)


def test_unknown_settings_are_refused_and_known_ones_are_fixed() -> None:
    with pytest.raises(ValidationError, match="base_ulr"):
        GreenApiSettings(base_ulr="https://gateway.example")
    with pytest.raises(ValidationError, match="frozen"):
        GreenApiSettings().rate = "1/s"


def test_the_token_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENAPI_TOKEN", TOKEN)
    settings = GreenApiSettings()
    assert settings.credentials().get_secret_value() == TOKEN
    assert TOKEN not in repr(settings) + str(settings)


@cases("around", "{}", "{}\n", "\r\n  {}\t\n")
def test_the_token_of_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, around: str) -> None:
    path = tmp_path / "token"
    path.write_text(around.format(TOKEN))
    monkeypatch.setenv("GREENAPI_TOKEN_FILE", str(path))
    assert GreenApiSettings().credentials().get_secret_value() == TOKEN


def test_settings_load_without_any_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENAPI_TOKEN", "")
    with pytest.raises(ConfigError, match=r"GREENAPI_TOKEN .*GREENAPI_TOKEN_FILE"):
        GreenApiSettings().credentials()


def test_two_tokens_are_one_too_many(tmp_path: Path) -> None:
    settings = GreenApiSettings(token=TOKEN, token_file=tmp_path / "token")
    with pytest.raises(ConfigError, match="not both"):
        settings.credentials()


@cases(
    "content, why",
    (None, "No such file"),
    (b"", "is empty"),
    (b" \n", "is empty"),
    (b"marker token", "holds a space"),
    (b"marker\ntoken", "holds a space"),
    (b"\xef\xbb\xbfmarker", "outside ASCII"),
    (b"\xff\xfe\x00marker", "outside ASCII"),
)
def test_token_files_that_are_none(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "secret-file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=why) as caught:
        GreenApiSettings(token_file=path).credentials()
    assert "secret-file" in str(caught.value)
    assert "GREENAPI_TOKEN_FILE" in str(caught.value)
    assert "marker" not in _everything(caught.value)


def test_a_folder_is_no_token_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        GreenApiSettings(token_file=tmp_path).credentials()
    with pytest.raises(ConfigError, match="cannot be read"):
        GreenApiSettings(token_file=Path("a\0b")).credentials()


@cases("bad", "", " ", "{} x", "{}\n", "\t{}", "{}\x00", "{}\x7f", "é{}", "{}ключ")
def test_bad_tokens_are_refused_without_being_shown(bad: str) -> None:
    settings = GreenApiSettings(token=bad.format(TOKEN))
    with pytest.raises(ConfigError, match="GREENAPI_TOKEN is") as caught:
        settings.credentials()
    assert TOKEN not in _everything(caught.value)


def _everything(error: BaseException) -> str:
    """Text, fields and traceback with the local variables of every frame below the test's."""
    inner = error.__traceback__.tb_next if error.__traceback__ else None
    shown = traceback.TracebackException(type(error), error, inner, capture_locals=True)
    return "".join([*shown.format(), str(error), repr(error), repr(vars(error))])


def test_a_token_file_without_an_end_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENAPI_TOKEN_FILE", "/dev/zero")
    with pytest.raises(ConfigError, match="is no token"):
        GreenApiSettings().credentials()
