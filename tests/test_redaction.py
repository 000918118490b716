"""Secrets in whatever form they stand in what libraries log; and what is no secret stays."""

import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dispatcher.redaction import HIDDEN, SHORTEST, Secrets, hidden
from tests.support.cases import cases

SECRET = 'pa"ss/w+rd ü$%'


@cases(
    "written",
    SECRET,
    quote(SECRET),
    quote(SECRET, safe=""),
    quote_plus(SECRET),
    json.dumps({"key": SECRET}),
    json.dumps({"key": SECRET}, ensure_ascii=False),
    repr({"key": SECRET}),
    ascii(SECRET),
)
def test_every_form_of_a_secret_is_hidden(written: str) -> None:
    shown = hidden(f"before {written} after", SECRET)
    assert HIDDEN in shown
    assert "ss" not in shown
    assert (shown[:7], shown[-6:]) == ("before ", " after")


@given(st.binary(max_size=9), st.binary(min_size=SHORTEST), st.binary(max_size=9))
def test_a_secret_within_base64_is_hidden(before: bytes, secret: bytes, after: bytes) -> None:
    text = secret.hex()
    whole = base64.b64encode(before + text.encode() + after).decode()
    left = hidden(whole, text).replace(HIDDEN, "")
    assert len(left) <= -(-(len(before) + len(after) + 6) * 4 // 3) + 4


def test_a_short_word_is_in_too_many_texts_to_be_looked_for() -> None:
    assert hidden("6ba7b810-9dad and any token", "a") == "6ba7b810-9dad and any token"
    assert hidden("the token is 1234567", "1234567") == "the token is 1234567"


def test_parts_of_a_secret_url_are_secret_too() -> None:
    secrets = Secrets()
    secrets.add("json://maria%20k:pass%2Dphrase@127.0.0.1:80/hook/Zx9-token-42/x?key=qwertyuiop")
    line = secrets.hidden("POST /hook/Zx9-token-42/x then Zx9-token-42, qwertyuiop, pass-phrase")
    assert line == f"POST {HIDDEN} then {HIDDEN}, {HIDDEN}, {HIDDEN}"
    assert secrets.hidden("connection refused by 127.0.0.1:80") == (
        "connection refused by 127.0.0.1:80"
    )


def test_of_other_urls_only_the_password_is() -> None:
    secrets = Secrets()
    secrets.add_password("postgresql://postgres:my-password@database/journal-of-all")
    secrets.add_password("https://example.com/no-password-here")
    assert secrets.hidden("postgres my-password journal-of-all no-password-here") == (
        f"postgres {HIDDEN} journal-of-all no-password-here"
    )


def test_what_an_object_holds_is_found_when_it_holds_it() -> None:
    class Owner:
        targets: dict[str, list[SecretStr]]

    owner, secrets = Owner(), Secrets()
    secrets.watch(owner)
    assert secrets.hidden("say nothing-at-all") == "say nothing-at-all"
    owner.targets = {"default": [SecretStr("nothing-at-all")]}
    assert secrets.hidden("say nothing-at-all") == f"say {HIDDEN}"


@cases("format", "text", "json", "github")
def test_a_problem_on_stdout_does_not_quote_a_token(project: Any, format: str) -> None:
    token = "d75b3a66374942c5b3c0"
    project.manifest(f'[[messages]]\nid = "a"\nto = "{token}"\ntext.body = "Hi"\n')
    result = project.call("validate", "--format", format, env={"GREENAPI_TOKEN": token})
    assert (result.code, "***" in result.stdout, token in result.stdout) == (2, True, False)
