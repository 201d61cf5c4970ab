"""The tools of the rig, tried on plain programs: schedules, kills, stops, a small disk, a relay."""

from __future__ import annotations

import http.server
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.chaos.disk import SmallDisk
from tests.chaos.programs import Program, Supervisor, wait_until
from tests.chaos.relay import Relay
from tests.chaos.schedule import EVERYWHERE, LARGEST_BURST, LONGEST_S, ON_POSTGRESQL, draw_schedule


def test_a_schedule_is_a_function_of_its_seed_and_deals_every_kind() -> None:
    schedule = draw_schedule(1, 60, "postgresql")
    assert schedule == draw_schedule(1, 60, "postgresql")
    assert schedule != draw_schedule(2, 60, "postgresql")
    faults = [fault for burst in schedule for fault in burst]
    assert [fault.number for fault in faults] == list(range(60))
    assert {fault.kind for fault in faults} == EVERYWHERE.keys() | ON_POSTGRESQL.keys()
    assert max(len(burst) for burst in schedule) <= LARGEST_BURST
    assert all(fault.lasts_s <= LONGEST_S for fault in faults)
    assert all((fault.lasts_s == 0) == fault.kind.startswith("kill") for fault in faults)


def test_what_a_machine_does_not_allow_is_left_out() -> None:
    schedule = draw_schedule(1, 60, "sqlite", without=frozenset({"fill disk"}))
    kinds = {fault.kind for burst in schedule for fault in burst}
    assert kinds == EVERYWHERE.keys() - {"fill disk"}


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Program]:
    """A program with a child, both sleeping."""
    code = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "time.sleep(60)"
    )
    program = Program("parent", [sys.executable, "-c", code], {}, tmp_path / "parent.log", contained=True)
    program.start()
    wait_until(lambda: _has_child(program), "the child runs", 10)
    yield program
    program.end(1)


def _has_child(program: Program) -> bool:
    """Whether parent and child run their own programs: a fork has its parent's command line for a moment."""
    return len({tuple(one.cmdline()) for one in program.family()}) == 2


def test_a_killed_program_is_started_again_and_leaves_nothing_behind(parent: Program) -> None:
    first, child = parent.family()
    supervisor = Supervisor([parent], random.Random(1))
    supervisor.start()
    parent.signal(signal.SIGKILL)
    wait_until(lambda: parent.starts == 2 and _has_child(parent), "it is started again", 15)
    supervisor.stop()
    assert parent.pid != first.pid
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_stopped_program_stands_still_with_its_children_until_it_is_continued(parent: Program) -> None:
    parent.signal_all(signal.SIGSTOP)
    wait_until(lambda: {one.status() for one in parent.family()} == {psutil.STATUS_STOPPED}, "both stand", 5)
    assert parent.is_alive
    parent.signal_all(signal.SIGCONT)
    wait_until(lambda: psutil.STATUS_STOPPED not in {one.status() for one in parent.family()}, "both go on", 5)


def test_a_folder_that_is_no_disk_of_its_own_is_never_filled(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no disk of its own"):
        SmallDisk(tmp_path, 1).fill()
    assert list(tmp_path.iterdir()) == []


def test_a_small_disk_is_filled_to_the_last_byte_and_freed(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path / "disk", 1)
    if not disk.mount():
        assert not disk.folder.is_mount()  # not ours to mount: the rig leaves these faults out and says so
        return
    try:
        assert 2**19 < disk.fill() <= 2**20
        with pytest.raises(OSError, match="No space left"):
            (disk.folder / "file").write_text("x")
        disk.free()
        (disk.folder / "file").write_text("x")
    finally:
        disk.unmount()


class _Answering(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.asked.append(self.rfile.read(length).decode())
        self.send_response(201)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def relay() -> Iterator[Relay]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    relay = Relay(server.server_address[1])
    relay.start()
    _Answering.asked.clear()
    yield relay
    relay.stop()
    server.shutdown()
    server.server_close()


def post(relay: Relay, text: str) -> httpx.Response:
    headers = {"Connection": "close"}
    return httpx.post(f"http://127.0.0.1:{relay.port}/", content=text, headers=headers, timeout=5)


def test_a_faithful_relay_passes_messages_on(relay: Relay) -> None:
    assert post(relay, "once").status_code == 201
    assert _Answering.asked == ["once"]


def test_a_dropping_relay_loses_questions_and_answers(relay: Relay) -> None:
    relay.mood = "drop"
    for text in ("first", "second"):
        with pytest.raises(httpx.HTTPError):
            post(relay, text)
    assert _Answering.asked == ["second"]  # the question got through, its answer did not
    relay.mood = "faithful"
    assert post(relay, "third").status_code == 201


def test_a_repeating_relay_says_everything_twice(relay: Relay) -> None:
    relay.mood = "repeat"
    assert post(relay, "again").text == "ok"
    wait_until(lambda: _Answering.asked == ["again", "again"], "the second one arrives", 5)


def test_a_delaying_relay_takes_its_time(relay: Relay) -> None:
    relay.mood = "delay"
    began = time.monotonic()
    assert post(relay, "late").status_code == 201
    assert time.monotonic() - began > 1.0
