"""A plan in a file: it is reviewed, and then it is what is sent, or nothing is.

The file says which messages a plan had, each by hashes of its key and of its content, and from what
it was made. It holds no number and no payload. Whoever has it can still try for each number in turn
whether it is in it, as with any hash of a number.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dispatcher.api.plan import PlanRequest
from dispatcher.errors import ConfigError, PlanOutdated
from dispatcher.inputs import open_regular
from dispatcher.keys import parsed
from dispatcher.localfiles import reason, replace_file
from dispatcher.planning.selection import SelectionOptions
from dispatcher.visible import quoted

if TYPE_CHECKING:
    from dispatcher.planning import PlannedMessage

_HASH = 12  # bytes of a key's hash, and of a content's
_ENTRY = 2 * _HASH
_MOST_NAMED = 20  # messages, files: more are counted


class Circumstances(BaseModel):
    """What a plan was made from, besides its messages.

    `gateways` are the addresses of the transports, `accounts` ids of their accounts, which hide the
    token, where there is one; `journal` is its id, if there is one yet; `plugins` are the
    distributions of third parties,
    `inputs` the hashes of all files by their paths, relative to the configuration's folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str | None
    configuration: str | None
    gateways: dict[str, str | None]
    accounts: dict[str, str]
    journal: str | None = None
    plugins: dict[str, str]
    inputs: dict[str, str]

    def differences(self, now: Circumstances) -> Iterator[str]:
        """Say what is not as it was."""
        if self.profile != now.profile:
            yield f"{_profile(self.profile)} then, {_profile(now.profile)} now"
        if self.configuration != now.configuration:
            yield "the configuration is another one"
        yield from _changes("gateway ", self.gateways, now.gateways)
        both = self.accounts.keys() & now.accounts.keys()
        for name in sorted(each for each in both if self.accounts[each] != now.accounts[each]):
            yield f"the account of {name}, or an address of its files, is another one"
        if self.journal not in (None, now.journal):
            yield "the journal is another one"
        yield from _changes("plugin ", self.plugins, now.plugins)
        yield from _changes("", self.inputs, now.inputs, values=False)


class PlanContents:
    """The messages of a plan by name, and for each name and status the hashes of its messages."""

    def __init__(
        self, salt: str | None = None, hashes: Mapping[str, Mapping[str, bytes]] | None = None
    ) -> None:
        self.salt = salt or secrets.token_hex(16)
        self.transports: set[str] = set()
        self._key = bytes.fromhex(self.salt)
        self.hashes: dict[str, dict[str, bytearray]] = {
            name: {status: bytearray(each) for status, each in by_status.items()}
            for name, by_status in (hashes or {}).items()
        }

    def add(self, planned: PlannedMessage) -> None:
        """Add a message."""
        message = planned.message
        self.transports.add(message.transport)
        key = parsed(message.key)
        name = "/".join(key[:-1]) if key else message.key
        entries = self.hashes.setdefault(name, {}).setdefault(planned.status, bytearray())
        entries += self._hash(message.key) + self._hash("/".join(map(str, planned.content)))

    def add_all(self, planned: Iterable[PlannedMessage]) -> None:
        """Add several messages."""
        for each in planned:
            self.add(each)

    def _hash(self, text: str) -> bytes:
        encoded = text.encode(errors="surrogatepass")
        return hashlib.blake2b(encoded, digest_size=_HASH, key=self._key).digest()

    def differences(self, now: PlanContents) -> Iterator[str]:
        """Say of which messages other people, other content or another status is planned now."""
        for name in dict.fromkeys([*self.hashes, *now.hashes]):
            before, after = self._by_key(name), now._by_key(name)
            if before == after:
                continue
            found: Counter[str] = Counter()
            for key, (content, status) in after.items():
                if key not in before:
                    found["not in the plan"] += 1
                    continue
                then, was = before[key]
                if then != content:
                    found["with other content"] += 1
                if was != status:
                    found[f"{was} then, {status} now"] += 1
            if gone := sum(key not in after for key in before):
                found["not there any more"] = gone
            yield f"{name}: {', '.join(f'{count} {what}' for what, count in found.items())}"

    def _by_key(self, name: str) -> dict[bytes, tuple[bytes, str]]:
        return {
            entry[:_HASH]: (entry[_HASH:], status)
            for status, entries in self.hashes.get(name, {}).items()
            for entry in _split(entries)
        }


class _Selection(BaseModel):
    model_config = ConfigDict(extra="forbid")

    only: tuple[str, ...] = ()
    limit: int | None = None
    sample: int | None = None


class _File(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(extra="forbid")

    plan: Literal[1] = 1
    made: datetime
    paths: tuple[str, ...]
    run: str | None
    selection: _Selection
    made_from: Circumstances
    salt: str = Field(pattern="^[0-9a-f]{32}$")
    messages: dict[str, dict[str, str]]


class SavedPlan(NamedTuple):
    """A plan as it was reviewed."""

    file: Path
    request: PlanRequest
    made_from: Circumstances
    contents: PlanContents

    @classmethod
    def read(cls, file: Path, folder: Path, option: str = "--plan") -> SavedPlan:
        """Read the file of an option; paths in it are relative to a folder. Raises ConfigError."""
        try:
            with open_regular(file) as stream:
                found = _File.model_validate_json(stream.read())
            contents = PlanContents(
                found.salt,
                {
                    name: {status: _decoded(each) for status, each in by_status.items()}
                    for name, by_status in found.messages.items()
                },
            )
        except OSError as error:
            raise ConfigError(f"{option} {quoted(str(file))}: {reason(error)}") from None
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"])) or "its text"
            raise _no_plan(option, file, f"{where}: {error.errors()[0]['msg']}") from None
        except ValueError as error:
            raise _no_plan(option, file, str(error)) from None
        request = PlanRequest(
            tuple(Path(os.path.normpath(folder / path)) for path in found.paths),
            found.run,
            SelectionOptions(**found.selection.model_dump(exclude_defaults=True)),  # type: ignore[typeddict-item]
        )
        return cls(file, request, found.made_from, contents)

    def require_same(self, made_from: Circumstances, contents: PlanContents) -> None:
        """Raise PlanOutdated, which says what is not as it was, if anything is not."""
        found = [
            *self.made_from.differences(made_from),
            *self.contents.differences(contents),
        ]
        if found:
            raise self.outdated(found)

    def outdated(self, found: Sequence[str]) -> PlanOutdated:
        """Return the error for what is not as it was."""
        more = len(found) - _MOST_NAMED
        return PlanOutdated(
            f"{self.file} is not what would be sent now, so nothing was sent:",
            *(f"  {each}" for each in found[:_MOST_NAMED]),
            *([f"  and {more} more"] if more > 0 else []),
        )


def write(
    file: Path,
    folder: Path,
    request: PlanRequest,
    made_from: Circumstances,
    contents: PlanContents,
) -> None:
    """Write a plan to a file, whole or not at all. Raises ConfigError."""
    if named := [f"--{each}" for each in ("to", "trial") if request.selection.get(each)]:
        raise ConfigError(
            f"--out does not go with {' and '.join(named)}: a plan in a file holds no number, so "
            "it could not be made again"
        )
    for path in map(str, request.paths):
        if path.encode(errors="replace") != path.encode(errors="surrogatepass"):
            raise ConfigError(f"--out: PATH {quoted(path)} is not UTF-8")
    saved = _File(
        made=datetime.now(UTC).replace(microsecond=0),
        paths=tuple(relative(path, folder) for path in request.paths),
        run=request.run,
        selection=_Selection.model_validate(dict(request.selection)),
        made_from=made_from,
        salt=contents.salt,
        messages={
            name: {status: _encoded(each) for status, each in by_status.items()}
            for name, by_status in contents.hashes.items()
        },
    )
    text = saved.model_dump_json(indent=1)
    try:
        if os.path.lexists(file):
            SavedPlan.read(file, folder, "--out")  # nothing else is overwritten
        replace_file(file, f"{text}\n")
    except OSError as error:
        raise ConfigError(f"--out {quoted(str(file))}: {reason(error)}") from None


def relative(path: str | Path, folder: Path) -> str:
    """Return a path as it is below, or beside, a folder, on any machine that has both.

    Bytes that are not UTF-8 are escapes.
    """
    text = Path(os.path.relpath(path, folder)).as_posix()
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def file_hash(path: Path | None) -> str | None:
    """Return the hash of a file, or None if there is none."""
    if path is None:
        return None
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _split(entries: bytearray) -> Iterator[bytes]:
    return (bytes(entries[start : start + _ENTRY]) for start in range(0, len(entries), _ENTRY))


def _encoded(entries: bytearray) -> str:
    """Return entries in an order that does not tell in which order people are in a list."""
    return base64.b64encode(b"".join(sorted(_split(entries)))).decode()


def _decoded(text: str) -> bytes:
    entries = base64.b64decode(text, validate=True)
    if len(entries) % _ENTRY:
        raise ValueError("the hashes of its messages are not whole")
    return entries


def _no_plan(option: str, file: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{option} {quoted(str(file))}: this is no plan that dispatcher plan --out wrote ({why})"
    )


def _profile(name: str | None) -> str:
    return f"profile {name}" if name else "no profile"


def _changes(
    kind: str, then: Mapping[str, Any], now: Mapping[str, Any], *, values: bool = True
) -> Iterator[str]:
    """Say which values have changed; without `values`, not how."""
    changed: Collection[str] = [
        name for name in dict.fromkeys([*then, *now]) if then.get(name) != now.get(name)
    ]
    for name in changed:
        if name not in now:
            yield f"{kind}{name} is not there any more"
        elif name not in then:
            yield f"{kind}{name} is new"
        elif values:
            yield f"{kind}{name}: {then[name]} then, {now[name]} now"
        else:
            yield f"{kind}{name} has changed"
