"""Message definitions live in git as TOML manifests; the dispatcher sends them, once.

Everything that a plugin needs is importable from here, and `Dispatcher`, the Python API.
"""

from typing import TYPE_CHECKING, Any

from dispatcher.addresses import phone_address
from dispatcher.bubbles import Bubble, BubbleFile
from dispatcher.errors import (
    AccountRefused,
    AddressError,
    ConfigError,
    DeliveryError,
    DispatcherError,
    ExitCode,
    InputChanged,
    JournalError,
    JournalLocked,
    JournalMissing,
    ManifestError,
    MessagesMoved,
    NotSent,
    OutcomeUnknown,
    PlanOutdated,
    PluginError,
    Refused,
    RunStopped,
    SourceError,
    TooManyMessages,
)
from dispatcher.hookspecs import Engine, hookimpl
from dispatcher.localfiles import find_file
from dispatcher.media import content_mismatch, mime_type
from dispatcher.models import (
    STANDARD_CONTENTS,
    Address,
    Attachment,
    Audio,
    Content,
    Contents,
    DeliveryStatus,
    Document,
    Failure,
    Image,
    Link,
    LocatedProblem,
    Location,
    Media,
    MediaId,
    Message,
    Outcome,
    Payload,
    ProbeResult,
    Problem,
    Provider,
    Receipt,
    Text,
    Upload,
    Verbatim,
    Video,
    encode,
)
from dispatcher.names import canonical_name, closest_name
from dispatcher.plugin_files import ProjectPath, read_toml_model
from dispatcher.transports import BaseTransport, Transport
from dispatcher.visible import hidden_character

if TYPE_CHECKING:
    __version__: str

    from dispatcher.api import Dispatcher, Plan, Report, Result
    from dispatcher.planning import PlannedMessage

__all__ = [
    "STANDARD_CONTENTS",
    "AccountRefused",
    "Address",
    "AddressError",
    "Attachment",
    "Audio",
    "BaseTransport",
    "Bubble",
    "BubbleFile",
    "ConfigError",
    "Content",
    "Contents",
    "DeliveryError",
    "DeliveryStatus",
    "Dispatcher",
    "DispatcherError",
    "Document",
    "Engine",
    "ExitCode",
    "Failure",
    "Image",
    "InputChanged",
    "JournalError",
    "JournalLocked",
    "JournalMissing",
    "Link",
    "LocatedProblem",
    "Location",
    "ManifestError",
    "Media",
    "MediaId",
    "Message",
    "MessagesMoved",
    "NotSent",
    "Outcome",
    "OutcomeUnknown",
    "Payload",
    "Plan",
    "PlanOutdated",
    "PlannedMessage",
    "PluginError",
    "ProbeResult",
    "Problem",
    "ProjectPath",
    "Provider",
    "Receipt",
    "Refused",
    "Report",
    "Result",
    "RunStopped",
    "SourceError",
    "Text",
    "TooManyMessages",
    "Transport",
    "Upload",
    "Verbatim",
    "Video",
    "__version__",
    "canonical_name",
    "closest_name",
    "content_mismatch",
    "encode",
    "find_file",
    "hidden_character",
    "hookimpl",
    "mime_type",
    "phone_address",
    "read_toml_model",
]


def __getattr__(name: str) -> Any:
    """The Python API, which plugins do not need, and which would load them half made; and what the
    distribution says of itself, which takes time to read (benchmarks/startup.py)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("message-dispatcher")
    if name in ("Dispatcher", "Plan", "PlannedMessage", "Report", "Result"):
        from dispatcher import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
