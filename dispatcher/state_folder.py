"""The XDG state folder: where a user's runs keep what concerns this machine."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from dispatcher.errors import ConfigError
from dispatcher.ownership import objection_at


def state_file(name: str, *, make: bool = True) -> Path:
    """Return the path of a file in the XDG state folder, or in a private temporary folder.

    With `make`, a missing folder is made; the file never is. Raises ConfigError if the folder or
    the file belongs to another user, who could then put false state into this user's runs.
    """
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    folder = Path(home, "message-dispatcher")
    if make:
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        folder = Path(tempfile.gettempdir(), f"message-dispatcher-{os.getuid()}")
        try:
            if make:
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise _unusable(f"cannot make {folder}: {error.strerror}") from None
    path = folder / name
    for each in (folder, path):
        if sentence := objection_at(each):
            raise _unusable(sentence)
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise _unusable(f"{path} is no file")
    return path


def _unusable(reason: str) -> ConfigError:
    return ConfigError(f"{reason}; XDG_STATE_HOME can name another folder")
