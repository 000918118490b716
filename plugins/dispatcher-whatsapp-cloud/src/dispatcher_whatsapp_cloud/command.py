"""`dispatcher whatsapp-templates pull`: writes the account's approved templates to files."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import tomli_w
from pydantic import ValidationError

from dispatcher import ConfigError, Dispatcher, ExitCode
from dispatcher_whatsapp_cloud.definitions import COMMAND, Definition

if TYPE_CHECKING:
    from dispatcher_whatsapp_cloud import CloudPluginSettings

_HEAD = f"# Written by `{COMMAND}`.\n"
_NAME = re.compile(r"[a-z0-9_]{1,512}")  # it becomes a file's
_PARTS = ("HEADER", "BODY", "FOOTER", "BUTTONS")


class Pulled(NamedTuple):
    """The approved templates, by name, each as the text of its file; what was left out, and why."""

    files: dict[str, str]
    left_out: list[str]


def templates_command(settings: CloudPluginSettings) -> click.Command:
    """Return the command, for the plugin's settings."""

    @click.group("whatsapp-templates")
    @click.option("--config", type=click.Path(path_type=Path), hidden=True)
    @click.option("--profile", hidden=True)
    @click.pass_context
    def command(context: click.Context, config: Path | None, profile: str | None) -> None:
        """Keep definitions of WhatsApp's message templates beside the manifests."""
        context.obj = {"config": config, "profile": profile}

    @command.command("pull")
    @click.option("--replace", is_flag=True, help="Also replace files that have other content.")
    @click.pass_obj
    def pull(session: Mapping[str, Any], replace: bool) -> int:
        """Write the account's approved templates to files, one each.

        A file that has other content stays as it is, and is named, unless --replace is given. The
        exit code is then 1.
        """
        account = settings.business_account_id
        if account is None:
            raise ConfigError(
                "whose templates? set business_account_id in [plugins.whatsapp-cloud], or "
                "WHATSAPP_CLOUD_BUSINESS_ACCOUNT_ID"
            )
        with Dispatcher.open(**session) as dispatcher:
            transport: Any = dispatcher.transport("whatsapp-cloud")
            pulled = read(transport.templates(account))
        different = _write(settings.templates, pulled, replace=replace)
        if different:
            click.echo(f"{different} left as they were; --replace replaces them", err=True)
        return ExitCode.FAILED if different else ExitCode.DONE

    return command


def read(templates: Iterable[Mapping[str, Any]]) -> Pulled:
    """Return the files for templates as the gateway lists them, one for each name."""
    languages: dict[str, dict[str, Any]] = defaultdict(dict)
    left_out = []
    for each in templates:
        name, code, status = (str(each.get(key, "")) for key in ("name", "language", "status"))
        if not _NAME.fullmatch(name) or not code:
            left_out.append(f"{name!r}: this is no template's name")
        elif status != "APPROVED":
            left_out.append(f"{name} ({code}): {status.lower() or 'of no status'}")
        else:
            translation = _translation(each)
            if (why := _why_no_definition(name, {code: translation})) is None:
                languages[name][code] = translation
            else:
                left_out.append(f"{name} ({code}): {why}")
    files = {name: _file(name, known) for name, known in sorted(languages.items())}
    return Pulled(files, left_out)


def _file(name: str, languages: Mapping[str, Any]) -> str:
    table = {"name": name, "languages": dict(sorted(languages.items()))}
    return f"{_HEAD}{tomli_w.dumps(table, multiline_strings=True)}"


def _why_no_definition(name: str, languages: Mapping[str, Any]) -> str | None:
    """Return what of a template a definition has no place for: the gateway may have new things."""
    try:
        Definition.model_validate({"name": name, "languages": languages})
        _file(name, languages).encode()
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'][2:]))}: {first['msg']}"
    except UnicodeEncodeError:
        return "a text holds half of a character"
    return None


def _tables(listed: Any) -> list[dict[str, Any]]:
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _translation(template: Mapping[str, Any]) -> dict[str, Any]:
    parts = {
        str(each.get("type", "")).upper(): each for each in _tables(template.get("components"))
    }
    header, buttons = parts.get("HEADER"), _tables(parts.get("BUTTONS", {}).get("buttons"))
    made = {
        "category": template.get("category"),
        "header": header
        and _given(type=str(header.get("format", "")).lower(), text=header.get("text")),
        "body": parts.get("BODY", {}).get("text"),
        "footer": parts.get("FOOTER", {}).get("text"),
        "buttons": [
            _given(
                type=str(each.get("type", "")).lower(),
                text=each.get("text"),
                url=each.get("url"),
                phone_number=each.get("phone_number"),
            )
            for each in buttons
        ],
        "other": [name.lower() for name in parts if name not in _PARTS],
    }
    return {key: value for key, value in made.items() if value not in (None, [])}


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _write(folder: Path, pulled: Pulled, *, replace: bool) -> int:
    """Write the files; return how many of them stay as they are although they differ."""
    different = 0
    for name, text in pulled.files.items():
        path = folder / f"{name}.toml"
        there = path.read_text(encoding="utf-8") if path.exists() else None
        if there == text:
            click.echo(f"unchanged {path}")
        elif there is None or replace:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            click.echo(f"{'wrote' if there is None else 'replaced'} {path}")
        else:
            different += 1
            click.echo(f"different {path}")
    for path in sorted(folder.glob("*.toml")):
        if path.stem not in pulled.files:
            click.echo(f"{path}: the account has no approved template of this name", err=True)
    for each in pulled.left_out:
        click.echo(f"left out {each}", err=True)
    return different
