"""A process that a plugin starts may outlive a run that is killed: it keeps nothing of the run."""

import os
import signal
from contextlib import suppress

from .mailing import NewMailing

DAEMON = """
import os, time
from dispatcher import hookimpl

@hookimpl
def dispatcher_message_finished(message, outcome):
    if not os.path.exists("daemon"):
        with open("daemon", "w") as file:
            if (child := os.fork()) == 0:
                os.setsid()
                os.closerange(0, 1000)
                time.sleep(60)
                os._exit(0)
            file.write(str(child))
"""


def test_daemon_of_a_plugin_does_not_make_what_had_not_begun_unknown(
    new_mailing: NewMailing,
) -> None:
    mailing = new_mailing(50, workers=1)
    mailing.project.install("daemon", DAEMON)
    mailing.gateway.faults([{"fault": "stall", "to": "79000000020"}])
    process = mailing.start()
    mailing.read_some(process, 20)
    mailing.gateway.wait(21)
    assert mailing.kill(process)
    daemon = int((mailing.project.folder / "daemon").read_text())
    mailing.gateway.faults([])

    try:
        assert mailing.ends_well() == 1
    finally:
        with suppress(ProcessLookupError):
            os.kill(daemon, signal.SIGKILL)
