"""The Python client against a real server: typed answers, the server's own errors, patience where it is safe."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.client import Client, transport
from api.refusals import Forbidden, IncompatibleServer, QuotaExceeded, Unauthorized
from nas.domain.lifecycle import SearchStatus
from nas.errors import Conflict, CorruptArtifact, NotFound, SpecError, TransientError
from tests.api.filled import a_search, fill
from tests.api.live import listening
from tests.api.serving import Served, serve

TRIALS = 30


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    served = serve(tmp_path_factory.mktemp("client"))
    fill(served.installation.database, a_search("red-1", project="red"), TRIALS, status=SearchStatus.COMPLETED)
    fill(served.installation.database, a_search("red-2", project="red"), 3)
    return served


@pytest.fixture(scope="module")
def address(served: Served) -> Iterator[str]:
    with listening(served.http.app) as url:
        yield url


def client_of(served: Served, address: str, who: str) -> Client:
    return Client(address, served.bearer(who)["Authorization"].removeprefix("Bearer "))


@pytest.fixture
def client(served: Served, address: str) -> Iterator[Client]:
    with client_of(served, address, "red/submitter") as client:
        yield client


def test_what_the_server_has_is_read_whatever_the_size_of_its_pages(client: Client) -> None:
    assert {search.search for search in client.searches(page_size=1)} >= {"red-1", "red-2"}
    assert [trial.trial for trial in client.trials("red-1", page_size=7)] == list(range(TRIALS))
    assert [event.id for event in client.events("red-1")] == list(range(1, TRIALS + 2))


def test_a_search_is_read_from_every_side(client: Client) -> None:
    search = client.search("red-1")
    front = client.front("red-1")
    assert search.best is not None
    assert front.best == search.best
    assert search.best.trial in [point.trial for point in front.points]
    assert client.trial("red-1", 3).attempts[0].failure is not None
    assert len(client.trial("red-1", 3).stages) == 7
    assert client.points("red-1").number == list(range(TRIALS))
    assert client.hypervolume("red-1").points[-1].trials == TRIALS
    assert client.library("red-1").done == client.library("red-1").total == 28
    assert client.spec("red-1").name == "red-1"
    assert client.me().project == "red"
    assert client.ready().status == "degraded"
    assert client.cluster().coordinators == 0
    assert sorted(client.libraries()[0].searches) == ["red-1", "red-2"]


def test_filters_select(client: Client) -> None:
    feasible = [trial.trial for trial in client.trials("red-1", feasible=True)]
    others = [trial.trial for trial in client.trials("red-1", feasible=False)]
    assert sorted(feasible + others) == list(range(TRIALS))
    assert all(trial.feasible for trial in client.trials("red-1", feasible=True))
    assert [trial.trial for trial in client.trials("red-1", origin="teacher")] == [0]
    assert [search.search for search in client.searches(status=SearchStatus.COMPLETED)] == ["red-1"]


def test_the_errors_of_the_server_arrive_as_themselves(served: Served, address: str, client: Client) -> None:
    with pytest.raises(NotFound, match="no search 'red-9'"):
        client.search("red-9")
    with pytest.raises(Conflict):
        client.set_intent("red-1", "run")
    with pytest.raises(SpecError) as caught:
        client.move_bounds("red-1", {"params": -1.0})
    assert caught.value.faults[0].pointer == "/constraints/0/at_most"
    with pytest.raises(Forbidden, match="admin"):
        client.keys("red")
    with Client(address, "bsk_" + "a" * 12 + "_" + "b" * 43) as stranger, pytest.raises(Unauthorized):
        stranger.me()


def test_quotas_and_projects_are_administered(served: Served, address: str) -> None:
    with client_of(served, address, "admin") as admin:
        assert admin.create_project("green", trials=0).quota.trials == 0
        key = admin.create_key("tests", "submitter", project="green")
        with Client(address, key.token) as green, pytest.raises(QuotaExceeded, match="may reserve 0"):
            green.submit({"name": "x", "constraints": [{"metric": "noise_mse", "at_most": 1.0}]})
        assert admin.set_quota("green", parallelism=3).quota.model_dump() == {
            "trials": 0,
            "parallelism": 3,
            "storage_bytes": None,
        }
        admin.revoke_key(key.key)
        assert [one.revoked_at is not None for one in admin.keys("green")] == [True]
        actions = [line.action for line in admin.audit(project="green", page_size=1)]
        assert actions == ["revoke key", "set quota", "create key", "create project"]


def test_bounds_move_from_the_version_that_was_seen(client: Client) -> None:
    version = client.move_bounds("red-2", {"noise_mse_relative": 0.3}, base_version=0).version
    assert version == 1
    with pytest.raises(Conflict, match="version 1 is in force"):
        client.move_bounds("red-2", {"noise_mse_relative": 0.2}, base_version=0)
    assert [one.constraints[0].at_most for one in client.bounds("red-2")] == [0.5, 0.3]


def test_a_download_arrives_whole_or_not_at_all(served: Served, client: Client, tmp_path: Path) -> None:
    export = client.export("red-1")
    packed = b"x" * 3_000_000
    digest = served.installation.workspace.artifacts.put(packed)
    with served.installation.database.unit_of_work() as uow:
        waiting = uow.exports.get(export.export)
        uow.exports.replace("waiting", waiting.evolve(status="done", artifact=digest, size_bytes=len(packed)))
        uow.commit()
    assert client.wait_export(export.export).size_bytes == len(packed)
    client.download(export.export, tmp_path / "network.zip")
    assert (tmp_path / "network.zip").read_bytes() == packed
    served.installation.workspace.artifacts.path(digest).write_bytes(b"y" * len(packed))
    with pytest.raises(CorruptArtifact):
        client.download(export.export, tmp_path / "damaged.zip")
    assert [file.name for file in tmp_path.iterdir()] == ["network.zip"]


def test_waiting_ends_with_the_search(client: Client) -> None:
    seen: list[int] = []
    assert client.wait("red-1", lambda event: seen.append(event.id)).status is SearchStatus.COMPLETED
    assert seen == list(range(1, TRIALS + 2))


def test_without_a_server_the_same_client_serves_itself(served: Served) -> None:
    with Client.local(served.installation) as local:
        assert local.me().key == "local"
        assert {search.project for search in local.searches()} == {"red"}
        assert local.front("red-1").search == "red-1"
        assert list(local.events("red-1", follow=True))[-1].facts == {"status": "completed"}


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_PAUSE_S", 0.01)


@pytest.mark.usefixtures("hurry")
def test_nobody_answering_is_said_in_a_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with Client(address, "x") as client, pytest.raises(TransientError, match="cannot be reached"):
        client.me()


@pytest.mark.parametrize("url", ["localhost:8484", "ftp://x", "", "http://", "nonsense"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SpecError, match="no address"):
        Client(url)


def test_a_stranger_that_answers_is_told_apart() -> None:
    strange = _answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
    with strange as (address, _), Client(address) as client, pytest.raises(IncompatibleServer):
        client.me()


@pytest.mark.usefixtures("hurry")
def test_reads_are_repeated_when_the_connection_is_lost_and_writes_only_with_a_key() -> None:
    problem = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    with _answering(problem) as (address, requests), Client(address) as client:
        with pytest.raises(TransientError):
            client.me()
        assert len(requests) == 5
        requests.clear()
        with pytest.raises(TransientError):
            client.submit({"name": "x"})
        assert len(requests) == 1
        requests.clear()
        with pytest.raises(TransientError):
            client.submit({"name": "x"}, idempotency_key="k")
        assert len(requests) == 5


class _answering:
    """A server that says one thing to everybody, and keeps what it was asked.

    It ends every connection, so the answer has to say so: a client that believes the connection
    open may lose its next request before anybody reads it.
    """

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._requests: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> tuple[str, list[bytes]]:
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}", self._requests

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._requests.append(connection.recv(65536))
                connection.sendall(self._answer)
