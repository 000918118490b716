"""The contract of engines, as tests: `class TestContract(EngineContract)`."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from time import monotonic, sleep
from typing import Any, ClassVar

import pytest

from dispatcher.hookspecs import Engine
from dispatcher.models import Message
from dispatcher.testing import factories
from dispatcher.testing.contract_cases import declared

_WORKERS = 3
_MANY = 20_000  # messages, more than need be in memory
_READ = 5_000  # the most of them that are read before one of them is delivered


class EngineContract:
    """Derive a test class from it: `class TestOneByOne(EngineContract)`.

    `engine` is what is tested. `patience` is the seconds within which it must end, also once it is
    to stop.

        engine = OneByOne()
    """

    engine: ClassVar[Any]
    patience: ClassVar[float] = 10

    def test_it_has_a_name(self) -> None:
        name = getattr(type(declared(self, "engine")), "name", None)
        assert isinstance(name, str), "`name` must be a text of the class"
        assert name.strip(), "`name` is empty"

    def test_every_message_is_delivered_once(self) -> None:
        run = Deliveries()
        self._run(run, _messages(50, recipients=7))
        assert sorted(run.ended) == sorted(each.key for each in _messages(50, recipients=7))

    def test_a_plan_without_messages_ends(self) -> None:
        self._run(Deliveries(), [])

    def test_a_message_is_delivered_again_after_its_wait(self) -> None:
        run = Deliveries(waits=[0.05, 0.0])
        self._run(run, _messages(6, recipients=3))
        assert sorted(run.ended) == sorted(each.key for each in _messages(6, recipients=3))
        for times in run.began.values():
            assert len(times) == 3, "deliver is called until it returns None, and no more"
            assert times[1] - times[0] >= 0.05, "it did not wait as long as deliver said"

    def test_messages_to_one_recipient_are_delivered_in_order_each_to_its_end(self) -> None:
        run = Deliveries(waits=[0.01])
        self._run(run, _messages(30, recipients=3))
        for recipient, ids in run.order.items():
            expected = [each.id for each in _messages(30, recipients=3) if each.to == recipient]
            assert ids == [id for id in expected for _ in range(2)], "out of order, or interleaved"

    def test_no_more_threads_deliver_than_there_are_workers(self) -> None:
        run = Deliveries(takes=0.01)
        self._run(run, _messages(20, recipients=20))
        assert run.most_at_a_time <= _WORKERS

    def test_messages_are_read_as_they_are_needed(self) -> None:
        run, ahead = Deliveries(stops_after=1), 0

        def counted() -> Iterator[Message]:
            nonlocal ahead
            for message in _messages(_MANY, recipients=_MANY):
                ahead += not run.began
                yield message

        self._run(run, counted())
        assert ahead <= _READ, f"it read {ahead} messages before it delivered one"

    def test_once_it_is_to_stop_it_starts_nothing_more(self) -> None:
        run = Deliveries(stops_after=2)
        self._run(run, _messages(50, recipients=50))
        # Each of the other workers may have asked just before.
        assert run.late < _WORKERS, f"it began {run.late} deliveries after it was to stop"

    def test_it_stops_while_a_message_waits(self) -> None:
        run = Deliveries(waits=[self.patience * 100], stops_after=1)
        self._run(run, _messages(3, recipients=1))

    @pytest.mark.parametrize("where", ["deliver", "messages"])
    def test_what_is_raised_is_passed_on(self, where: str) -> None:
        def broken() -> Iterator[Message]:
            yield from _messages(3, recipients=3)
            if where == "messages":
                raise _Failure

        run = Deliveries(fails=where == "deliver")
        with pytest.raises(_Failure):
            self._run(run, broken())

    def _run(self, run: Deliveries, messages: Iterable[Message]) -> None:
        """Have the engine deliver messages; fail if it does not end in time."""
        engine: Engine = declared(self, "engine")
        raised: list[BaseException] = []

        def carry_out() -> None:
            try:
                engine.run(messages, run.deliver, _WORKERS, run.stopped.is_set)
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=carry_out, daemon=True)
        thread.start()
        thread.join(self.patience)
        assert not thread.is_alive(), f"it did not end within {self.patience:g} s"
        assert not run.under_way, "it ended while messages were being delivered"
        if raised:
            raise raised[0]


class _Failure(Exception):
    """What must be passed on."""


class Deliveries:
    """Notes what an engine does; `deliver` asks for each of `waits`, then the message has ended.

    After so many deliveries as `stops_after`, the engine is to stop. One takes `takes` seconds.
    """

    def __init__(
        self,
        waits: Iterable[float] = (),
        stops_after: int | None = None,
        takes: float = 0.0,
        *,
        fails: bool = False,
    ) -> None:
        self._waits, self._stops_after = list(waits), stops_after
        self._takes, self._fails = takes, fails
        self._lock = threading.Lock()
        self.stopped = threading.Event()
        self.ended: list[str] = []
        self.began: defaultdict[str, list[float]] = defaultdict(list)
        self.order: defaultdict[str, list[str]] = defaultdict(list)
        self.under_way = self.most_at_a_time = self.late = self._count = 0

    def deliver(self, message: Message) -> float | None:
        """Note a delivery, and return its wait."""
        with self._lock:
            self._count += 1
            self.under_way += 1
            self.most_at_a_time = max(self.most_at_a_time, self.under_way)
            self.late += self.stopped.is_set()
            self.order[message.to].append(message.id)
            times = self.began[message.key]
            times.append(monotonic())
            tried = len(times)
        try:
            sleep(self._takes)
            return self._outcome(message, tried)
        finally:
            with self._lock:
                self.under_way -= 1

    def _outcome(self, message: Message, tried: int) -> float | None:
        if self._fails:
            raise _Failure
        wait = None
        with suppress(IndexError):
            wait = self._waits[tried - 1]
        with self._lock:
            if wait is None:
                self.ended.append(message.key)
            if self._stops_after is not None and self._count >= self._stops_after:
                self.stopped.set()
        return wait


def _messages(count: int, recipients: int) -> Iterator[Message]:
    template = factories.message()
    for number in range(count):
        to = f"7900{number % recipients:07}"
        changes: dict[str, Any] = {"id": f"m{number}", "to": to, "key": f"r/m/m{number}/1/{to}"}
        yield template.model_copy(update=changes)
