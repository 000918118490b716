"""Engines, each with one fault but the first; see test_engine_faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import sleep
from typing import Any, ClassVar

from dispatcher import Message
from dispatcher.builtin.threads import Threads
from dispatcher.testing import EngineContract

Deliver = Callable[[Message], float | None]
Stopped = Callable[[], bool]


class Plain:
    """Delivers one after the other; its heirs do it in a worse way."""

    name: ClassVar[str] = "plain"

    def run(
        self, messages: Iterable[Message], deliver: Deliver, workers: int, stopped: Stopped
    ) -> None:
        for message in self.read(messages):
            self.deliver(message, deliver, stopped)
            if self.ends(stopped):
                return

    def read(self, messages: Iterable[Message]) -> Iterable[Message]:
        return messages

    def deliver(self, message: Message, deliver: Deliver, stopped: Stopped) -> None:
        while not stopped() and (wait := deliver(message)) is not None:
            self.wait(wait, stopped)

    def wait(self, seconds: float, stopped: Stopped) -> None:
        while seconds > 0 and not stopped():
            sleep(min(0.05, seconds))
            seconds -= 0.05

    def ends(self, stopped: Stopped) -> bool:
        return stopped()


class TestThreads(EngineContract):
    engine = Threads()


class TestPlain(EngineContract):
    engine = Plain()


class Hasty(Plain):
    def wait(self, seconds: float, stopped: Stopped) -> None:
        pass


class TestHasty(EngineContract):
    engine = Hasty()


class Deaf(Plain):
    def deliver(self, message: Message, deliver: Deliver, stopped: Stopped) -> None:
        super().deliver(message, deliver, lambda: False)

    def ends(self, stopped: Stopped) -> bool:
        return False


class TestDeaf(EngineContract):
    engine = Deaf()
    patience = 1


class Greedy(Plain):
    def read(self, messages: Iterable[Message]) -> Iterable[Message]:
        return list(messages)


class TestGreedy(EngineContract):
    engine = Greedy()


class Forgetful(Plain):
    def deliver(self, message: Message, deliver: Deliver, stopped: Stopped) -> None:
        deliver(message)


class TestForgetful(EngineContract):
    engine = Forgetful()


class Silent(Plain):
    def run(self, *arguments: Any) -> None:
        with suppress(Exception):
            super().run(*arguments)


class TestSilent(EngineContract):
    engine = Silent()


class Wild(Plain):
    """As many threads as it likes, and one recipient's messages at the same time."""

    def run(
        self, messages: Iterable[Message], deliver: Deliver, workers: int, stopped: Stopped
    ) -> None:
        with ThreadPoolExecutor(16) as pool:
            for message in messages:
                pool.submit(self.deliver, message, deliver, stopped)
                if stopped():
                    return


class TestWild(EngineContract):
    engine = Wild()
