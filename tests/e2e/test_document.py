"""Every variant of a message in docs/greenapi-v1.md arrives exactly as it was written.

All media, by id and by link, and texts to a person and to a group.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases
from tests.support.project import EXAMPLES, NewProject, Project

PERSON, GROUP = "79001234567", "79001234567-1581234048"
ID_OF_FILE, ID_OF_MEDIUM = "<id of the uploaded file>", "<id of a medium at the gateway>"
LINK = "https://cdn.example.com/the-url"

# Keys of the message's TOML table → what the request's body holds beside to, type and the like.
TEXTS: dict[str, tuple[str, dict[str, Any]]] = {
    "text": (
        'text.body = "I use Green-API to send this message to you!"',
        {"text": {"body": "I use Green-API to send this message to you!"}},
    ),
    "text-with-type": (
        'type = "text"\ntext.body = "I use Green-API to send this message to the Group! 😃"',
        {"text": {"body": "I use Green-API to send this message to the Group! 😃"}},
    ),
    "text-with-preview": (
        'preview_url = true\ntext.body = "https://green-api.com"',
        {"text": {"body": "https://green-api.com"}, "preview_url": True},
    ),
    "text-without-preview": (
        'preview_url = false\ntext.body = "https://green-api.com"',
        {"text": {"body": "https://green-api.com"}, "preview_url": False},
    ),
}
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "file": ('source = "files/{kind}.bin"', {"id": ID_OF_FILE}),
    "id": (f'id = "{ID_OF_MEDIUM}"', {"id": ID_OF_MEDIUM}),
    "link": (f'link = "{LINK}"', {"link": LINK}),
    "link-with-provider": (
        f'link = "{LINK}"\nprovider.name = "provider-name"',
        {"link": LINK, "provider": {"name": "provider-name"}},
    ),
    "url-as-source": (f'source = "{LINK}"', {"link": LINK}),
}
EXTRAS: dict[str, dict[str, str]] = {
    "image": {"caption": "your-image-caption"},
    "video": {"caption": "your-video-caption"},
    "audio": {},
    "document": {"caption": "your-document-caption", "filename": "your-document-filename"},
}


def variants() -> dict[str, tuple[str, dict[str, Any]]]:
    found = {name: (toml, {"type": "text", **body}) for name, (toml, body) in TEXTS.items()}
    for kind, extras in EXTRAS.items():
        for way, (toml, fields) in WAYS.items():
            lines = [f"[messages.{kind}]", toml.replace("{kind}", kind)]
            found[f"{kind}-by-{way}"] = "\n".join(lines), {"type": kind, kind: fields}
            lines += [f'{key} = "{value}"' for key, value in extras.items()]
            body = {"type": kind, kind: {**fields, **extras}}
            found[f"{kind}-by-{way}-complete"] = "\n".join(lines), body
    return found


VARIANTS = variants()


@dataclass
class Sent:
    """What one run sent: the payloads by message id and recipient, and the gateway's files."""

    payloads: dict[tuple[str, str], Any]
    media: dict[str, dict[str, Any]]
    medium: str


@pytest.fixture(scope="module")
def sent(sandbox_process: SandboxProcess, new_project: NewProject) -> Sent:
    sandbox_process.clear()
    project = new_project()
    medium = uploaded(sandbox_process.url, b"somebody else's upload")
    for kind in EXTRAS:
        project.write(f"manifests/files/{kind}.bin", f"the bytes of {kind}")
    entries = [f'[[messages]]\nid = "{name}"\n{toml}' for name, (toml, _) in VARIANTS.items()]
    defaults = f'[defaults]\nto = ["{PERSON}", "{GROUP}"]\n'
    project.manifest((defaults + "\n".join(entries)).replace(ID_OF_MEDIUM, medium))

    result = project.call("send", "--json")

    assert result.code == 0, result.stderr
    by_receipt = {message["id"]: message["payload"] for message in sandbox_process.messages()}
    payloads = {
        (line["message"], line["to"]): by_receipt.pop(line["id"])
        for line in result.events("result")
    }
    assert not by_receipt, "nothing arrived that was not reported"
    return Sent(payloads, {file["id"]: file for file in sandbox_process.media()}, medium)


def uploaded(url: str, content: bytes) -> str:
    headers = {"Authorization": "Bearer x", "X-Gr-File-Extension": "bin"}
    with urlopen(Request(f"{url}/v1/media", content, headers)) as response:
        return str(json.load(response)["media"][0]["id"])


@pytest.mark.parametrize("recipient", [PERSON, GROUP])
@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_arrives_as_the_document_shows_it(sent: Sent, variant: str, recipient: str) -> None:
    arrived = sent.payloads[variant, recipient]
    _, expected = VARIANTS[variant]
    kind = expected["type"]
    content = {**expected[kind]}
    if content.get("id") == ID_OF_MEDIUM:
        content["id"] = sent.medium
    if content.get("id") == ID_OF_FILE:
        content["id"] = arrived[kind]["id"]
        file = sent.media[content["id"]]
        assert file["sha256"] == hashlib.sha256(f"the bytes of {kind}".encode()).hexdigest()
    assert arrived == {
        "recipient_type": "group" if recipient == GROUP else "individual",
        "to": recipient,
        **expected,
        kind: content,
    }


@cases(
    "name, type, extension",
    ("banner.png", "image/png", "png"),
    ("shop.jpg", "image/jpeg", "jpg"),
    ("tour.mp4", "video/mp4", "mp4"),
    ("greeting.mp3", "audio/mpeg", "mp3"),
    ("prices.pdf", "application/pdf", "pdf"),
)
def test_file_arrives_byte_for_byte_with_its_type(
    project: Project, name: str, type: str, extension: str
) -> None:
    content = (EXAMPLES / "files" / name).read_bytes()
    project.write(f"manifests/{name}", content)
    project.manifest(f'[[messages]]\nid = "a"\nto = "{PERSON}"\ndocument.source = "{name}"')

    assert project.call("send").code == 0

    (message,) = project.inbox.messages()
    id = message["payload"]["document"]["id"]
    (file,) = (file for file in project.inbox.media() if file["id"] == id)
    assert (file["content_type"], file["extension"]) == (type, extension)
    request = Request(f"{project.inbox.url}/v1/media/{id}", headers={"Authorization": "Bearer x"})
    with urlopen(request) as response:
        assert response.read() == content
