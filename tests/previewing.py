"""The real `dispatcher preview`, as long as a test looks at it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Project


@contextmanager
def previewed(project: Project, *paths: str) -> Iterator[str]:
    """The address of a preview, which ends well at Ctrl-C."""
    process: subprocess.Popen[str] = project.start("preview", "--no-open", *paths)
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("preview: http://127.0.0.1:"), process.communicate()
    try:
        yield line.removeprefix("preview: ").strip()
    finally:
        process.send_signal(signal.SIGINT)
        result = project.finish(process)
    assert (result.code, result.stderr) == (0, "")
