"""The hooks, in the order of the pipeline, and the two interfaces that plugins may offer.

A plugin is a module (or an object) with functions marked `@hookimpl`; a distribution names it in
its entry points, group `dispatcher`:

    [project.entry-points.dispatcher]
    drive = "dispatcher_drive"

A plugin that has settings is a class with a class `Settings` (of pydantic-settings), named in the
entry points as `utm = "dispatcher_utm:Utm"`. It is made with them, as transports are: its table
`[plugins.utm]` in dispatcher.toml, overridden by the environment (`env_prefix` of the class):

    class Utm:
        Settings = UtmSettings

        def __init__(self, settings): ...

        @hookimpl
        def dispatcher_transform_payload(self, payload): ...

An implementation names only the arguments it needs. Third parties are asked before the built-ins,
and among them in the order of their names. Hooks are pure: they never touch the network. Names that
begin with `dispatcher_` belong to hooks; arguments have no defaults; wrappers are not supported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import pluggy

from dispatcher.models import Attachment, Message, Outcome, Payload, Problem

if TYPE_CHECKING:
    import click

    from dispatcher.transports import Transport

hookspec = pluggy.HookspecMarker("dispatcher")
hookimpl = pluggy.HookimplMarker("dispatcher")


@hookspec(firstresult=True)
def dispatcher_resolve_source(source: str, base: Path) -> Attachment | None:
    """Return what a media table's `source` is; the first result that is not None counts.

    `source` is rendered; `base` is the folder of its manifest. Returns an `Upload` (the core
    uploads it, once per content), a `Link`, a `MediaId`, or None if another plugin may know it.
    Raises `SourceError` if the source is this plugin's, but unusable.

        @hookimpl
        def dispatcher_resolve_source(source):
            if source.startswith("drive:"):
                return Link(url="https://drive.example.com/" + source.removeprefix("drive:"))
    """


@hookspec
def dispatcher_validate_message(
    message: Message, attachment: Attachment | None
) -> Iterable[Problem] | None:
    """Return the problems of a message, or None; those of all plugins are collected.

    `attachment` is what the message's source resolved to; None for a text, or if the source is
    unusable. An "error" keeps the whole plan from being sent.

        @hookimpl
        def dispatcher_validate_message(message):
            content = message.content
            if isinstance(content, Text) and "free of charge" in content.body:
                yield Problem(message='do not write "free of charge"', where="text.body")
    """


@hookspec
def dispatcher_transform_payload(payload: Payload, message: Message) -> None:
    """Change, in place, the JSON body that will be posted, and return nothing.

    Plugins are called one after the other. A file that is still to be uploaded stands in the
    payload as "upload:sha256:<hex>". The recipient must not be changed: see
    `BaseTransport.recipient_fields`. The payload must still be JSON afterwards.

        @hookimpl
        def dispatcher_transform_payload(payload):
            if "text" in payload:
                payload["text"]["body"] += "\\n\\nReply STOP to unsubscribe."
    """


@hookspec
def dispatcher_transports() -> Iterable[type[Transport]]:  # type: ignore[empty-body]
    """Return transports; a manifest chooses one by `transport = "name"`.

    @hookimpl
    def dispatcher_transports():
        return [CarrierPigeon]
    """


@hookspec
def dispatcher_message_finished(message: Message, outcome: Outcome) -> None:
    """Learn how a message ended in this run; a failure here is reported and changes nothing.

    @hookimpl
    def dispatcher_message_finished(message, outcome):
        if outcome.status == "failed":
            logging.getLogger("alerts").error("%s: %s", message.key, outcome.error)
    """


@hookspec
def dispatcher_engines() -> Iterable[Engine]:  # type: ignore[empty-body]
    """Return engines, which carry out a plan; `delivery.engine` in the configuration chooses one.

    @hookimpl
    def dispatcher_engines():
        return [OneByOne()]
    """


@hookspec
def dispatcher_commands() -> Iterable[click.Command]:  # type: ignore[empty-body]
    """Return subcommands to add to the command line.

    @hookimpl
    def dispatcher_commands():
        return [click.Command("moo", callback=lambda: click.echo("moo"))]
    """


class Engine(Protocol):
    """Carries out a plan; `delivery.engine` in the configuration chooses it by `name`."""

    name: ClassVar[str]

    def run(
        self,
        messages: Iterable[Message],
        deliver: Callable[[Message], float | None],
        workers: int,
        stopped: Callable[[], bool],
    ) -> None:
        """Call `deliver` with every message, from at most `workers` threads at a time.

        It returns None when the message has its outcome, or the seconds after which it must be
        called with it again. Messages to one recipient (`message.to`) must be delivered in their
        order, each to its end before the next one begins. Once `stopped()` is true, no delivery may
        be started, and `run` returns when none is running. Read `messages` only as needed: there
        may be more than fit in memory. `deliver` never raises for a message that failed; whatever
        it or `messages` does raise ends the run and must be passed on.
        """
        ...
