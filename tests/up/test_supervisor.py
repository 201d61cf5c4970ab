"""Supervision, on small real processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from api.up import child as child_module
from api.up.child import Child
from api.up.supervisor import Signals, supervise
from nas.errors import TransientError

LIVE_ON = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
STUBBORN = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + LIVE_ON
WITH_A_CHILD = (
    "import os, subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    "print(os.getpid(), p.pid, flush=True); p.wait()"
)
TIED = "import os, time; from api.up.lifeline import hold; hold(); print(os.getpid(), flush=True); time.sleep(600)"


def child(tmp_path: Path, program: str, said: list[str] | None = None) -> Child:
    news = said if said is not None else []
    return Child("worker", [sys.executable, "-c", program], dict(os.environ), tmp_path / "worker.log", news.append)


def eventually(condition: Callable[[], object], patience_s: float = 20.0) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def pids(tmp_path: Path) -> list[int]:
    log = tmp_path / "worker.log"
    return [int(word) for word in log.read_text().split()] if log.exists() else []


def run_until(signals: Signals, children: list[Child], when: Callable[[], object], drain_s: float = 5.0) -> None:
    """Supervise in this thread; another one asks to stop once `when` holds."""

    def ask() -> None:
        eventually(when)
        signals.stop.set()

    asking = threading.Thread(target=ask)
    asking.start()
    supervise(children, signals, is_ready=lambda: True, on_ready=lambda: None, drain_s=drain_s)
    asking.join()


def test_a_killed_child_is_started_again_and_told_of(tmp_path: Path) -> None:
    said: list[str] = []

    def killed_once_and_back() -> bool:
        if len(pids(tmp_path)) == 1 and psutil.pid_exists(pids(tmp_path)[0]):
            os.kill(pids(tmp_path)[0], signal.SIGKILL)
        return len(pids(tmp_path)) == 2

    run_until(Signals(), [child(tmp_path, LIVE_ON, said)], killed_once_and_back)
    assert said == ["worker was killed by SIGKILL; starting it again in 0.5 s."]
    assert not any(psutil.pid_exists(pid) for pid in pids(tmp_path))


def test_pauses_between_starts_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "FIRST_PAUSE_S", 0.01)
    said: list[str] = []
    run_until(Signals(), [child(tmp_path, "raise SystemExit(3)", said)], lambda: len(said) >= 3)
    assert [line.split("again in ")[1] for line in said[:3]] == ["0.01 s.", "0.02 s.", "0.04 s."]
    assert "exit code 3" in said[0]


def test_nothing_a_child_started_survives_the_stop(tmp_path: Path) -> None:
    run_until(Signals(), [child(tmp_path, WITH_A_CHILD)], lambda: len(pids(tmp_path)) == 2)
    eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids(tmp_path)))


def test_a_child_that_does_not_stop_is_killed_after_its_drain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.up.supervisor.GRACE_S", 0.3)
    run_until(Signals(), [child(tmp_path, STUBBORN)], lambda: pids(tmp_path), drain_s=0.2)
    assert not psutil.pid_exists(pids(tmp_path)[0])


def test_a_second_signal_waits_for_nobody(tmp_path: Path) -> None:
    signals = Signals()
    signals.at_once.set()
    started = time.monotonic()
    run_until(signals, [child(tmp_path, STUBBORN)], lambda: pids(tmp_path), drain_s=600)
    assert time.monotonic() - started < 60
    assert not psutil.pid_exists(pids(tmp_path)[0])


def test_a_service_that_never_answers_is_stopped_and_its_log_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.up.supervisor.START_PATIENCE_S", 1.0)
    mute = child(tmp_path, "print('no such table', flush=True); import time; time.sleep(600)")
    with pytest.raises(TransientError, match="no such table"):
        supervise([mute], Signals(), is_ready=lambda: False, on_ready=lambda: None, drain_s=0.0)


def test_a_child_outlives_no_supervisor(tmp_path: Path) -> None:
    """The lifeline: the child asks itself to stop when the supervising end of its standard input closes."""
    tied = child(tmp_path, TIED)
    tied.tend()
    eventually(lambda: pids(tmp_path))
    process = tied._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()  # what the kernel does for a supervisor that was killed
    assert process.wait(10) == -signal.SIGTERM
    tied.end(0, lambda: True)


def test_a_log_stays_bounded_while_its_process_writes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "LOG_BYTES", 2_000)
    talkative = child(tmp_path, "while True: print('x' * 99, flush=True); __import__('time').sleep(0.001)")
    kept = tmp_path / "worker.log.1"
    run_until(Signals(), [talkative], lambda: kept.exists() and (tmp_path / "worker.log").stat().st_size > 500)
    assert kept.stat().st_size > 2_000
