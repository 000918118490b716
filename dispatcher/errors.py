"""The errors of this package, and what each means to the user.

DispatcherError                 one sentence for a person; a traceback shows with --debug only
├── ConfigError                 dispatcher.toml, the environment or a flag is wrong          exit 2
├── ManifestError               manifests have problems: all of them, each with its place    exit 2
│   └── MessagesMoved           people have them under names that are gone                   exit 2
├── TooManyMessages             more would leave than the user allows                        exit 2
├── PlanOutdated                a reviewed plan is not what would be sent now                exit 2
├── InputChanged                a file is not what was checked; exit 4 if some were sent     exit 1
├── RunStopped                  a run ended before it had tried every message                exit 4
├── PluginError                 a plugin is broken, misused or missing                       exit 2
│   └── PluginMissing           nothing has the name that was given                          exit 2
├── SourceError                 raised by a source resolver: this source is mine, but bad
├── AddressError                raised by a transport's address: this is no recipient
├── JournalError                the journal cannot be read or written                        exit 2
│   ├── JournalMissing          there is none yet, and nobody said that one may be begun     exit 2
│   │   ├── JournalOfTrials     it knows only what was sent to gateways on this machine      exit 2
│   │   └── JournalOfPeople     it knows what was sent elsewhere, and this is a trial        exit 2
│   └── JournalLocked           another run holds it                                         exit 6
└── DeliveryError               raised by a transport: how one attempt ended
    ├── NotSent                 surely not accepted, may work later → tried again
    ├── Refused                 surely not accepted, never will be → failed
    │   └── AccountRefused      and every other message would meet the same → the run stops
    └── OutcomeUnknown          the request left, no usable response → never sent again by itself

How a command ends, and who says so. `Summary` is `delivery.run.Summary`, which has counted the
outcomes of a run; every other code is an error's, or what a function of `cli` returns:

  0  DONE         all is done                  `Summary`; the other commands
  1  FAILED       none sent, as they failed    `Summary`
                  or were not tried
                  something is broken          InputChanged; `printing.OutputError`; `cli`: an error
                                               that is none of these, so a bug; `journal check`
  2  USAGE        nothing was sent             every DispatcherError without another code; click's
                                               errors; `validate`, `plan`, `send`, `preview`:
                                               problems of manifests; `statuses`: lines that
                                               cannot be read; `sandbox`: it cannot serve
  3  NOTHING      nothing matched              `Summary`; `plan`, `preview`, `history`, `settle`,
                                               `statuses`
  4  PARTLY       some sent, some not          `Summary`; RunStopped
  5  UNKNOWN      some may have arrived        `Summary`
  6  LOCKED       another run is on            JournalLocked
  7  CHANGED      people have other content    `Summary`, with --strict
130  INTERRUPTED  Ctrl-C, SIGTERM, a closed    `Summary`; `cli`, before and after a run
                  terminal; the answer "no"
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from dispatcher.models import LocatedProblem


class ExitCode(IntEnum):
    """How a command ends, and what that means: docs/design.md, "Exit codes".

    Each class of errors has an `exit_code`, by default USAGE.
    """

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    DONE = 0, "all done"
    FAILED = 1, "failed"
    USAGE = 2, "bad usage, manifest, configuration or plugin; nothing was sent"
    NOTHING = 3, "nothing matched"
    PARTLY = 4, "some sent, some failed or not tried"
    UNKNOWN = 5, "some outcome unknown; wins over 0, 1, 3 and 4"
    LOCKED = 6, "another run holds the journal"
    CHANGED = (
        7,
        "with `--strict`: something changed since it was sent, and was not sent again; wins over 0 "
        "and 3",
    )
    INTERRUPTED = 130, "interrupted; wins over all others of a run"


class DispatcherError(Exception):
    """The base of everything this package raises on purpose; `str()` is a sentence for the user.

    It may have several sentences, one per argument, which are printed one per line. `exit_code` is
    that of a command that it ends.
    """

    exit_code = ExitCode.USAGE

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Its sentences, one per line."""
        return tuple(map(str, self.args))


class ConfigError(DispatcherError):
    """dispatcher.toml, an environment variable or a flag is wrong."""


class ManifestError(DispatcherError):
    """Manifests have problems.

    `problems` has every problem of every file, warnings included, each with its place.
    """

    def __init__(self, problems: Sequence[LocatedProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(*map(str, self.problems))


class MessagesMoved(ManifestError):
    """Recipients have messages already, under names that do not stand for them any more; a problem
    for each of these messages, at its place."""


class TooManyMessages(DispatcherError):
    """More messages would leave than the user allows."""


class PlanOutdated(DispatcherError):
    """What would be sent is not what was reviewed; a sentence for each difference."""


class InputChanged(DispatcherError):
    """What would be sent is not what was checked, so nothing more is sent."""

    exit_code = ExitCode.FAILED


class RunStopped(DispatcherError):
    """A run ended before it had tried every message; the text says why.

    What was being sent is in the journal, and the next run continues.
    """

    exit_code = ExitCode.PARTLY


class PluginError(DispatcherError):
    """A plugin is broken, misused or missing; the text names plugin, distribution and hook."""


class PluginMissing(PluginError):
    """A plugin, a transport or an engine is named that does not exist."""


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


class JournalMissing(JournalError):
    """There is no journal yet where it was looked for, and nobody said that one may be begun.

    `question` is what a person may be asked instead.
    """

    question = "Begin one?"


class JournalOfTrials(JournalMissing):
    """The journal knows only what was sent to gateways on this machine, and nobody said that this
    counts for others, too."""

    question = "Go on with it?"


class JournalOfPeople(JournalMissing):
    """The journal knows what was sent beyond this machine, and nobody said that a trial counts,
    too."""

    question = "Go on with it?"


class JournalLocked(JournalError):
    """Another run holds the journal; the text names run, host, pid and start."""

    exit_code = ExitCode.LOCKED


class DeliveryError(DispatcherError):
    """How one attempt to send or upload failed.

    `code` is the gateway's code or a short name of the cause ("82", "http 503", "connect_timeout").
    `text` is a sentence for people; it must not contain a token.
    """

    def __init__(self, text: str, *, code: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class NotSent(DeliveryError):
    """Surely not accepted, may work later; wait at least `retry_after` seconds if that is set.

    If `throttled`, the whole account must wait, not this message alone (too many requests, a
    quota).
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
    """The request left and no usable response came: it may have been accepted."""


def pass_on_interruption(error: BaseException) -> None:
    """Raise an interruption again: it is the user's, while any other exception is the plugin's.

    Only in the main thread can it be one, because signals are handled there.
    """
    if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
        raise error


def describe(error: BaseException) -> str:
    """Return an exception as one sentence: its type and text; our own are sentences already."""
    if isinstance(error, (ConfigError, PluginError)):
        return str(error)
    try:
        text = str(error)
    except Exception:  # of a plugin, whose text is code, too
        text = ""
    return f"{type(error).__name__}: {text}".removesuffix(": ")
