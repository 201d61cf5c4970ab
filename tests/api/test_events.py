"""Events: pages and streams that miss nothing, repeat nothing, and outlive what goes away."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.client import Client
from api.client.events import frames
from api.service import event_hub
from api.service.event_hub import EventHub
from api.service.state import Service
from nas.domain.lifecycle import SearchStatus
from nas.errors import TransientError
from tests.api.filled import a_search, fill
from tests.api.live import listening
from tests.api.serving import Served, serve

TRIALS = 20
HTTP = httpx.Client(limits=httpx.Limits(max_connections=100), trust_env=False)


@pytest.fixture
def served(tmp_path: Path) -> Served:
    served = serve(tmp_path / "data")
    fill(served.installation.database, a_search("red-1", project="red"), trials=TRIALS)
    fill(served.installation.database, a_search("blue-1", project="blue"), trials=3)
    return served


@pytest.fixture
def address(served: Served) -> Iterator[str]:
    with listening(served.http.app) as url:
        yield url


def tell(served: Served, search_id: str = "red-1", kind: str = "trial", **facts: object) -> int:
    with served.installation.database.unit_of_work() as uow:
        number = uow.events.append(search_id, kind, json.dumps({"facts": facts}), time.time())
        uow.commit()
    return number


def end(served: Served, search_id: str = "red-1") -> int:
    with served.installation.database.unit_of_work() as uow:
        search = uow.searches.get(search_id)
        uow.searches.replace(search.status, search.evolve(status=SearchStatus.COMPLETED))
        number = uow.events.append(search_id, "search", '{"facts": {"status": "completed"}}', time.time())
        uow.commit()
    return number


class Listening:
    """Reads a stream in a thread, frame by frame."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.frames: queue.Queue[Any] = queue.Queue()
        self._headers = {"Accept": "text/event-stream", **headers}
        self._thread = threading.Thread(target=self._read, args=(url,), daemon=True)
        self._thread.start()

    def _read(self, url: str) -> None:
        opened = HTTP.stream("GET", url, headers=self._headers, timeout=30)
        with contextlib.suppress(httpx.TransportError), opened as response:
            for frame in frames(response.iter_lines()):
                self.frames.put(frame)
        self.frames.put(None)

    def next(self, patience_s: float = 30.0) -> Any:
        return self.frames.get(timeout=patience_s)

    def until(self, kind: str) -> list[Any]:
        found = [self.next()]
        while found[-1] is not None and found[-1].kind != kind:
            found.append(self.next())
        return found


def test_a_stream_replays_then_follows_then_ends(served: Served, address: str) -> None:
    stream = Listening(f"{address}/v1/searches/red-1/events", served.bearer("red/reader"))
    replayed = [stream.next() for _ in range(TRIALS + 1)]
    assert [int(frame.id) for frame in replayed] == list(range(1, TRIALS + 2))
    told = tell(served, number=99)
    assert int(stream.next().id) == told
    last = end(served)
    rest = stream.until("end")
    assert [frame.kind for frame in rest] == ["search", "end"]
    assert int(rest[0].id) == last
    assert json.loads(rest[0].data)["facts"] == {"status": "completed"}
    assert stream.next() is None


def test_a_stream_goes_on_after_the_last_event_seen(served: Served, address: str) -> None:
    headers = {**served.bearer("red/reader"), "Last-Event-ID": str(TRIALS)}
    stream = Listening(f"{address}/v1/searches/red-1/events?after=3", headers)
    assert int(stream.next().id) == TRIALS + 1
    assert int(Listening(f"{address}/v1/searches/red-1/events?after=7", served.bearer("admin")).next().id) == 8


def test_pages_and_stream_tell_the_same(served: Served, address: str) -> None:
    end(served)
    with Client(address, served.bearer("red/reader")["Authorization"].removeprefix("Bearer ")) as client:
        assert list(client.events("red-1")) == list(client.events("red-1", follow=True))


def test_fifty_listeners_miss_nothing(served: Served, address: str) -> None:
    url, headers = f"{address}/v1/searches/red-1/events?after={TRIALS + 1}", served.bearer("red/reader")
    listeners = [Listening(url, headers) for _ in range(50)]
    for _ in range(20):
        tell(served)
    last = end(served)
    for listener in listeners:
        ids = [int(frame.id) for frame in listener.until("end")[:-1]]
        assert ids == list(range(TRIALS + 2, last + 1))


def test_the_stream_of_all_searches_tells_of_those_one_may_see(served: Served, address: str) -> None:
    stream = Listening(f"{address}/v1/events", served.bearer("red/reader"))
    hub = served.http.app.state.service.hub
    _until(lambda: hub._all_seen is not None)
    tell(served, "blue-1")
    tell(served, "red-1")
    assert json.loads(stream.next().data)["search"] == "red-1"


def test_a_stream_of_another_project_does_not_exist(served: Served, address: str) -> None:
    headers = {**served.bearer("blue/admin"), "Accept": "text/event-stream"}
    answer = httpx.get(f"{address}/v1/searches/red-1/events", headers=headers)
    assert answer.status_code == 404


def test_a_client_follows_through_a_server_that_is_killed_and_comes_back(served: Served) -> None:
    app, seen = served.http.app, queue.Queue[int]()
    token = served.bearer("red/reader")["Authorization"].removeprefix("Bearer ")
    with listening(app) as url:
        port = int(url.rpartition(":")[2])
        client = Client(url, token)

        def follow() -> None:
            for event in client.events("red-1", follow=True):
                seen.put(event.id)
            seen.put(-1)

        threading.Thread(target=follow, daemon=True).start()
        ids = [seen.get(timeout=10) for _ in range(TRIALS + 1)]
    tell(served)  # while nobody serves
    with listening(app, port):
        end(served)
        while ids[-1] != -1:
            ids.append(seen.get(timeout=20))
        client.close()
    assert ids == [*range(1, TRIALS + 4), -1]


def in_a_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run in a thread of its own: a browser driven by this process may have left a loop in ours."""
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def test_the_hub_outlives_a_database_that_is_away(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_hub, "BACK_OFF_S", 0.05)
    is_away = threading.Event()

    @contextlib.contextmanager
    def reader() -> Iterator[Any]:
        if is_away.is_set():
            raise TransientError("The database cannot be reached.")
        with served.installation.database.reader() as uow:
            yield uow

    async def listen() -> list[int]:
        hub, ids, has_been_away = EventHub(reader), list[int](), False
        async for events in hub.events("red-1", 0, heartbeat_s=0.05):
            ids += [event.id for event in events]
            if len(ids) == TRIALS + 1 and not has_been_away:
                has_been_away = True
                is_away.set()
                asyncio.get_running_loop().call_later(0.3, is_away.clear)
                await asyncio.to_thread(end, served)
        return ids

    assert in_a_loop(asyncio.wait_for(listen(), 20)) == list(range(1, TRIALS + 3))


def test_what_this_process_writes_is_told_without_waiting_for_the_next_look(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(served.installation)

    def write() -> None:
        with service.writer() as uow:
            uow.events.append("red-1", "trial", json.dumps({"facts": {}}), 2.0)
            uow.commit()

    async def listen() -> str:
        told = service.hub.changes(lambda project: project == "red", heartbeat_s=60.0)
        await anext(told)
        monkeypatch.setattr(event_hub, "TICK_S", 60.0)
        await asyncio.sleep(0.2)  # it rests for a minute now
        await asyncio.to_thread(write)
        news = await anext(told)
        return news.search if news else ""

    assert in_a_loop(asyncio.wait_for(listen(), 10)) == "red-1"


def test_a_listener_that_falls_behind_is_dropped_and_finds_what_it_missed_by_asking_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_hub, "_BACKLOG", 2)

    async def listen(after: int, busy_with: int) -> list[int]:
        hub, ids = EventHub(served.installation.database.reader), list[int]()
        async for events in hub.events("red-1", after, heartbeat_s=0.3):
            if not events:
                break
            ids += [event.id for event in events]
            for _ in range(busy_with):  # while more happens than fits into its inbox
                await asyncio.to_thread(tell, served)
                await asyncio.sleep(0.1)
        return ids

    dropped = in_a_loop(asyncio.wait_for(listen(TRIALS, busy_with=5), 30))
    assert dropped == list(range(TRIALS + 1, TRIALS + 1 + len(dropped)))
    with served.installation.database.reader() as uow:
        last = uow.events.last("red-1")
    assert dropped[-1] < last
    assert in_a_loop(asyncio.wait_for(listen(dropped[-1], busy_with=0), 30)) == list(range(dropped[-1] + 1, last + 1))


def test_there_is_a_limit_to_listeners(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_hub, "MAX_LISTENERS", 0)

    async def listen() -> None:
        async for _ in EventHub(served.installation.database.reader).events("red-1", 0, 1.0):
            pass

    with pytest.raises(TransientError, match="Too many"):
        in_a_loop(listen())
    for path in ("/v1/events", "/v1/searches/red-1/events"):
        headers = {**served.bearer("red/reader"), "Accept": "text/event-stream"}
        answer = served.http.get(path, headers=headers)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_a_quiet_stream_sends_a_sign_of_life() -> None:
    lines = iter([": still here", "", "retry: 1000", "", "event: a", "data: 1", "data: 2", "id: 4", "", "data: x"])
    assert [(frame.kind, frame.data, frame.id) for frame in frames(lines)] == [("a", "1\n2", "4")]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
