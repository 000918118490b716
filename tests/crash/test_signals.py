"""A run that is asked to end does so soon, and knows what became of everything."""

import signal
import time
from collections.abc import Callable
from random import Random

import pytest

from tests.support.forking import Process
from tests.support.gateway import Peer, Serve
from tests.support.waiting import LONG, a_second

from .mailing import Mailing, NewMailing

CONNECT, READ = 1.0, 1.0
STOPS = 10


@pytest.fixture
def new_impatient(new_mailing: NewMailing) -> Callable[[int], Mailing]:
    """Make a mailing that waits a second each for the connection and the answer."""
    timeouts = {"GREENAPI_CONNECT_TIMEOUT": f"{CONNECT}", "GREENAPI_READ_TIMEOUT": f"{READ}"}
    return lambda recipients: new_mailing(recipients, environment=timeouts)


def end(mailing: Mailing, process: Process) -> float:
    """Wait for the end of a run; the seconds that it took."""
    began = time.monotonic()
    errors = mailing.read_rest(process)
    assert process.returncode == 130, errors
    return time.monotonic() - began


def test_sigterm_ends_a_mailing_soon_and_nothing_is_unknown(
    new_impatient: Callable[[int], Mailing], chance: Random
) -> None:
    stops = 10 * STOPS if LONG else STOPS
    mailing = new_impatient(50 * stops)
    longest = 0.0
    for _ in range(stops):
        process = mailing.start()
        mailing.read_some(process, chance.randint(1, mailing.total // (2 * stops)))
        process.send_signal(signal.SIGTERM)
        longest = max(longest, end(mailing, process))
        assert set(mailing.journal().values()) == {"sent"}

    print(f"{stops} times SIGTERM; the longest end took {longest:.2f} s")
    assert longest < READ + a_second()
    assert mailing.ends_well() == 0


def test_what_a_silent_gateway_may_have_is_unknown_when_the_run_is_stopped(
    new_impatient: Callable[[int], Mailing],
) -> None:
    mailing = new_impatient(20)
    mailing.gateway.faults([{"fault": "stall"}])
    process = mailing.start()
    mailing.gateway.wait(mailing.workers, timeout=60)

    process.send_signal(signal.SIGTERM)

    assert end(mailing, process) < CONNECT + READ + a_second()
    assert list(mailing.journal().values()) == ["unknown"] * mailing.workers
    mailing.gateway.faults([])
    assert mailing.ends_well() == mailing.workers


def trickle(peer: Peer) -> None:
    """Answer a byte at a time, so that no wait is ever too long."""
    peer.read()
    peer.raw(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n")
    peer.repeat(b" ", READ / 10)


def test_an_answer_without_end_does_not_hold_a_stopped_run(
    new_impatient: Callable[[int], Mailing], serve: Serve
) -> None:
    mailing = new_impatient(20)
    gateway = serve(trickle)
    mailing.environment = {**mailing.environment, "GREENAPI_BASE_URL": gateway.url}
    process = mailing.start()
    gateway.wait_for(mailing.workers)

    process.send_signal(signal.SIGTERM)

    assert end(mailing, process) < CONNECT + READ + a_second()
    assert list(mailing.journal().values()) == ["unknown"] * mailing.workers


def test_a_second_ctrl_c_ends_at_once_and_the_journal_is_right(new_mailing: NewMailing) -> None:
    mailing = new_mailing(20)
    mailing.gateway.faults([{"fault": "stall"}])
    process = mailing.start()
    mailing.gateway.wait(mailing.workers, timeout=60)

    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None, "the first one lets what is in flight end"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    errors = mailing.read_rest(process)

    assert time.monotonic() - began < a_second()
    assert process.returncode == -signal.SIGINT, errors
    mailing.gateway.faults([])
    assert mailing.ends_well() == mailing.workers
