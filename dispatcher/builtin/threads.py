"""The built-in engine: recipients in parallel, in threads of this process."""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from queue import Empty, SimpleQueue
from time import monotonic
from typing import ClassVar, NamedTuple

from dispatcher import Engine, Message, hookimpl

# As many messages are open at a time, however many there are: those of busy recipients wait here.
WINDOW = 1000
# Seconds. How long it may take to notice that the run is to stop.
_TICK = 0.1


class Done(NamedTuple):
    """A thread is done with a message, for now: `wait` seconds until it wants to go on."""

    message: Message
    wait: float | None
    error: Exception | None


class Threads:
    """Starts a message when its recipient has no other; never holds more than `WINDOW`."""

    name: ClassVar[str] = "threads"

    def run(
        self,
        messages: Iterable[Message],
        deliver: Callable[[Message], float | None],
        workers: int,
        stopped: Callable[[], bool],
    ) -> None:
        """See `Engine.run`."""
        todo: SimpleQueue[Message | None] = SimpleQueue()
        done: SimpleQueue[Done] = SimpleQueue()
        # Daemons: a run that is abandoned does not wait for them.
        threads = [
            threading.Thread(target=_serve, args=(todo, done, deliver), daemon=True)
            for _ in range(workers)
        ]
        for thread in threads:
            thread.start()
        try:
            _Schedule(iter(messages), todo, done, stopped).run()
        finally:
            for _ in threads:
                todo.put(None)
        for thread in threads:
            thread.join()


class _Schedule:
    """Which message is whose turn. `lanes`: the open messages of each recipient, in order."""

    def __init__(
        self,
        messages: Iterator[Message],
        todo: SimpleQueue[Message | None],
        done: SimpleQueue[Done],
        stopped: Callable[[], bool],
    ) -> None:
        self._messages, self._todo, self._done, self._stopped = messages, todo, done, stopped
        self._lanes: dict[str, deque[Message]] = {}
        self._waiting: list[tuple[float, int, Message]] = []
        self._number = count()
        self._open = self._running = 0
        self._error: Exception | None = None

    def run(self) -> None:
        """Until every message has been delivered, or nothing is under way and no more may start."""
        while True:
            if not self._stopping:
                self._admit()
                self._start_waiting()
            if self._running == 0 and (self._stopping or self._open == 0):
                break
            for done in self._finished():
                self._settle(done)
        if self._error is not None:
            raise self._error

    @property
    def _stopping(self) -> bool:
        return self._error is not None or self._stopped()

    def _admit(self) -> None:
        """Take in more messages; the first one of a recipient starts at once."""
        try:
            while self._open < WINDOW and (message := next(self._messages, None)) is not None:
                self._open += 1
                if message.to in self._lanes:
                    self._lanes[message.to].append(message)
                else:
                    self._lanes[message.to] = deque()
                    self._start(message)
        except Exception as error:
            self._error = error

    def _start(self, message: Message) -> None:
        self._running += 1
        self._todo.put(message)

    def _start_waiting(self) -> None:
        while self._waiting and self._waiting[0][0] <= monotonic():
            self._start(heapq.heappop(self._waiting)[2])

    def _finished(self) -> Iterator[Done]:
        """What the threads are done with; waits for the first, but no longer than it may."""
        due = self._waiting[0][0] - monotonic() if self._waiting else _TICK
        patience = min(max(due, 0.0), _TICK)
        try:
            while True:
                yield self._done.get(timeout=patience)
                patience = 0.0
        except Empty:
            return

    def _settle(self, done: Done) -> None:
        self._running -= 1
        self._error = self._error or done.error
        to = done.message.to
        if done.wait is not None:
            entry = (monotonic() + done.wait, next(self._number), done.message)
            heapq.heappush(self._waiting, entry)
            return
        self._open -= 1
        if not self._lanes[to]:
            del self._lanes[to]
        elif not self._stopping:
            self._start(self._lanes[to].popleft())


def _serve(
    todo: SimpleQueue[Message | None],
    done: SimpleQueue[Done],
    deliver: Callable[[Message], float | None],
) -> None:
    while (message := todo.get()) is not None:
        try:
            done.put(Done(message, deliver(message), None))
        except Exception as error:
            done.put(Done(message, None, error))


@hookimpl
def dispatcher_engines() -> list[Engine]:
    return [Threads()]
