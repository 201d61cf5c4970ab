"""Somebody who watches: follows one search after the other over server-sent events, through every fault."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from api.client import Client
from nas.errors import NasError

log = logging.getLogger("chaos")


class Listener:
    """A thread with the product's own client.

    Attributes:
        heard: Ids of the events that arrived, in the order of their arrival, by search.
    """

    def __init__(self, url: str, key: str, open_searches: Callable[[], list[str]]) -> None:
        self.heard: dict[str, list[int]] = {}
        self._client = Client(url, key)
        self._open_searches = open_searches
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        """Begin with the first search there is."""
        self._thread.start()

    def stop(self) -> None:
        """Hear no more; the stream under way is left to its thread."""
        self._stop.set()

    def so_far(self) -> dict[str, tuple[int, ...]]:
        """What was heard until now."""
        return {search: tuple(ids) for search, ids in list(self.heard.items())}

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            fresh = [search for search in self._open_searches() if search not in self.heard]
            if fresh:
                self._follow(fresh[-1])

    def _follow(self, search: str) -> None:
        ids = self.heard[search] = []
        try:
            for event in self._client.events(search, follow=True):
                ids.append(event.id)
                if self._stop.is_set():
                    return
        except NasError as error:
            log.warning("the stream of %s was given up: %s", search, error)
