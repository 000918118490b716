"""`dispatcher`, killed while its journal's database begins to use a log. Needs diskfault.c."""

import ctypes
import signal
import sys

from dispatcher.cli import main

ctypes.CDLL(None).arm(b"fdatasync", b"/journal.db", 1, -signal.SIGKILL)
main(sys.argv[1:])
