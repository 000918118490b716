"""What a shell completes: manifests, messages, profiles, transports, plugins.

A shell asks for it each time that Tab is pressed. So it is quick (nothing is checked, and no server
is asked), and silent: whatever is wrong, there is nothing to complete.
"""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import click
from click.shell_completion import CompletionItem

from dispatcher.visible import printable

if TYPE_CHECKING:
    from dispatcher.config import Config

Words: TypeAlias = Callable[[click.Context, str], Iterable[str]]
Complete: TypeAlias = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_VARIABLE = "_DISPATCHER_COMPLETE"  # set by the function that `source` defines in a shell
_LARGEST = 1_000_000  # bytes of a manifest; reading a larger one takes longer than people wait
_MOST_KEYS = 100
_NEEDS_QUOTES = re.compile(r"[\s\"'`$\\&|;<>()*?\[\]{}!#~]")  # what a shell would not take as it is


def asked() -> bool:
    """Whether a shell asks what can be completed, or for the function that asks."""
    return bool(os.environ.get(_VARIABLE))


def answer(app: click.Command) -> int:
    """Print what the shell asked for; return the exit code."""
    try:
        with redirect_stderr(io.StringIO()):
            app.main([], prog_name="dispatcher", standalone_mode=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except Exception:
        return 1
    return 0


def _offering(words: Words, *, or_a_file: bool = False) -> Complete:
    """Return a callback of click that offers these words, or else the names of files."""

    def complete(
        context: click.Context, _: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        found: list[str] = []
        with suppress(Exception):
            found = [each for each in words(context, incomplete) if each.startswith(incomplete)]
        items = [CompletionItem(each) for each in found if _can_be_typed(each)]
        return items or ([CompletionItem(incomplete, type="file")] if or_a_file else [])

    return complete


def _can_be_typed(word: str) -> bool:
    return not _NEEDS_QUOTES.search(word) and printable(word) == word


class _Message(NamedTuple):
    manifest: str
    id: str


def _given_paths(context: click.Context) -> list[Path]:
    """Return the PATHs that are there; before an option whose value is missing, click has none."""
    return [*(context.params.get("paths") or map(Path, context.args))]


def _config(context: click.Context) -> Config:
    from dispatcher.config import load

    return load(Path.cwd(), paths=_given_paths(context), file=context.params.get("config"))


def _manifests(context: click.Context) -> list[Path]:
    """Return the files of the PATHs that are there, or else the configured ones."""
    from dispatcher.manifest.discovery import find

    return find(_given_paths(context) or [_config(context).manifests])[0]


def _messages(context: click.Context) -> Iterator[_Message]:
    """Yield the messages of manifests, as far as these can be read."""
    import tomli

    from dispatcher.inputs import open_regular

    for file in _manifests(context):
        with suppress(Exception):  # of one that is not written to its end, say; others are there
            with open_regular(file) as stream:
                content = stream.read(_LARGEST + 1)
            if len(content) > _LARGEST:
                continue
            table = tomli.loads(content.decode("utf-8-sig"))
            name = str(table.get("name", file.stem))
            yield from (
                _Message(name, str(each["id"])) for each in table["messages"] if "id" in each
            )


def _paths(context: click.Context, incomplete: str) -> Iterator[str]:
    from dispatcher.manifest.discovery import find

    given = {os.path.abspath(path) for path in _given_paths(context)}
    for file in find([_config(context).manifests])[0]:
        if os.path.abspath(file) not in given:
            yield os.path.relpath(file)


def _names(context: click.Context, incomplete: str) -> Iterator[str]:
    """Yield ids; with the manifest's name where several have one, or where that may be meant."""
    messages = list(_messages(context))
    count = Counter(each.id for each in messages)
    for each in messages:
        if count[each.id] == 1:
            yield each.id
        if count[each.id] > 1 or incomplete:
            yield f"{each.manifest}/{each.id}"


def _transports(context: click.Context, incomplete: str) -> Iterable[str]:
    from dispatcher.builtin import builtins
    from dispatcher.registry import build_registry

    return build_registry(builtins(), settings=_config(context).plugin_settings).transports()


def _plugins(_: click.Context, incomplete: str) -> Iterable[str]:
    from dispatcher.builtin import builtins
    from dispatcher.registry.loading import find_candidates

    return (each.info.name for each in find_candidates(builtins(), (), third_party=True))


def _keys(context: click.Context, incomplete: str) -> Iterator[str]:
    """Yield keys that a person may settle, unless the journal is on a server."""
    from dispatcher.api import Dispatcher

    given = context.params
    with Dispatcher.open(
        config=given.get("config"), profile=given.get("profile"), journal=given.get("journal")
    ) as opened:
        if opened.journal.startswith("sqlite:"):
            unknown = islice(opened.history(status="unknown"), _MOST_KEYS)
            yield from [row.key for row in unknown if row.key not in given.get("keys", ())]


paths = _offering(_paths, or_a_file=True)
message_names = _offering(_names)
message_ids = _offering(lambda context, _: {each.id for each in _messages(context)})
manifest_names = _offering(lambda context, _: {each.manifest for each in _messages(context)})
profiles = _offering(lambda context, _: _config(context).profiles)
transports = _offering(_transports)
plugins = _offering(_plugins)
keys = _offering(_keys)
