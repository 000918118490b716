"""What type a file has: by its name, the same on every machine, and by its first bytes."""

from __future__ import annotations

import mimetypes
import re
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable
    from io import BufferedReader

UNKNOWN = "application/octet-stream"

# Python's own table differs between versions, and lacks these or has other types for them.
_TYPES = {
    ".3g2": "video/3gpp2",
    ".3gp": "video/3gpp",
    ".7z": "application/x-7z-compressed",
    ".aac": "audio/aac",
    ".amr": "audio/amr",
    ".avi": "video/x-msvideo",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".csv": "text/csv",
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".ics": "text/calendar",
    ".jfif": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".md": "text/markdown",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".ppt": "application/vnd.ms-powerpoint",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rar": "application/vnd.rar",
    ".rtf": "application/rtf",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".txt": "text/plain",
    ".vcf": "text/vcard",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xml": "application/xml",
    ".zip": "application/zip",
}
# A compressed file has the type of the compression, whatever it contains.
_COMPRESSED = {
    "br": "application/x-brotli",
    "bzip2": "application/x-bzip2",
    "compress": "application/x-compress",
    "gzip": "application/gzip",
    "xz": "application/x-xz",
    "zstd": "application/zstd",
}


def mime_type(filename: str) -> str:
    """Return the MIME type for a file's name; "application/octet-stream" if there is none.

    It depends on the suffixes, in any case; for compressed files, on that of the compression
    (`report.csv.gz` is application/gzip). The system's own table is not used.
    """
    name = "file" + "".join(PurePath(filename).suffixes[-2:]).lower()
    found, encoding = _table().guess_type(name)
    if encoding:
        return _COMPRESSED.get(encoding, UNKNOWN)
    return found or UNKNOWN


@cache
def _table() -> mimetypes.MimeTypes:
    table = mimetypes.MimeTypes(filenames=())
    for suffix, kind in _TYPES.items():
        table.add_type(kind, suffix)
    table.encodings_map.setdefault(".zst", "zstd")
    return table


class _Format:
    """A format that can be recognised by its first bytes.

    `called` is its name for people, `types` are the MIME types with which it may be sent,
    `suffixes` what puremagic calls it.
    """

    def __init__(self, called: str, types: str, suffixes: str) -> None:
        self.called = called
        self.types = frozenset(types.split())
        self.suffixes = frozenset(suffixes.split())


_OFFICE = " ".join(_TYPES[each] for each in (".doc", ".xls", ".ppt"))
_OOXML = " ".join(_TYPES[each] for each in (".docx", ".xlsx", ".pptx"))
_OPEN = " ".join(_TYPES[each] for each in (".odt", ".ods", ".odp", ".epub"))
_TEXTS = (
    "text/plain text/csv text/markdown text/calendar text/vcard text/html application/json "
    "application/xml text/xml image/svg+xml application/rtf"
)
_ISO = "video/mp4 video/3gpp video/3gpp2 video/quicktime audio/mp4 audio/aac"
# The first that matches names the file, so a special format stands before its general one.
_FORMATS = (
    _Format("a JPEG picture", "image/jpeg", ".jpg .jpeg .jfif"),
    _Format("a PNG picture", "image/png", ".png"),
    _Format("a GIF picture", "image/gif", ".gif"),
    _Format("a WebP picture", "image/webp", ".webp"),
    _Format("a HEIC picture", "image/heic image/heif image/avif", ".heic .heif .avif"),
    _Format("a TIFF picture", "image/tiff", ".tif .tiff"),
    _Format("a WAV recording", "audio/wav", ".wav"),
    _Format("an AVI video", "video/x-msvideo", ".avi"),
    _Format("a PDF document", "application/pdf", ".pdf"),
    _Format("a ZIP archive", f"application/zip {_OFFICE} {_OOXML} {_OPEN}", ".zip .docx"),
    _Format("a document of an old Office", f"{_OFFICE} {_OOXML}", ".doc .xls .ppt"),
    _Format("a file compressed by gzip", "application/gzip", ".gz"),
    _Format("a RAR archive", "application/vnd.rar", ".rar"),
    _Format("a 7-Zip archive", "application/x-7z-compressed", ".7z"),
    _Format("an MP3 recording", "audio/mpeg", ".mp3"),
    _Format("an Ogg recording", "audio/ogg video/ogg", ".ogg .oga .opus"),
    _Format("an MP4 file", _ISO, ".mp4 .m4a .m4v .f4a .f4v .mov .3gp .3ga .3g2"),
    _Format("a Matroska or WebM video", "video/x-matroska video/webm audio/webm", ".webm .mkv"),
    _Format("a FLAC recording", "audio/flac", ".flac"),
    _Format("an AMR recording", "audio/amr", ".amr"),
    _Format("a Windows program", "", ".exe"),
    _Format("a web page", f"{_TEXTS} {_OFFICE}", ".html .htm"),
    _Format("an RTF document", f"{_TEXTS} {_OFFICE}", ".rtf"),
    _Format("an SVG picture", f"{_TEXTS}", ".svg"),
    _Format("an XML file", f"{_TEXTS} {_OFFICE}", ".xml"),
)
_JUDGED = frozenset().union(*(each.types for each in _FORMATS))
_NEVER_TEXT = _JUDGED.difference(_TEXTS.split(), _OFFICE.split())
_SHORTEST_TEXT = 9  # characters of "Not Found"
_HEAD = 4096
_LFS = b"version https://git-lfs.github.com/spec/"
_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
_IS_POINTER = "is a pointer of Git LFS, not the file itself; fetch that: git lfs pull"


def why_pointer(stream: BufferedReader) -> str | None:
    """Say what is wrong with a file that only points to another one, or None; reads nothing."""
    return _IS_POINTER if stream.peek(len(_LFS)).startswith(_LFS) else None


def lfs_oid(content: bytes) -> str | None:
    """Return the SHA-256 of the file that a Git LFS pointer stands for, or None if it is none."""
    found = _OID.search(content) if content.startswith(_LFS) else None
    return found and found[1].decode()


def content_mismatch(stream: BinaryIO, mime_type: str) -> str | None:
    """Return why a file is not what its MIME type says: "is a PDF document, but would be …".

    `stream` is at its beginning; a few kilobytes are read. Returns None where that cannot be said:
    text, formats without a mark of their own and unknown MIME types are believed.
    """
    head = stream.read(_HEAD)
    if head.startswith(_LFS):
        return _IS_POINTER
    if mime_type not in _JUDGED:
        return None
    marks = _marks(head)
    found = [each for each in _FORMATS if each.suffixes & marks]
    if not found and mime_type in _NEVER_TEXT and b"%PDF-" not in head and _is_text(head):
        return f"is a text, but would be sent as {mime_type}"
    if not found or any(mime_type in each.types for each in found):
        return None
    return f"is {found[0].called}, but would be sent as {mime_type}"


def _is_text(head: bytes) -> bool:
    """Whether it reads as text, like a "Not Found" that was saved instead of a picture."""
    text = head.decode(errors="ignore").rstrip()
    whole = (
        len(text.encode()) > len(head.rstrip()) - 4
    )  # except for a character that is cut at the end
    return whole and len(text) >= _SHORTEST_TEXT and all(map(_is_written, text))


def _is_written(character: str) -> bool:
    return character.isprintable() or character.isspace()


def _marks(head: bytes) -> set[str]:
    """Return the suffixes of all formats that begin like this."""
    import puremagic

    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:9].lower() == b"<!doctype":  # puremagic knows only two spellings of it
        return {".html"}
    try:
        found: Iterable[puremagic.PureMagicWithConfidence] = puremagic.magic_string(text or head)
    except puremagic.PureError:
        return set()
    return {
        match.extension for match in found if match.offset >= 0 and _is_telling(match.byte_match)
    }


def _is_telling(mark: bytes) -> bool:
    """Whether a mark belongs to one format, and is not what a text may begin with by chance."""
    if mark == b"RIFF":  # of several formats: what follows says which
        return False
    return len(mark) > 3 or (len(mark) == 3 and not mark.isascii())
