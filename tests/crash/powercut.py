"""Does to files what a power cut does: undoes what powercut.c noted, all of it or a part."""

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests.support.boards import delete_boards

_HEAD = struct.Struct("=qqq")
_SECTOR = 512  # bytes; a disk writes each of them as a whole or not at all


def cut_power(notes: Path, chance: Random, journal: Path, survival: float) -> None:
    """Lose what was not synced, save each sector and name that survives by this probability.

    What is in memory is lost in any case.
    """
    delete_boards(journal)
    for note in notes.glob("!*"):
        _lose_writes(Path(note.name.replace("!", "/")), note, survival, chance)
        note.unlink()
    _lose_names(notes / "names", survival, chance)


def _lose_writes(file: Path, note: Path, survival: float, chance: Random) -> None:
    if not file.exists() or not note.stat().st_size:
        return
    new = file.read_bytes()
    old = bytearray(new)
    for size, offset, content in reversed(list(_records(note.read_bytes()))):
        old[offset : offset + len(content)] = content
        del old[size:]
    file.write_bytes(_torn(bytes(old), new, survival, chance))


def _records(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Each write: size of the file and offset, and the bytes that were there, before it.

    Of the last one only a part may be noted: then it was not carried out.
    """
    place = 0
    while place + _HEAD.size <= len(content):
        size, offset, length = _HEAD.unpack_from(content, place)
        place += _HEAD.size + length
        if place <= len(content):
            yield size, offset, content[place - length : place]


def _torn(old: bytes, new: bytes, survival: float, chance: Random) -> bytes:
    """Each sector is the old or the new one, and so is the size."""
    size = len(new) if chance.random() < survival else len(old)
    found = bytearray()
    for start in range(0, size, _SECTOR):
        source = new if chance.random() < survival else old
        found += source[start : start + _SECTOR].ljust(_SECTOR, b"\0")
    return bytes(found[:size])


def _lose_names(note: Path, survival: float, chance: Random) -> None:
    """New names in folders that were not synced since."""
    unsure: dict[Path, None] = {}
    for line in note.read_text().splitlines() if note.exists() else ():
        sign, path = line[0], Path(line[1:])
        if sign == "+":
            unsure[path] = None
        else:
            unsure = {each: None for each in unsure if each.parent != path}
    for path in unsure:
        if chance.random() >= survival:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    note.unlink(missing_ok=True)
