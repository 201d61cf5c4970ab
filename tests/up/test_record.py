"""`server.json`: believed only while its process lives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from api.up.record import ServerRecord, erase_record, read_record, running_server, write_record

URL = "http://127.0.0.1:8484"


def test_a_running_process_is_found_by_its_record(tmp_path: Path) -> None:
    written = write_record(tmp_path, URL)
    assert running_server(tmp_path) == written
    assert written.pid == os.getpid()


def test_the_record_of_a_killed_process_is_stale(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from api.up.record import write_record; "
    program += f"write_record(Path(sys.argv[1]), {URL!r}); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE) as process:
        while read_record(tmp_path) is None:
            assert process.poll() is None
        assert running_server(tmp_path) is not None
        process.kill()
    assert read_record(tmp_path) is not None
    assert running_server(tmp_path) is None


def test_another_process_with_the_same_id_is_not_the_server(tmp_path: Path) -> None:
    record = write_record(tmp_path, URL)
    impostor = ServerRecord(url=URL, pid=record.pid, started_at=record.started_at - 100)
    (tmp_path / "server.json").write_text(impostor.model_dump_json())
    assert running_server(tmp_path) is None


def test_an_unreadable_record_is_no_server(tmp_path: Path) -> None:
    for text in ("", "{", '{"url": 1}'):
        (tmp_path / "server.json").write_text(text)
        assert running_server(tmp_path) is None


def test_only_its_owner_erases_a_record(tmp_path: Path) -> None:
    foreign = ServerRecord(url=URL, pid=os.getpid() + 1, started_at=0.0)
    (tmp_path / "server.json").write_text(foreign.model_dump_json())
    erase_record(tmp_path)
    assert read_record(tmp_path) == foreign
    write_record(tmp_path, URL)
    erase_record(tmp_path)
    assert read_record(tmp_path) is None
