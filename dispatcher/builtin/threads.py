"""The built-in engine: recipients in parallel, in threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from dispatcher import Engine, hookimpl

if TYPE_CHECKING:
    from concurrent.futures import Future


class Threads:
    """Takes the next recipient when a worker is free, so a plan of any length fits in memory."""

    name: ClassVar[str] = "threads"

    def run(
        self,
        queues: Iterable[Sequence[str]],
        deliver: Callable[[str], None],
        workers: int,
    ) -> None:
        """Deliver every queue in order; the first exception is raised when all threads are done."""
        from concurrent.futures import ThreadPoolExecutor  # only who sends needs it

        def serve(queue: Sequence[str]) -> None:
            for key in queue:
                deliver(key)

        with ThreadPoolExecutor(workers, thread_name_prefix="delivery") as pool:
            running: set[Future[None]] = set()
            for queue in queues:
                running.add(pool.submit(serve, queue))
                if len(running) >= workers:
                    running = _finish_some(running)
            while running:
                running = _finish_some(running)


def _finish_some(running: set[Future[None]]) -> set[Future[None]]:
    from concurrent.futures import FIRST_COMPLETED, wait

    done, rest = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return rest


@hookimpl
def dispatcher_engines() -> list[Engine]:
    return [Threads()]
