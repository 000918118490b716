"""Takes one message through the stages of a plan: resolve, validate, build, transform, check."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache, lru_cache, partial
from pathlib import Path

from dispatcher import plugin_results
from dispatcher.addresses import lenient_address
from dispatcher.bound_transports import BoundTransport, Calls, GetTransport
from dispatcher.errors import PluginError, SourceError
from dispatcher.inputs import InputFile, Inputs
from dispatcher.manifest.definitions import Definition, LoadedMessage
from dispatcher.models import (
    Address,
    Attachment,
    Link,
    MediaId,
    Message,
    Problem,
    ReportProblem,
    Upload,
    encode,
    leaves,
)
from dispatcher.models.content import media_within
from dispatcher.planning.comparison import PlannedMessage
from dispatcher.registry import PluginInfo, RecipientChanged, Registry


class Stages:
    """Plans single messages. `inputs` collects the files that are to be uploaded.

    Unless `may_stop`, no message stops others, whatever its manifest says.
    """

    def __init__(
        self, registry: Registry, transports: GetTransport, inputs: Inputs, *, may_stop: bool
    ) -> None:
        self._registry, self._get_transport = registry, transports
        self._inputs, self._may_stop = inputs, may_stop
        self._transports = cache(self._bound)
        self._resolve = lru_cache(maxsize=4096)(self._resolve_source)

    def address(self, transport: str, written: str, country: str | None) -> Address:
        """Return a recipient as this transport has it. Raises AddressError."""
        try:
            bound = self._transports(transport)
        except PluginError:  # reported where the transport is named: `_transport`
            return lenient_address(written, country)
        return bound.address(written, country)

    def planned(self, loaded: LoadedMessage, report: ReportProblem) -> PlannedMessage | None:
        """Return a message as it would be sent, and report its problems.

        Returns None if its transport cannot be asked. Raises PluginError, with the message's place,
        if a plugin fails.
        """
        try:
            return self._planned(loaded, report)
        except PluginError as error:
            raise loaded.definition.located_error(error) from error

    def _planned(self, loaded: LoadedMessage, report: ReportProblem) -> PlannedMessage | None:
        message, definition, bad_keys, former_keys, _ = loaded
        attachment, found = self._attachment(message, definition)
        # If a source cannot be resolved, the rest of the message is still checked.
        stand_in = MediaId(id="unresolved") if attachment is None and found else attachment
        problems = _not_told_yet(found, bad_keys)
        found = self._registry.validate_message(message, attachment)
        objected = any(problem.is_error for problem in found)
        problems += _not_told_yet(found, bad_keys, problems)
        if isinstance(attachment, Upload):
            problems += self._of_content(message, partial(_ambiguous, message, attachment))
        transport = self._transport(loaded, report)
        if transport is not None and transport.has_own_addresses and "to" in bad_keys:
            transport = None  # which need not handle a recipient that it refused
        if transport is not None:
            sealed = built = transport.build(message, stand_in)
            try:
                if not objected:  # who changes payloads may rely on what was checked
                    sealed = self._registry.transform_payload(
                        sealed, message, transport.recipient_fields
                    )
            except RecipientChanged as error:
                problems.append(Problem(message=str(error)))
            found = transport.check(sealed, attachment)
            if found:
                found = self._of_content(message, partial(_as_written, found, message))
            problems += _not_told_yet(found, bad_keys, problems)
        for problem in problems:
            report(definition.locate(problem))
        if transport is None:
            return None
        upload = attachment if isinstance(attachment, Upload) else None
        strict = definition.file.data.get("stop_on_failure", False) and self._may_stop
        return PlannedMessage(
            message,
            sealed,
            upload,
            _digest(sealed, attachment),
            stop_on_failure=strict,
            former_keys=former_keys,
            built=None if built == sealed else built,
        )

    def unsteady(self, loaded: LoadedMessage) -> list[PluginInfo]:
        """Return the plugin that answers differently for one message; else all that may do so.

        No file has changed, so only a plugin can be the reason for another payload.
        """
        message, transport = loaded.message, self._transports(loaded.message.transport)
        attachment, _ = self._attachment(message, loaded.definition)
        built = transport.build(message, attachment)
        if transport.build(message, attachment) != built:
            return [transport.plugin]
        suspects = [transport.plugin, *self._registry.unsteady(built, message)]
        return suspects[1:] if transport.plugin.builtin else suspects

    def _of_content(self, message: Message, find: Callable[[], list[Problem]]) -> list[Problem]:
        """Return problems that are found with a plugin's model. Raises PluginError."""
        return self._registry.call_content(message.transport, find)

    def _transport(self, loaded: LoadedMessage, report: ReportProblem) -> BoundTransport | None:
        try:
            return self._transports(loaded.message.transport)
        except PluginError as error:
            problem = Problem(message=str(error), where="transport")
            report(loaded.definition.locate(problem))
            return None

    def _bound(self, name: str) -> BoundTransport:
        return BoundTransport(self._get_transport(name), Calls(self._registry.timer))

    def _attachment(
        self, message: Message, definition: Definition
    ) -> tuple[Attachment | None, list[Problem]]:
        media = message.media
        if media is None:
            return None, []
        provider = media.provider.name if media.provider else None
        if media.link is not None:
            return Link(url=media.link, provider=provider), []
        if media.source is None:
            return MediaId(id=media.id or ""), []
        attachment = self._resolve(media.source, definition.base)
        if isinstance(attachment, str):
            return None, [Problem(message=attachment, where=f"{message.media_path}.source")]
        if isinstance(attachment, Link) and provider is not None:
            attachment = attachment.model_copy(update={"provider": provider})
        return attachment, [*_other_sources(message)]

    def _resolve_source(self, source: str, base: Path) -> Attachment | str:
        """Return what a source resolves to, or a sentence that says why it does not."""
        try:
            attachment = self._registry.resolve_source(source, base)
        except SourceError as error:
            return str(error)
        if isinstance(attachment, Upload) and (file := InputFile.opened_by(attachment.open)):
            self._inputs.note_media(file)
        return attachment or f'no plugin knows the source "{source}"'


def _other_sources(message: Message) -> Iterator[Problem]:
    """Yield a problem for each file that would be left where it is, as another is sent."""
    first, *others = [
        path
        for path, media in media_within(message.content, message.type)
        if media.source is not None
    ]
    for path in others:
        sentence = f"a message has one source, which is {first}.source; give a link or an id here"
        yield Problem(message=sentence, where=f"{path}.source")


def _digest(sealed: bytes, attachment: Attachment | None) -> str:
    """Return a hash of a payload, in which a file counts by its content."""
    if isinstance(attachment, Link) and attachment.identity is not None:
        url, identity = (
            encode({"": each})[len('{"":"') : -len('"}')]
            for each in (attachment.url, attachment.identity)
        )
        sealed = sealed.replace(url, identity)
    return hashlib.sha256(sealed).hexdigest()


def _ambiguous(message: Message, upload: Upload) -> list[Problem]:
    """Return a problem for each text that would be replaced by the file's media id."""
    texts = [*leaves({message.type: message.content.model_dump()})]
    texts.append((f"{message.media_path}.source", upload.filename))
    sentence = f"{upload.reference} stands for the file itself; write something else"
    return [
        Problem(message=sentence, where=where) for where, text in texts if text == upload.reference
    ]


def _not_told_yet(
    found: list[Problem], bad_keys: Collection[str], told: Iterable[Problem] = ()
) -> list[Problem]:
    """Return the problems of keys that have none reported yet, so that each mistake is one line."""
    if not found:
        return found
    known = {*bad_keys, *(problem.where for problem in told if problem.is_error)}
    return [problem for problem in found if problem.where is None or problem.where not in known]


def _as_written(found: list[Problem], message: Message) -> list[Problem]:
    """Return a transport's problems with the manifest's keys instead of the payload's."""
    places = {}
    if message.media is not None and message.media.source is not None:
        origins = (f"{message.media_path}.link", f"{message.media_path}.id")
        places = dict.fromkeys(origins, f"{message.media_path}.source")
    written: list[Problem] = []
    for problem in found:
        where = problem.where and plugin_results.checked_key(
            message.content.written_at(problem.where)
        )
        written.append(problem.model_copy(update={"where": places.get(where or "", where)}))
    return written
