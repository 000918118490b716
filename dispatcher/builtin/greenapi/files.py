"""How the gateway wants to be told what a file is."""

from __future__ import annotations

import re
from mimetypes import MimeTypes
from pathlib import PurePath

from dispatcher import Upload

_EXTENSION = re.compile(r"\.[a-z0-9]{1,16}")


def extension(file: Upload) -> str:
    """The value of `X-Gr-File-Extension` (docs/greenapi-v1.md, "Request"): "jpeg".

    From the name, else from the MIME type, else "bin".
    """
    suffix = PurePath(file.filename).suffix.lower()
    guessed = MimeTypes(filenames=()).guess_extension(file.mime_type) or ""  # not the system's
    found = next((one for one in (suffix, guessed) if _EXTENSION.fullmatch(one)), ".bin")
    return found.removeprefix(".")
