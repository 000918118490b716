"""What arrived at the sandbox, as a conversation in the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from dispatcher.cli.output import Coloured, print_line

_Arrived = dict[str, Any]


def print_conversation(messages: Iterable[_Arrived], media: Iterable[_Arrived]) -> None:
    """One block a recipient, in the order of arrival; `media`: the uploaded files."""
    files = {file["id"]: file for file in media}
    for to, chat in groupby(sorted(messages, key=lambda each: str(each["to"])), lambda m: m["to"]):
        print_line("")
        print_line(Coloured(f"{to}{' (group)' if '-' in to else ''}", bold=True))
        for message in chat:
            first, *rest = _bubble(message["payload"], files)
            print_line(f"  • {first}")
            for line in rest:
                print_line(f"    {line}")


def _bubble(payload: _Arrived, files: dict[str, _Arrived]) -> list[str]:
    type = payload.get("type", "text")
    content = payload[type]
    if type == "text":
        return list(content["body"].splitlines())
    lines = [f"[{type}] {_where(content, files)}"]
    return lines + str(content.get("caption", "")).splitlines()


def _where(content: _Arrived, files: dict[str, _Arrived]) -> str:
    if "link" in content:
        provider = content.get("provider", {}).get("name")
        return f"{content['link']} (through {provider})" if provider else str(content["link"])
    file = files.get(content["id"])
    name = content.get("filename", "")
    if file is None:
        return str(name or content["id"])
    return f"{name} {file['content_type']}, {file['size']} bytes".strip()
