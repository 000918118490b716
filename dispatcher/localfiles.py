"""Local files: found by the names that manifests give them, and read as text."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from dispatcher.errors import SourceError
from dispatcher.inputs import Inputs
from dispatcher.models import file_error
from dispatcher.names import canonical_name, did_you_mean
from dispatcher.visible import quoted

MAX_TEXT = 1_000_000  # bytes of a message's text; the gateway takes some thousand characters
CheckOpened = Callable[[os.stat_result], None]
# What a backslash and the letter after it became in a "…" of TOML; a backslash alone, in a '…'.
_ESCAPES = {"\\": "/", "\b": "/b", "\t": "/t", "\n": "/n", "\f": "/f", "\r": "/r", "\x1b": "/e"}


def find_file(name: str, base: Path, roots: Iterable[Path] = ()) -> Path:
    """Return the regular, readable file that `name` means, relative to `base`, links followed.

    It must lie in `base` or in one of `roots`. A name is also found if the folder has it in another
    normal form of Unicode. Raises SourceError with a sentence for the user.
    """
    if not name.strip():
        raise SourceError("the name of the file is empty")
    shown = quoted(name)
    try:
        path = existing_spelling(base / name).resolve()
        info = path.stat() if _inside(path, [base, *roots]) else None
    except FileNotFoundError:
        if (written := _with_slashes(name)) != name:
            raise SourceError(f"write / between folders: {quoted(written)}") from None
        raise SourceError(f"no such file: {shown}{similar_file(base / name)}") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceError(f"cannot use the file {shown}: {reason(error)}") from None
    if info is None:
        raise SourceError(
            f"the file {shown} is outside the manifests' folder; move it there, or name its "
            'folder in dispatcher.toml: [files] roots = ["…"]'
        )
    return _readable(path, info, shown)


def existing_spelling(path: Path) -> Path:
    """Return the path, or if there is none, one of the same letters in another normal form.

    Macs write as a letter and a mark what others type as one code point.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for part in path.parts[len(found.parts) :]:
        found /= part if os.path.lexists(found / part) else _entry(found, part) or part
    return found


def name_on_disk(path: Path) -> Path:
    """Return the path with its last name as the folder has it, where case makes no difference."""
    return path.with_name(_entry(path.parent, path.name) or path.name)


def _entry(folder: Path, name: str) -> str | None:
    """Return the folder's name for `name`, perhaps in another normal form or case."""
    try:
        names = sorted(os.listdir(folder))
    except (OSError, ValueError):
        return None
    if name in names:
        return name
    alike = [each for each in names if _folded(each) == _folded(name)]
    same = (each for each in alike if canonical_name(each) == canonical_name(name))
    return next(same, next((each for each in alike if _is_one(folder / each, folder / name)), None))


def _folded(name: str) -> str:
    return canonical_name(canonical_name(name).casefold())


def _is_one(path: Path, other: Path) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _inside(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder.resolve()) for folder in folders)


def _readable(path: Path, info: os.stat_result, shown: str) -> Path:
    if stat.S_ISDIR(info.st_mode):
        raise SourceError(f"{shown} is a folder, not a file")
    if not stat.S_ISREG(info.st_mode):
        raise SourceError(f"{shown} is not a regular file")
    if not os.access(path, os.R_OK):
        raise SourceError(f"the file {shown} may not be read: permission denied")
    return path


def _with_slashes(name: str) -> str:
    """Return the name with / for each backslash, also for those that TOML took for escapes."""
    return "".join(_ESCAPES.get(each, each) for each in name)


def similar_file(path: Path) -> str:
    """Return `; did you mean "prices.pdf"?` for a path that does not exist, or an empty text."""
    try:
        return did_you_mean(path.name, os.listdir(path.parent))
    except (OSError, ValueError):
        return ""


def read_text(
    path: Path,
    what: str = "the file",
    inputs: Inputs | None = None,
    *,
    most: int = MAX_TEXT,
    advice: str = "",
    check: CheckOpened | None = None,
) -> str:
    """Return the text of a regular file: UTF-8 of at most `most` bytes, without a byte order mark.

    `inputs` remembers the file, or compares it with what it remembers. `advice` says what to do
    with a larger file. `check` gets the state of the opened file before any of it is used. Raises
    ManifestError, and InputChanged.
    """
    inputs = inputs or Inputs()
    too_large = f"{what} is larger than {most // 1_000_000} MB{advice}"
    try:
        info = inputs.absolute(path).stat()
        if not stat.S_ISREG(info.st_mode):
            raise file_error(path, f"{what} is not a regular file")
        if info.st_size > most:
            raise file_error(path, too_large)
        with inputs.open(path) as stream:
            if check is not None:
                check(os.fstat(stream.fileno()))
            content = stream.read(most + 1)
    except (OSError, ValueError) as error:
        raise file_error(path, f"cannot read {what}: {reason(error)}") from None
    if len(content) > most:
        raise file_error(path, too_large)
    return _decode(path, content)


def _decode(path: Path, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise file_error(path, "the text is UTF-16; save it as UTF-8")
    content = content.removeprefix(b"\xef\xbb\xbf")  # which editors on Windows write
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line, column = _line_column(content[: error.start].decode())
        sentence = f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise file_error(path, sentence, line, column) from None
    if "\0" in text:
        line, column = _line_column(text[: text.index("\0")])
        raise file_error(path, "the text holds a NUL character", line, column)
    return text


def replace_file(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file, whole or not at all; one of that name is replaced. Raises OSError.

    `mode` is what the process's umask leaves of it.
    """
    made = path.with_name(f"tmp{secrets.token_hex(8)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(made)
        raise


def _line_column(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def reason(error: Exception) -> str:
    """Return the system's sentence for a failed file operation, without number and path."""
    if isinstance(error, ValueError):
        return "no file can have this name"
    if isinstance(error, RuntimeError):  # Python 3.11 and 3.12; later ones raise OSError with ELOOP
        return os.strerror(errno.ELOOP).lower()
    return (getattr(error, "strerror", None) or str(error)).lower()
