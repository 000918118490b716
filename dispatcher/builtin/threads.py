"""The built-in engine: recipients in parallel, in threads of this process."""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from queue import SimpleQueue
from time import monotonic
from typing import ClassVar

from dispatcher import Engine, Message, hookimpl

# The most messages held at a time; those of recipients that are busy wait here.
WINDOW = 1000
# The most seconds until a request to stop is noticed.
_TICK = 0.1


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
        schedule = _Schedule(messages, stopped)
        # Daemons, so that a process that abandons the run does not wait for them.
        threads = [
            threading.Thread(target=schedule.serve, args=(deliver,), daemon=True)
            for _ in range(workers)
        ]
        for thread in threads:
            thread.start()
        try:
            schedule.run()
        finally:
            for _ in threads:
                schedule.dismiss()
        for thread in threads:
            thread.join()


class _Schedule:
    """Decides which message is next; `_queues` has the waiting messages by recipient.

    The thread that delivered a message also does what follows from its end: waking another thread
    for every message would take a good part of the time of a post (benchmarks/sending.py).
    """

    def __init__(self, messages: Iterable[Message], stopped: Callable[[], bool]) -> None:
        self._messages, self._stopped = iter(messages), stopped
        self._ready: SimpleQueue[Message | None] = SimpleQueue()
        self._lock, self._changed = threading.Lock(), threading.Event()
        self._queues: dict[str, deque[Message]] = {}
        self._waiting: list[tuple[float, int, Message]] = []
        self._number = count()
        self._open = self._running = 0
        self._read_all = False
        self._error: BaseException | None = None

    def run(self) -> None:
        """Return once every message is delivered, or none is running and no more may start."""
        while True:
            self._changed.clear()
            if not self._stopping:
                self._admit()
                self._start_waiting()
            if self._running == 0 and (self._stopping or self._open == 0):
                break
            self._changed.wait(self._timeout())
        if self._error is not None:
            raise self._error

    def serve(self, deliver: Callable[[Message], float | None]) -> None:
        """Deliver what is ready, until dismissed; nothing more once the run is to stop."""
        while (message := self._ready.get()) is not None:
            try:
                wait = None if self._stopping else deliver(message)
            except BaseException as error:
                self._delivered(message, None, error)
            else:
                self._delivered(message, wait)

    def dismiss(self) -> None:
        """Let one thread end."""
        self._ready.put(None)

    @property
    def _stopping(self) -> bool:
        return self._error is not None or self._stopped()

    def _admit(self) -> None:
        """Take in more messages; the first one of a recipient starts at once."""
        try:
            while self._open < WINDOW and not self._read_all:
                message = next(self._messages, None)
                if message is None:
                    self._read_all = True
                else:
                    self._take_in(message)
        except Exception as error:
            self._error = error

    def _take_in(self, message: Message) -> None:
        with self._lock:
            self._open += 1
            if message.to in self._queues:
                self._queues[message.to].append(message)
            else:
                self._queues[message.to] = deque()
                self._start(message)

    def _start(self, message: Message) -> None:
        self._running += 1
        self._ready.put(message)

    def _start_waiting(self) -> None:
        with self._lock:
            while self._waiting and self._waiting[0][0] <= monotonic():
                self._start(heapq.heappop(self._waiting)[2])

    def _timeout(self) -> float:
        """Return the seconds until there is something to do, if nothing changes."""
        with self._lock:
            due = self._waiting[0][0] - monotonic() if self._waiting else _TICK
        return min(max(due, 0.0), _TICK)

    def _delivered(
        self, message: Message, wait: float | None, error: BaseException | None = None
    ) -> None:
        """Record that a message was delivered, or must be tried again in `wait` seconds."""
        with self._lock:
            self._running -= 1
            self._error = self._error or error
            if wait is not None:
                entry = (monotonic() + wait, next(self._number), message)
                heapq.heappush(self._waiting, entry)
            else:
                self._end(message)
            few = self._open <= WINDOW // 2 and not self._read_all
            if few or wait is not None or self._running == 0:
                self._changed.set()

    def _end(self, message: Message) -> None:
        self._open -= 1
        if not self._queues[message.to]:
            del self._queues[message.to]
        elif not self._stopping:
            self._start(self._queues[message.to].popleft())


@hookimpl
def dispatcher_engines() -> list[Engine]:
    return [Threads()]
