"""What can go wrong, and what each case means to the user.

DispatcherError                 one sentence for a person; a traceback shows with --debug only
├── ConfigError                 dispatcher.toml, the environment or a flag is wrong          exit 2
├── ManifestError               manifests have problems: all of them, each with its place    exit 2
├── InputChanged                a file is not what was checked; exit 4 if some were sent     exit 1
├── RunStopped                  a run ended before it had tried every message                exit 4
├── PluginError                 a plugin is broken, misused or missing                       exit 2
│   └── PluginMissing           nobody has the name that is asked for                        exit 2
├── SourceError                 raised by a source resolver: this source is mine, but bad
├── AddressError                raised by a transport's address: nobody is reached by this
├── JournalError                the journal cannot be read or written                        exit 2
│   └── JournalLocked           another run holds it                                         exit 6
└── DeliveryError               raised by a transport: how one attempt ended
    ├── NotSent                 surely not accepted, may work later → tried again
    ├── Refused                 surely not accepted, never will be → failed
    │   └── AccountRefused      and every other message would meet the same → the run stops
    └── OutcomeUnknown          the request left, no usable answer → never resent on its own
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from threading import current_thread, main_thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dispatcher.models import LocatedProblem


class ExitCode(IntEnum):
    """How a command ends: docs/design.md, "Exit codes". Each error carries its own."""

    DONE = 0
    FAILED = 1
    USAGE = 2  # or a bad manifest, configuration or plugin; nothing was sent
    NOTHING = 3  # matched
    PARTLY = 4
    UNKNOWN = 5
    LOCKED = 6
    INTERRUPTED = 130


class DispatcherError(Exception):
    """Base of everything this package raises on purpose; `str()` is a sentence for the user.

    Or several, one argument each: each of them is printed on a line of its own, and stays on it.
    `exit_code`: of a command that it ends.
    """

    exit_code = ExitCode.USAGE

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it says, line by line."""
        return tuple(map(str, self.args))


class ConfigError(DispatcherError):
    """dispatcher.toml, an environment variable or a flag is wrong."""


class ManifestError(DispatcherError):
    """Manifests have problems.

    `problems`: every problem of every file, warnings included, each with its place.
    """

    def __init__(self, problems: Sequence[LocatedProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(*map(str, self.problems))


class InputChanged(DispatcherError):
    """What is to be sent is not what was checked, so that nothing more leaves."""

    exit_code = ExitCode.FAILED


class RunStopped(DispatcherError):
    """A run ended before it had tried every message; the text says why. What was in flight is in
    the journal, and the next run goes on."""

    exit_code = ExitCode.PARTLY


class PluginError(DispatcherError):
    """A plugin is broken, misused or missing; the text names plugin, distribution and hook."""


class PluginMissing(PluginError):
    """Somebody names a plugin, a transport or an engine that is not there."""


class SourceError(DispatcherError):
    """Raise it in `dispatcher_resolve_source`: the source is this plugin's, but cannot be used.

    The text becomes a problem of the message, shown at its `source`.
    """


class AddressError(DispatcherError):
    """Raise it in a transport's `address`: what was written is no recipient there.

    The text becomes a problem of the message, shown at its `to`.
    """


class JournalError(DispatcherError):
    """The journal cannot be opened, read or written."""


class JournalLocked(JournalError):
    """Another run holds the journal; the text names run, host, pid and start."""

    exit_code = ExitCode.LOCKED


class DeliveryError(DispatcherError):
    """How one attempt to send or upload ended, other than well.

    `code`: the gateway's code or a short name of the cause ("82", "http 503", "connect_timeout").
    `text`: a sentence for people; it must not hold a token.
    """

    def __init__(self, text: str, *, code: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class NotSent(DeliveryError):
    """Surely not accepted, may work later. `retry_after`: wait at least so many seconds.

    `throttled`: the whole account is to wait, not this message alone (too many requests, a quota).
    """

    def __init__(
        self,
        text: str,
        *,
        code: str | None = None,
        retry_after: float | None = None,
        throttled: bool = False,
    ) -> None:
        super().__init__(text, code=code)
        self.retry_after = retry_after
        self.throttled = throttled


class Refused(DeliveryError):
    """Surely not accepted and never will be: this message is at fault."""


class AccountRefused(Refused):
    """Surely not accepted, and every other message would meet the same: the account is at fault."""


class OutcomeUnknown(DeliveryError):
    """The request left and no usable answer came: it may have been accepted."""


def pass_on_interruption(error: BaseException) -> None:
    """Whatever a plugin raised is the plugin's; an interruption is the user's: raise that again.

    Only in the main thread can it be one: there signals are handled.
    """
    if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
        raise error


def describe(error: BaseException) -> str:
    """An exception in one sentence: its type and text; our own kind is a sentence already."""
    if isinstance(error, (ConfigError, PluginError)):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")
