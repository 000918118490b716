"""Where this user's runs keep what concerns this machine: the XDG state folder."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from dispatcher.errors import ConfigError
from dispatcher.ownership import objection_at


def state_file(name: str, *, make: bool = True) -> Path:
    """A file of this name in the XDG state folder, or in a private temporary one.

    `make`: the folder, where it is not there; the file is never made. Raises ConfigError where
    either is somebody else's: whoever may write there could have this user believe, or write, what
    they want.
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
