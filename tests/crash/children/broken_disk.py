"""`dispatcher` on a disk that breaks at an intent: broken_disk.py CALL NUMBER ERRNO ARGUMENT…

The system's CALL fails with the error for the journal's log, from the moment at which the NUMBER-th
intent is to be written. Needs diskfault.c.
"""

import ctypes
import sys
from itertools import count
from typing import Any

from dispatcher.cli import main
from dispatcher.journal import Claim
from dispatcher.journal.updates import Updates

call, number, errno, *arguments = sys.argv[1:]
intents = count(1)
original = Updates.claim


def claim(self: Updates, *given: Any) -> Claim | None:
    if next(intents) == int(number):
        ctypes.CDLL(None).arm(call.encode(), b"/journal.db-wal", 1, int(errno))
    return original(self, *given)


Updates.claim = claim
main(arguments)
