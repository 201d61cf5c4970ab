"""Questions that take a model, put to a process of their own: started when there is one, ended when there is none."""

from __future__ import annotations

import contextlib
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from nas.errors import Fault, SpecError, TransientError
from workers.child_process import ChildProcess
from workers.consultant_host import Consult, host
from workers.suggester import LONGEST_START_S, MOST_DEATHS, MOST_MEMORY_BYTES, MOST_SILENCE, rebuilt

log = logging.getLogger(__name__)

IDLE_S = 600.0
"""A process that nobody asked for so long is ended: it holds some 400 MB."""
LONGEST_ANSWER_S = 120.0
"""After this long the process is replaced: others wait for their turn."""
_AGAIN = "Try again in a moment."


class Consultant:
    """Asks one process, one question at a time; whoever asks waits. Thread-safe.

    Args:
        make_consult: Makes what answers, there; must be importable.
        idle_s: How long the process is kept without a question.
        longest_answer_s: How long it may think about one.
        most_memory_bytes: Resident memory above which it is ended after an answer.

    Attributes:
        process: The present one; None while there is none.
    """

    def __init__(
        self,
        make_consult: Callable[[], Consult],
        *,
        idle_s: float = IDLE_S,
        longest_answer_s: float = LONGEST_ANSWER_S,
        most_memory_bytes: float = MOST_MEMORY_BYTES,
    ) -> None:
        self._make_consult = make_consult
        self._idle_s, self._longest_answer_s = idle_s, longest_answer_s
        self._most_memory_bytes = most_memory_bytes
        self._turn = threading.Lock()
        self._numbers = itertools.count()
        self._heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._bedtime: threading.Timer | None = None
        self._is_closed = False
        self.process: ChildProcess | None = None

    def ask(self, about: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a question; the first one waits for the process to start, which takes seconds.

        Raises:
            NasError: What the question was refused with.
            TransientError: If the process does not start, takes too long, or dies of the question twice.
            RuntimeError: If it stumbled: a bug.
        """
        with self._turn:
            process = self._awake()
            try:
                return self._answer(process, about)
            finally:
                self._retire_later()

    def close(self) -> None:
        """End the process; who is still waiting is told so. A later question starts another."""
        self._is_closed = True
        self._heard.put({"say": "lost", "why": "It is being ended."})
        with self._turn:
            self._end()
            self._is_closed = False

    def _awake(self) -> ChildProcess:
        if self._bedtime is not None:
            self._bedtime.cancel()
        if self.process is None:
            self.process = ChildProcess(
                "The model's process",
                host,
                (self._make_consult,),
                hear=self._heard.put,
                lost=lambda why: self._heard.put({"say": "lost", "why": why}),
                silence_s=lambda: LONGEST_START_S if self._is_starting() else MOST_SILENCE,
                farewell_s=0.0,
            )
            self.process.start()
        return self.process

    def _answer(self, process: ChildProcess, about: Mapping[str, Any]) -> dict[str, Any]:
        why = ""
        for _ in range(MOST_DEATHS):
            self._require_up(process)
            number = next(self._numbers)
            self._forget_the_past()
            process.tell({"do": "consult", "id": number, "about": dict(about)})
            said = self._hear(number)
            match said["say"]:
                case "answer":
                    if said["rss"] > self._most_memory_bytes:
                        log.info("the model's process is ended", extra={"rss_bytes": said["rss"]})
                        self._end()
                    answer: dict[str, Any] = said["answer"]
                    return answer
                case "refused":
                    faults = tuple(Fault(*fault) for fault in said["faults"])
                    raise SpecError(faults) if faults else rebuilt(said["code"], said["message"], said["hint"])
                case "stumbled":
                    raise RuntimeError(f"The model's process stumbled: {said['why']}")
                case "late":
                    self._end()
                    raise TransientError(f"The model takes longer than {self._longest_answer_s:.0f} s.", _AGAIN)
            why = said["why"]
            if self._is_closed:
                break
        raise TransientError(f"The model's process died of the question: {why}", _AGAIN)

    def _require_up(self, process: ChildProcess) -> None:
        until = time.monotonic() + LONGEST_START_S
        while not process.is_up.wait(0.05):
            if self._is_closed or time.monotonic() > until:
                raise TransientError(f"The model's process does not start. {process.failure}".strip(), _AGAIN)

    def _hear(self, number: int) -> dict[str, Any]:
        until = time.monotonic() + self._longest_answer_s
        while True:
            try:
                said = self._heard.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return {"say": "late"}
            if said["say"] == "lost" or said.get("id") == number:
                return said

    def _forget_the_past(self) -> None:
        """What was said before the question, for instance that a process died while nobody asked."""
        with contextlib.suppress(queue.Empty):
            while not self._is_closed:
                self._heard.get_nowait()

    def _is_starting(self) -> bool:
        return self.process is None or not self.process.is_up.is_set()

    def _retire_later(self) -> None:
        if self.process is not None:
            self._bedtime = threading.Timer(self._idle_s, self._retire)
            self._bedtime.daemon = True
            self._bedtime.start()

    def _retire(self) -> None:
        if self._turn.acquire(blocking=False):  # else somebody is asking: no bedtime
            try:
                if self._bedtime is threading.current_thread():
                    self._end()
            finally:
                self._turn.release()

    def _end(self) -> None:
        if self._bedtime is not None:
            self._bedtime.cancel()
        if self.process is not None:
            self.process.close()
            self.process = None
        self._heard = queue.SimpleQueue()
