"""What travels through the pipeline: frozen pydantic models, all importable from `dispatcher`."""

from dispatcher.models.attachments import Attachment, Link, MediaId, Upload
from dispatcher.models.base import Model
from dispatcher.models.message import (
    CONTENT_TYPES,
    Address,
    Audio,
    ContentType,
    Document,
    Image,
    Media,
    Message,
    Provider,
    Text,
    Video,
)
from dispatcher.models.outcomes import Failure, Outcome, Receipt, Record, Status
from dispatcher.models.payload import Payload, decode, encode, fill_in, seal
from dispatcher.models.problems import (
    LocatedProblem,
    Location,
    Problem,
    ProblemList,
    Severity,
    located,
)

__all__ = [
    "CONTENT_TYPES",
    "Address",
    "Attachment",
    "Audio",
    "ContentType",
    "Document",
    "Failure",
    "Image",
    "Link",
    "LocatedProblem",
    "Location",
    "Media",
    "MediaId",
    "Message",
    "Model",
    "Outcome",
    "Payload",
    "Problem",
    "ProblemList",
    "Provider",
    "Receipt",
    "Record",
    "Severity",
    "Status",
    "Text",
    "Upload",
    "Video",
    "decode",
    "encode",
    "fill_in",
    "located",
    "seal",
]
