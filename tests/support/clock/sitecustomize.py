"""The clock of a command is what a test says: `SIMULATED_TIME`, in ISO 8601, and it goes on.

SIGUSR1 sets it forward by `CLOCK_JUMP` seconds, or back, and makes the file `CLOCK_JUMPED`.
"""

import os
import signal
from datetime import datetime
from pathlib import Path

import time_machine

if "SIMULATED_TIME" in os.environ:
    moment = datetime.fromisoformat(os.environ["SIMULATED_TIME"])
    clock = time_machine.travel(moment.timestamp()).start()  # a number leaves the time zone alone

    def jump(*_: object) -> None:
        clock.shift(float(os.environ["CLOCK_JUMP"]))
        Path(os.environ["CLOCK_JUMPED"]).touch()

    if "CLOCK_JUMP" in os.environ:
        signal.signal(signal.SIGUSR1, jump)
