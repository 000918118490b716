"""The data of the pipeline: frozen pydantic models, all importable from `dispatcher`."""

from dispatcher.models.attachments import Attachment, Link, MediaId, Upload
from dispatcher.models.base import Model
from dispatcher.models.content import (
    CONTENT_TYPES,
    Audio,
    ContentType,
    Document,
    Image,
    Media,
    Provider,
    Text,
    Video,
)
from dispatcher.models.message import Address, Message
from dispatcher.models.outcomes import (
    AttemptStatus,
    Delivered,
    Failure,
    Outcome,
    PlanStatus,
    Receipt,
    Record,
    RecordStatus,
    Status,
)
from dispatcher.models.payload import Payload, decode, encode, fill_in, seal
from dispatcher.models.problems import (
    LocatedProblem,
    Location,
    Problem,
    ProblemList,
    Report,
    Severity,
    file_error,
    located,
)

__all__ = [
    "CONTENT_TYPES",
    "Address",
    "Attachment",
    "AttemptStatus",
    "Audio",
    "ContentType",
    "Delivered",
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
    "PlanStatus",
    "Problem",
    "ProblemList",
    "Provider",
    "Receipt",
    "Record",
    "RecordStatus",
    "Report",
    "Severity",
    "Status",
    "Text",
    "Upload",
    "Video",
    "decode",
    "encode",
    "file_error",
    "fill_in",
    "located",
    "seal",
]
