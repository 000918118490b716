"""Reads files of recipients, row by row: `to`, and variables for the templates.

The encoding, the delimiter and the compression are mostly found from the file itself.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

from dispatcher.errors import ManifestError
from dispatcher.inputs import Inputs
from dispatcher.localfiles import reason
from dispatcher.manifest.rows import MAX_ROW, ListText, Row, csv_rows, json_rows
from dispatcher.models import LocatedProblem, file_error
from dispatcher.names import did_you_mean
from dispatcher.visible import quoted

_MOST_BYTES = 1_000_000_000  # millions of people; the whole file is read to recognise it later
# A list with a higher compression ratio was made to fill up a machine.
_UNPACKED_FREELY = 10_000_000  # bytes
_UNPACKED_AT_MOST = 50  # times the size of the file, in addition
_OTHERS = "recipients come from a .csv or a .jsonl file, or one of these with .gz"
_WORKBOOK = "a workbook; save its sheet as CSV and name that file"
_WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods", ".numbers")
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins like UTF-16's
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Besides UTF-8 and UTF-16, which a file shows.
_USUAL = (
    "cp1250 cp1251 cp1252 cp866 koi8-r koi8-u mac-cyrillic latin-1 iso8859-1 iso8859-2 iso8859-5 "
    "iso8859-15 gb18030 big5 shift-jis euc-kr"
).split()
# Python's encodings that are not for the characters of a file.
_NO_FILES = ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined")


class ListFormat(NamedTuple):
    """What a manifest says of a list. `to` is the column with the recipients.

    If `encoding` or `delimiter` is None, the file shows it.
    """

    to: str = "to"
    encoding: str | None = None
    delimiter: str | None = None


def read_rows(path: Path, form: ListFormat, inputs: Inputs) -> Iterator[Row | LocatedProblem]:
    """Yield the rows of a .csv or .jsonl file, and a problem in place of each row that is wrong.

    `inputs` remembers the file. Raises ManifestError if the rest of the file could mean anything.
    """
    kind = _kind(path)
    try:
        if form.encoding is not None:
            _refuse_utf8(path, form.encoding, inputs)
        with _opened(path, form.encoding, inputs) as stream:
            text = ListText(path, stream)
            if kind == ".csv":
                yield from csv_rows(text, form.to, form.delimiter)
            else:
                yield from json_rows(text, form.to)
    except UnicodeError as error:  # for UTF-16 without its mark it is no decoding error
        encoding = getattr(error, "encoding", form.encoding or "utf-8")
        raise _undecodable(path, form.encoding, encoding, inputs) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise file_error(path, "the file is damaged: it cannot be unpacked") from None
    except OSError as error:
        raise file_error(path, f"cannot read the recipients: {reason(error)}") from None


def why_no_encoding(name: str) -> str | None:
    """Return what is wrong with the name of an encoding, or None."""
    try:
        known = codecs.lookup(name).name
        io.TextIOWrapper(io.BytesIO(), encoding=known)  # which accepts only encodings of text
    except (LookupError, ValueError, UnicodeError):
        known = None
    if known is not None and known not in _NO_FILES:
        return None
    hint = did_you_mean(name, _USUAL) or '; usual ones are "cp1251" and "cp1252"'
    return f"no text has the encoding {quoted(name)}{hint}"


def why_no_delimiter(mark: str) -> str | None:
    """Return what is wrong with a delimiter of columns, or None."""
    if len(mark) == 1 and not mark.isalnum() and mark not in '"\r\n ':
        return None
    return f'delimiter is one character, like ";" or "|", not {quoted(mark)}'


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    kind = suffixes[-1] if suffixes else ""
    if kind in (".csv", ".jsonl"):
        return kind
    raise file_error(path, _WORKBOOK if kind in _WORKBOOKS else _OTHERS)


# ---------------------------------------------------------------------------------- opening, text


def open_list(path: Path, inputs: Inputs) -> io.BufferedReader:
    """Open a list, and decompress it: the one place where a file of recipients is opened."""
    if inputs.absolute(path).stat().st_size > _MOST_BYTES:
        raise file_error(path, f"the file is larger than {_MOST_BYTES // 10**9} GB; is it a list?")
    stream = inputs.open(path)
    if path.suffix.lower() != ".gz":
        return stream
    return io.BufferedReader(_Unpacked(stream, path))


class _Unpacked(io.RawIOBase):
    """Reads a compressed file. Raises ManifestError if it holds far more than any list."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream, self._path = stream, path
        self._unpacked = gzip.GzipFile(fileobj=stream)
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        self._left = _UNPACKED_FREELY + _UNPACKED_AT_MOST * size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._unpacked.readinto(buffer)
        self._left -= count
        if self._left < 0:
            raise file_error(self._path, "the file unpacks to more than any list; is it one?")
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


@contextmanager
def _opened(
    path: Path, encoding: str | None, inputs: Inputs, errors: str = "strict"
) -> Iterator[TextIO]:
    with open_list(path, inputs) as stream:
        head = stream.peek(1)
        if head.startswith(b"PK\3\4"):
            raise file_error(path, _WORKBOOK)
        if head.startswith(b"\x1f\x8b"):
            raise file_error(path, "this file is compressed; its name must end in .gz")
        name = _encoding(head, encoding)
        with io.TextIOWrapper(stream, encoding=name, errors=errors, newline="") as text:
            yield text


def _encoding(head: bytes, named: str | None) -> str:
    """Return the encoding that a file's first bytes show, else the one that is named, or UTF-8."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    if named is None and b"\0" in head:
        # Most alphabets have low numbers in UTF-16; other text, read as UTF-16, has high ones.
        for encoding in ("utf-16-le", "utf-16-be"):
            text = head[: len(head) // 2 * 2].decode(encoding, "replace")
            if "\0" not in text and 2 * sum(each < "\u0800" for each in text) > len(text):
                return encoding
    return named or "utf-8"


def _refuse_utf8(path: Path, named: str, inputs: Inputs) -> None:
    """Raise ManifestError if the file is UTF-8 and another encoding would garble it.

    An encoding of one byte a character can read everything; its own texts never look like UTF-8.
    """
    if len(bytes(range(256)).decode(named, "replace")) != 256:
        return
    decoder, plain = codecs.getincrementaldecoder("utf-8")(), True
    with open_list(path, inputs) as stream:
        if stream.peek(1).startswith(tuple(_BYTE_ORDER_MARKS)):
            return
        try:
            while piece := stream.read(65536):
                decoder.decode(piece)
                plain = plain and piece.isascii()
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return
    if not plain:
        sentence = f"the text is UTF-8, not {named}; leave encoding out of the manifest"
        raise file_error(path, sentence)


def _undecodable(path: Path, named: str | None, encoding: str, inputs: Inputs) -> ManifestError:
    """Return the error for a text that is not in the encoding: where, and what to do."""
    line, column, what = 1, 1, "the text"
    try:
        with _opened(path, named, inputs, "surrogateescape") as stream:
            number = 0
            while text := stream.readline(MAX_ROW + 1):
                number += 1
                if bad := re.search("[\udc80-\udcff]", text):
                    line, column = number, bad.start() + 1
                    what = f"byte 0x{ord(bad[0]) - 0xDC00:02x}"
                    break
    except UnicodeError:
        pass  # with more than one byte a character, the place is not known
    if named is not None:
        return file_error(path, f"{what} is not {named}, as the manifest says", line, column)
    shown = "UTF-8" if encoding.startswith("utf-8") else encoding.upper()
    way = f'recipients = {{ file = "{path.name}", encoding = "cp1251" }}'
    advice = f"save the file as UTF-8, or name its encoding: {way}"
    return file_error(path, f"{what} is not {shown}; {advice}", line, column)
