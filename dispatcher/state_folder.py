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
    home = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(home):  # as the specification says
        home = os.path.expanduser("~/.local/state")
    # Without HOME, a user whom the system does not know has no home; it would be one here.
    folder, has_home = Path(home, "message-dispatcher"), os.path.isabs(home)
    if make and has_home:
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (has_home and os.access(folder, os.W_OK)):
        try:
            temporary = tempfile.gettempdir()
        except FileNotFoundError:
            raise _unusable(f"neither {folder} nor a temporary folder can be written") from None
        folder = Path(temporary, f"message-dispatcher-{os.getuid()}")
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
