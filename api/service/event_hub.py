"""Tells everybody who listens what happened: one poll of the database for all listeners of a process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import anyio
import anyio.to_thread

from nas.domain.lifecycle import SearchStatus
from nas.errors import NasError, NotFound, TransientError

if TYPE_CHECKING:
    from storage.unit_of_work import SqlUnitOfWork

T = TypeVar("T")

TICK_S: Final = 0.02
ALL_TICKS: Final = 3
"""Every so many ticks all searches are looked at, if anybody wants to hear of all."""

BACK_OFF_S: Final = 1.0
FIRST_LOOK_S: Final = 5.0
MAX_LISTENERS: Final = 500
_PAGE: Final = 500
_BACKLOG: Final = 256
_THREADS: Final = 2


class Event(NamedTuple):
    """One line of the log of a search."""

    id: int
    kind: str
    payload: str
    at: float


class Head(NamedTuple):
    """How far a search's log goes."""

    project: str
    status: str
    last_event: int

    @property
    def is_final(self) -> bool:
        """Whether the search has ended."""
        return SearchStatus(self.status).is_terminal


class News(NamedTuple):
    """What a poll found about one search: its head, and events if they were read."""

    search: str
    head: Head
    events: tuple[Event, ...] = ()


@dataclass(eq=False)
class _Listener:
    inbox: asyncio.Queue[News] = field(default_factory=lambda: asyncio.Queue(_BACKLOG))
    is_late: bool = False

    def tell(self, news: News) -> None:
        try:
            self.inbox.put_nowait(news)
        except asyncio.QueueFull:
            self.is_late = True  # dropped; it comes back and asks from where it was


class EventHub:
    """Fans events out to listeners of this process. Lives on one event loop.

    It polls while somebody listens, survives a database that is away, and never waits for a listener:
    one that falls behind by too much is dropped, and finds what it missed by asking again.

    Args:
        reader: Opens a snapshot for reading.
    """

    def __init__(self, reader: Callable[[], AbstractContextManager[SqlUnitOfWork]]) -> None:
        self._reader = reader
        self._by_search: dict[str, set[_Listener]] = {}
        self._of_all: set[_Listener] = set()
        self._seen: dict[str, Head] = {}
        self._all_seen: dict[str, Head] | None = None
        self._task: asyncio.Task[None] | None = None
        self._threads: anyio.CapacityLimiter | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()

    async def events(self, search_id: str, after: int, heartbeat_s: float) -> AsyncIterator[tuple[Event, ...]]:
        """Events of a search after an id, those to come included; none now and then, when nothing happens.

        Ends after the last event of a search that has ended, and when the listener is too slow.

        Raises:
            TransientError: If too many are listening.
            NotFound: If there is no such search any more.
        """
        cursor = after
        head: Head | None = None
        with self._listening(search_id) as listener:
            while not listener.is_late and not (head and head.is_final and cursor >= head.last_event):
                is_behind = head is None or cursor < head.last_event
                news = await (self._catch_up(search_id, cursor) if is_behind else _next(listener, heartbeat_s))
                if news is None:
                    yield ()
                    continue
                head = news.head
                fresh = tuple(event for event in news.events if event.id > cursor)
                # What a poll found may begin later than this listener stands; it catches up by itself then.
                if fresh and (is_behind or fresh[0].id == cursor + 1):
                    yield fresh
                    cursor = fresh[-1].id

    async def changes(self, sees: Callable[[str], bool], heartbeat_s: float) -> AsyncIterator[News | None]:
        """Changes of all searches of the projects that the listener sees; None now and then.

        The first item is None: what changes after it will be told, what was before is in the list.

        Raises:
            TransientError: If too many are listening, or the database is away at the start.
        """
        with self._listening(None) as listener:
            await self._first_look()
            yield None
            while not listener.is_late:
                news = await _next(listener, heartbeat_s)
                if news is None:
                    yield None
                elif sees(news.head.project):
                    yield news

    def require_room(self) -> None:
        """Refuse one listener too many.

        Raises:
            TransientError: If so many are listening already.
        """
        if len(self._of_all) + sum(map(len, self._by_search.values())) >= MAX_LISTENERS:
            raise TransientError("Too many event streams are open.", "Close some, or ask another API process.")

    def wake(self) -> None:
        """Look now rather than at the next tick, because this process has just written. For any thread; cheap."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has been closed meanwhile: nobody listens
                self._loop.call_soon_threadsafe(self._woken.set)

    @contextmanager
    def _listening(self, search_id: str | None) -> Iterator[_Listener]:
        self.require_room()
        listener = _Listener()
        listeners = self._of_all if search_id is None else self._by_search.setdefault(search_id, set())
        listeners.add(listener)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
        try:
            yield listener
        finally:
            listeners.discard(listener)
            if search_id is not None and not listeners and self._by_search.get(search_id) is listeners:
                del self._by_search[search_id]
                self._seen.pop(search_id, None)

    async def _poll(self) -> None:
        tick = 0
        self._loop = asyncio.get_running_loop()
        while self._by_search or self._of_all:
            began = time.monotonic()
            if self._woken.is_set():
                self._woken.clear()
                tick = 0
            try:
                if self._by_search:
                    ids = {search: self._seen.get(search) for search in self._by_search}
                    self._tell_each(await self._in_thread(partial(self._read_news, ids)))
                if not self._of_all:
                    self._all_seen = None
                elif tick % ALL_TICKS == 0:
                    self._tell_all(await self._in_thread(self._read_all))
            except NasError:
                await asyncio.sleep(BACK_OFF_S)
            tick += 1
            await self._pause(time.monotonic() - began)
        self._loop = None
        self._all_seen = None

    async def _pause(self, spent_s: float) -> None:
        # As long as looking took, also when woken: under many writes half of the time goes into looking, not all.
        rest_s = min(spent_s, TICK_S)
        await asyncio.sleep(rest_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, TICK_S - spent_s - rest_s)):
                await self._woken.wait()

    async def _first_look(self) -> None:
        deadline = time.monotonic() + FIRST_LOOK_S
        while self._all_seen is None:
            if time.monotonic() > deadline:
                raise TransientError("The searches cannot be looked at.", "Try again in a moment.")
            await asyncio.sleep(TICK_S / 4)

    def _tell_each(self, found: Iterable[News]) -> None:
        for news in found:
            if news.search in self._by_search:
                self._seen[news.search] = news.head
                for listener in self._by_search[news.search]:
                    listener.tell(news)

    def _tell_all(self, heads: dict[str, Head]) -> None:
        before, self._all_seen = self._all_seen, heads
        if before is None:
            return
        for search, head in heads.items():
            if before.get(search) != head:
                for listener in self._of_all:
                    listener.tell(News(search, head))

    def _read_news(self, seen: dict[str, Head | None]) -> list[News]:
        with self._reader() as uow:
            found: list[News] = []
            for search, head in _heads(uow, list(seen)).items():
                last = seen[search]
                if last is None:
                    found.append(News(search, head))
                elif head != last:
                    events = uow.events.after(search, last.last_event, _PAGE)
                    found.append(News(search, head, tuple(Event(*event) for event in events)))
            return found

    def _read_all(self) -> dict[str, Head]:
        with self._reader() as uow:
            return _heads(uow, None)

    async def _catch_up(self, search_id: str, cursor: int) -> News | None:
        try:
            return await self._in_thread(lambda: self._read_after(search_id, cursor))
        except TransientError:
            await asyncio.sleep(BACK_OFF_S)
            return None

    def _read_after(self, search_id: str, cursor: int) -> News:
        with self._reader() as uow:
            heads = _heads(uow, [search_id])
            if search_id not in heads:
                raise NotFound(f"There is no search {search_id!r} any more.")
            events = uow.events.after(search_id, cursor, _PAGE)
            return News(search_id, heads[search_id], tuple(Event(*event) for event in events))

    async def _in_thread(self, read: Callable[[], T]) -> T:
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(_THREADS)
        return await anyio.to_thread.run_sync(read, limiter=self._threads)


def _heads(uow: SqlUnitOfWork, ids: list[str] | None) -> dict[str, Head]:
    return {search: Head(project, status, last) for search, project, status, last in uow.search_pages.heads(ids)}


async def _next(listener: _Listener, patience_s: float) -> News | None:
    try:
        async with asyncio.timeout(patience_s):
            return await listener.inbox.get()
    except TimeoutError:
        return None
