"""Work that takes seconds, a few pieces at once: some more may wait, and nobody waits for ever."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

from nas.errors import TransientError

T = TypeVar("T")


class Turns:
    """Threads for one kind of work.

    Args:
        workers: Pieces of work done at once.
        waiting: Pieces that may wait besides.
        patience_s: How long one may take, its wait included.
        what: What is done, for those who are turned away: `Checking the spec`.
        name: Of the threads.
    """

    def __init__(self, workers: int, waiting: int, patience_s: float, what: str, name: str) -> None:
        self._workers = workers
        self._patience_s = patience_s
        self._what = what
        self._name = name
        self._threads: concurrent.futures.ThreadPoolExecutor | None = None
        self._starting = threading.Lock()
        self._places = threading.BoundedSemaphore(workers + waiting)

    def take(self, work: Callable[[], T]) -> T:
        """Do a piece of work in its turn, and return what it returns.

        Raises:
            TransientError: If too many are waiting already, or this one takes too long.
        """
        if not self._places.acquire(blocking=False):
            raise TransientError(f"{self._what} has to wait: too many are at it.", "Try again in a moment.")
        future = self._submitted(work)
        future.add_done_callback(lambda _: self._places.release())
        try:
            return future.result(timeout=self._patience_s)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise TransientError(f"{self._what} took too long.", "Try again, or ask for less.") from None

    def close(self) -> None:
        """Release the threads; the next piece of work starts new ones."""
        with self._starting:
            if self._threads is not None:
                self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def _submitted(self, work: Callable[[], T]) -> concurrent.futures.Future[T]:
        with self._starting:
            if self._threads is None:
                self._threads = concurrent.futures.ThreadPoolExecutor(self._workers, thread_name_prefix=self._name)
            return self._threads.submit(work)
