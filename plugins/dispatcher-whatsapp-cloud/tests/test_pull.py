"""`dispatcher whatsapp-templates pull` against Meta's list of templates."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dispatcher.testing import Reply, Request, ScriptedGateway, manifest

ACCOUNT = "102290129340398"
TOKEN = "marker-token-EAAG81c6"
Dispatch = Callable[..., subprocess.CompletedProcess[str]]

ORDER: dict[str, Any] = {
    "name": "order_ready",
    "language": "en_US",
    "status": "APPROVED",
    "category": "UTILITY",
    "id": "1",
    "components": [
        {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["https://x"]}},
        {
            "type": "BODY",
            "text": 'Hello {{1}},\nyour order {{2}} is "ready".',
            "example": {"body_text": [["Anna", "A-17"]]},
        },
        {"type": "FOOTER", "text": "Roses"},
        {
            "type": "BUTTONS",
            "buttons": [
                {"type": "URL", "text": "Track it", "url": "https://example.com/{{1}}"},
                {"type": "QUICK_REPLY", "text": "Thanks"},
            ],
        },
    ],
}
RUSSIAN = {
    **ORDER,
    "language": "ru",
    "components": [{"type": "BODY", "text": "Готово: {{1}}"}, {"type": "CAROUSEL", "cards": []}],
}
REJECTED = {**ORDER, "name": "sale", "status": "REJECTED"}
EXPECTED = '''\
# Written by `dispatcher whatsapp-templates pull`.
name = "order_ready"

[languages.en_US]
category = "UTILITY"
body = """
Hello {{1}},
your order {{2}} is \\"ready\\"."""
footer = "Roses"
buttons = [
    { type = "url", text = "Track it", url = "https://example.com/{{1}}" },
    { type = "quick_reply", text = "Thanks" },
]

[languages.en_US.header]
type = "image"

[languages.ru]
category = "UTILITY"
body = "Готово: {{1}}"
other = [
    "carousel",
]
'''
ENGLISH = EXPECTED.partition("\n[languages.ru]")[0]


class Meta:
    """The list of an account's templates, `size` on a page."""

    def __init__(self, *templates: dict[str, Any], size: int = 2) -> None:
        self.templates, self.size = list(templates), size

    def __call__(self, request: Request) -> Reply:
        url = urlsplit(request.path)
        asked = {key: value[0] for key, value in parse_qs(url.query).items()}
        known = request.headers.get("authorization") == f"Bearer {TOKEN}"
        if not known or url.path != f"/v24.0/{ACCOUNT}/message_templates":
            return Reply(400, {"error": {"code": 190, "message": f"(#190) {TOKEN} expired"}})
        start = int(asked.get("after", "p=0").removeprefix("p="))
        end = start + self.size
        paging: dict[str, Any] = {"cursors": {"after": f"p={end}"}}
        if end < len(self.templates):
            paging["next"] = f"https://graph.example.com/?access_token={TOKEN}&after={end}"
        return Reply(200, {"data": self.templates[start:end], "paging": paging})


@pytest.fixture
def pull(dispatcher: Dispatch, tmp_path: Path) -> Dispatch:
    config = tmp_path / "dispatcher.toml"
    config.write_text(
        f'{config.read_text()}[plugins.whatsapp-cloud]\nbusiness_account_id = "{ACCOUNT}"\n'
    )
    return lambda *options: dispatcher("whatsapp-templates", "pull", *options)


def test_approved_templates_become_files(
    pull: Dispatch, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    gateway.script(Meta(ORDER, REJECTED, RUSSIAN))
    done = pull()
    assert done.returncode == 0, done.stderr
    assert done.stdout == "wrote templates/order_ready.toml\n"
    assert "left out sale (en_US): rejected" in done.stderr
    assert [each.name for each in (tmp_path / "templates").iterdir()] == ["order_ready.toml"]
    assert (tmp_path / "templates/order_ready.toml").read_text() == EXPECTED
    assert len(gateway.requests) == 2
    assert pull().stdout == "unchanged templates/order_ready.toml\n"


@pytest.mark.parametrize(
    ("components", "why"),
    [
        ([{"type": "HEADER", "format": "GIF"}], "header.type: Input should be 'text', 'image'"),
        ([{"type": "BODY", "text": 5}], "body: Input should be a valid string"),
        ([{"type": "BODY", "text": "\ud83d"}], "a text holds half of a character"),
        ([{"type": "BUTTONS", "buttons": [{"type": "B-2"}]}], "buttons.0.type: String should"),
        ([{"type": "BUTTONS", "buttons": ["Yes"]}], None),
        ([{"type": "BUTTONS", "buttons": 2}], None),
        ("none", None),
    ],
)
def test_a_template_that_is_new_to_us_keeps_no_other_out(
    pull: Dispatch, gateway: ScriptedGateway, tmp_path: Path, components: Any, why: str | None
) -> None:
    gateway.script(Meta({**ORDER, "name": "odd", "components": components}, ORDER))
    done = pull()
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "templates/order_ready.toml").read_text()
    assert (tmp_path / "templates/odd.toml").exists() == (why is None)
    assert (f"left out odd (en_US): {why}" in done.stderr) == (why is not None)


def test_a_file_with_other_content_stays_unless_it_is_to_be_replaced(
    pull: Dispatch, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    gateway.script(Meta(ORDER))
    assert pull().returncode == 0
    gateway.script(Meta({**ORDER, "components": [{"type": "BODY", "text": "Come!"}]}))
    path = tmp_path / "templates/order_ready.toml"
    before = path.read_text()
    done = pull()
    assert (done.returncode, done.stdout) == (1, "different templates/order_ready.toml\n")
    assert "--replace" in done.stderr
    assert path.read_text() == before
    done = pull("--replace")
    assert (done.returncode, done.stdout) == (0, "replaced templates/order_ready.toml\n")
    assert 'body = "Come!"' in path.read_text()


def test_a_template_that_is_gone_is_named_and_its_file_stays(
    pull: Dispatch, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    gateway.script(Meta(ORDER))
    assert pull().returncode == 0
    gateway.script(Meta(REJECTED))
    done = pull()
    assert "templates/order_ready.toml: the account has no approved template" in done.stderr
    assert (tmp_path / "templates/order_ready.toml").exists()


def test_what_was_pulled_is_what_messages_are_checked_by(
    pull: Dispatch, dispatcher: Dispatch, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    gateway.script(Meta(ORDER))
    assert pull().returncode == 0
    template = {
        "name": "order_ready",
        "language": "en_US",
        "header": {"image": {"link": "https://cdn.example.com/a.png"}},
        "body": ["Anna"],
        "buttons": [{"url": "A-17"}],
    }
    manifest(tmp_path / "manifests", {"id": "order", "template": template})
    done = dispatcher("validate")
    assert done.returncode == 2
    assert "takes 2 parameters ({{1}}, {{2}}); there is 1 (whatsapp-cloud)" in done.stdout
    template["body"] = ["Anna", "A-17"]
    manifest(tmp_path / "manifests", {"id": "order", "template": template})
    assert dispatcher("validate").returncode == 0
    assert "Hello Anna, your order A-17 is" in dispatcher("plan").stdout


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(400, {"error": {"code": 190, "message": f"(#190) {TOKEN} expired"}}), "190"),
        (Reply(200, {"data": "none"}), "no list of templates"),
        (Reply(500), "500"),
    ],
)
def test_what_the_gateway_refuses_is_told_without_the_token(
    pull: Dispatch, gateway: ScriptedGateway, tmp_path: Path, reply: Reply, code: str
) -> None:
    gateway.script(reply)
    done = pull()  # the fixture looks for the token in what it prints
    assert done.returncode not in (0, 70)
    assert code in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "templates").exists()


def test_a_list_without_end_ends(pull: Dispatch, gateway: ScriptedGateway) -> None:
    endless = {"data": [ORDER], "paging": {"cursors": {"after": "x"}, "next": "https://x"}}
    gateway.script(Reply(200, endless))
    assert pull().returncode == 0
    assert len(gateway.requests) == 2


def test_what_is_missing_is_told(dispatcher: Dispatch, tmp_path: Path) -> None:
    done = dispatcher("whatsapp-templates", "pull")
    assert done.returncode == 2
    assert "set business_account_id in [plugins.whatsapp-cloud]" in done.stderr


def test_a_service_with_another_list_says_so(pull: Dispatch, tmp_path: Path) -> None:
    config = tmp_path / "dispatcher.toml"
    config.write_text(
        config.read_text().replace("recipient_rate", 'service = "360dialog"\nrecipient_rate')
    )
    done = pull()
    assert done.returncode == 2
    assert "360dialog does not list templates as Meta does" in done.stderr


def test_a_profile_has_an_account_and_a_folder_of_its_own(
    dispatcher: Dispatch, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    gateway.script(Meta(ORDER))
    config = tmp_path / "dispatcher.toml"
    table = f'business_account_id = "{ACCOUNT}"\ntemplates = "test/templates"\n'
    config.write_text(f"{config.read_text()}[profiles.test.plugins.whatsapp-cloud]\n{table}")
    (tmp_path / "manifests").mkdir()
    for options in (["--profile", "test"], ["-C", "manifests", "--profile", "test"]):
        done = dispatcher(*options, "whatsapp-templates", "pull")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "test/templates/order_ready.toml").read_text() == ENGLISH
