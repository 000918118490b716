"""Where targets come from, what is wrong with them, and that no error shows a URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher import ConfigError
from dispatcher.testing import message
from dispatcher_apprise.settings import AppriseSettings, read_targets
from dispatcher_apprise.transport import AppriseTransport

URL = "json://user:s3cret@127.0.0.1:9/"


def read(tmp_path: Path, named: str | None = None, one: str | None = None) -> dict[str, str]:
    """The targets of a targets file and of a file with one URL."""
    files = {"targets_file": named, "url_file": one}
    for name, text in files.items():
        if text is not None:
            (tmp_path / name).write_text(text)
    paths = [None if text is None else tmp_path / name for name, text in files.items()]
    targets = read_targets(AppriseSettings(targets_file=paths[0], url_file=paths[1]))
    return {name: url.get_secret_value() for name, url in targets.items()}


def test_where_they_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = f'ops = "{URL}"\n"on-call" = "{URL}"\n'
    assert read(tmp_path, named) == {"ops": URL, "on-call": URL}
    assert read(tmp_path, one=f"{URL}\n") == {"default": URL}
    monkeypatch.setenv("APPRISE_URL", URL)
    assert read(tmp_path, named).keys() == {"default", "ops", "on-call"}


@pytest.mark.parametrize(
    ("named", "one", "words"),
    [
        (None, None, "no targets for Apprise: set APPRISE_URL"),
        (f"ops = {URL}", None, "is not valid TOML (line 1, column 7)"),
        (f'"{URL}" = "ops"', None, 'expected lines like ops = "tgram://…"'),
        (f'[ops]\nurl = "{URL}"', None, 'expected lines like ops = "tgram://…"'),
        ('ops = " "', None, 'expected lines like ops = "tgram://…"'),
        (f'default = "{URL}"', URL, 'both set "default"'),
    ],
)
def test_what_is_wrong(tmp_path: Path, named: str | None, one: str | None, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, named, one)
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense://s3cret", "s3cret", "tgram://s3cret", "json://"])
def test_a_url_that_apprise_does_not_know(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    transport = AppriseTransport(AppriseSettings(APPRISE_URL=url))
    with pytest.raises(ConfigError) as caught:
        transport.require_credentials()
    assert str(caught.value) == 'the URL of target "default" is none that Apprise knows'
    assert "s3cret" not in "".join(capfd.readouterr())


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    one = AppriseSettings(targets_file=tmp_path)
    for settings in (one, AppriseSettings(url_file=tmp_path / "none")):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_targets(settings)


def test_what_a_target_cannot_take() -> None:
    transport = AppriseTransport(
        AppriseSettings(APPRISE_URL="pover://" + "u" * 30 + "@" + "t" * 30)
    )

    def problems(to: str, body: str) -> list[str]:
        payload = transport.build(message(to=to, text={"body": body}), None)
        return [problem.message for problem in transport.check(payload, None)]

    assert problems("defualt", "x") == ['there is no target "defualt"; did you mean "default"?']
    assert problems("default", "x" * 1025) == [
        'the text has 1025 characters; the service of target "default" takes 1024'
    ]
    assert problems("default", "x" * 1024) == []
