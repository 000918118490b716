"""Message definitions live in git as TOML manifests; the dispatcher sends them, once.

Everything a plugin needs is importable from here.
"""

from dispatcher.addresses import phone_address
from dispatcher.errors import (
    AccountRefused,
    AddressError,
    ConfigError,
    DeliveryError,
    DispatcherError,
    JournalError,
    ManifestError,
    NotSent,
    OutcomeUnknown,
    PluginError,
    Refused,
    SourceError,
)
from dispatcher.hookspecs import Engine, hookimpl
from dispatcher.localfiles import find_file
from dispatcher.media import content_mismatch, mime_type
from dispatcher.models import (
    Address,
    Attachment,
    Audio,
    Document,
    Failure,
    Image,
    Link,
    Media,
    MediaId,
    Message,
    Outcome,
    Payload,
    Problem,
    Provider,
    Receipt,
    Text,
    Upload,
    Video,
    encode,
)
from dispatcher.names import canonical_name
from dispatcher.transports import BaseTransport, Transport
from dispatcher.visible import hidden_character

__all__ = [
    "AccountRefused",
    "Address",
    "AddressError",
    "Attachment",
    "Audio",
    "BaseTransport",
    "ConfigError",
    "DeliveryError",
    "DispatcherError",
    "Document",
    "Engine",
    "Failure",
    "Image",
    "JournalError",
    "Link",
    "ManifestError",
    "Media",
    "MediaId",
    "Message",
    "NotSent",
    "Outcome",
    "OutcomeUnknown",
    "Payload",
    "PluginError",
    "Problem",
    "Provider",
    "Receipt",
    "Refused",
    "SourceError",
    "Text",
    "Transport",
    "Upload",
    "Video",
    "canonical_name",
    "content_mismatch",
    "encode",
    "find_file",
    "hidden_character",
    "hookimpl",
    "mime_type",
    "phone_address",
]
