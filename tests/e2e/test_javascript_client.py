"""The provider's own JavaScript client, unchanged, works with the local gateway."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dispatcher.sandbox.process import SandboxProcess
from tests.support.npm import installed

CLIENT = "@green-api/v1-whatsapp-api-client"
VERSION = "0.1.7"
PERSON, GROUP = "79001234567", "79001234567-1581234048"
LINK = "https://example.com/the-url"

SCRIPT = f"""
const WhatsAppApi = require("{CLIENT}");
const url = process.argv[2];
const api = new WhatsAppApi("any-token", {{ apiRoot: `${{url}}/v1`, mediaRoot: `${{url}}/v1` }});

(async () => {{
  const {{ messages, media }} = api;
  const id = await media.uploadMedia(Buffer.from("the bytes"), ".jpeg");
  const answers = [
    await messages.sendTextMessage("{PERSON}", "Hello 😃"),
    await messages.sendTextMessageToGroup("{GROUP}", "Hello, everybody"),
    await messages.sendImageById("{PERSON}", id, "A caption"),
    await messages.sendImageByLink("{PERSON}", "{LINK}", "A caption"),
    await messages.sendVideoById("{PERSON}", id),
    await messages.sendVideoByLink("{PERSON}", "{LINK}"),
    await messages.sendAudioById("{PERSON}", id),
    await messages.sendAudioByLink("{PERSON}", "{LINK}"),
    await messages.sendDocumentById("{PERSON}", id),
    await messages.sendDocumentByLink("{PERSON}", "{LINK}"),
  ];
  const refusal = await messages.sendTextMessage("{PERSON}", "x".repeat(4097)).catch((e) => e);
  console.log(JSON.stringify({{
    id, sent: answers.map((answer) => answer.messages[0].id), refusal: refusal.message,
  }}));
}})();
"""


@pytest.fixture
def client() -> Path:
    """A folder in which the client is installed."""
    return installed(CLIENT, VERSION)


def test_providers_client_sends_and_uploads(client: Path, inbox: SandboxProcess) -> None:
    script = client / "test.cjs"
    script.write_text(SCRIPT)

    node = subprocess.run(["node", str(script), inbox.url], capture_output=True, text=True)

    assert node.returncode == 0, node.stderr
    answered = json.loads(node.stdout)
    id = answered["id"]
    (file,) = (file for file in inbox.media() if file["id"] == id)
    assert (file["size"], file["extension"], file["content_type"]) == (9, "jpeg", "image/jpeg")
    arrived = inbox.messages()
    assert [message["id"] for message in arrived] == answered["sent"]
    text = {"to": PERSON, "type": "text", "text": {"body": "Hello 😃"}}
    group = {"to": GROUP, "type": "text", "text": {"body": "Hello, everybody"}}
    assert [message["payload"] for message in arrived] == [
        text,
        {"recipient_type": "group", **group},
        media("image", {"id": id, "caption": "A caption"}),
        media("image", {"link": LINK, "caption": "A caption"}),
        media("video", {"id": id}),
        media("video", {"link": LINK}),
        media("audio", {"id": id}),
        media("audio", {"link": LINK}),
        media("document", {"id": id}),
        media("document", {"link": LINK}),
    ]
    assert json.loads(answered["refusal"])["errors"][0]["code"] == 1032


def media(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"recipient_type": "individual", "to": PERSON, "type": kind, kind: content}
