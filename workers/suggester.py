"""Suggestions at arm's length: one process thinks for all searches, and is replaced when it dies, hangs or grows."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nas.domain.architecture import Architecture
from nas.domain.cost import ExactCosts
from nas.domain.search import Search
from nas.domain.value import FrozenDict
from nas.engine.advice import LapseReason, Suggestion
from nas.engine.archive import Archive
from nas.errors import NasError
from workers.child_process import ChildProcess
from workers.suggester_host import MakePlainStrategy, host

log = logging.getLogger(__name__)

MOST_SILENCE = 20
"""Seconds without a word after which the process is taken for hung."""
LONGEST_START_S = 60.0
"""First imports take seconds, on a busy machine many: they count against no deadline, up to this."""
LONGEST_THOUGHT_S = 120.0
"""After this long the process is replaced: others wait for their turn."""
MOST_DEATHS = 2
"""A question that the process dies of so often is not asked again."""
FORGET_AFTER_S = 600.0
"""A strategy that was not asked for so long is dropped; it is told everything again when needed."""
MOST_MEMORY_BYTES = 1_500_000_000


@dataclass(frozen=True)
class Suggested:
    """A suggestion, wherever it came from."""

    architecture: Architecture
    origin: str


@dataclass(eq=False)
class Question:
    """What a search wants to know, and what became of it.

    Attributes:
        verdicts: Trials with a verdict; may grow meanwhile.
        known: How many of them it is about.
        deaths: Processes that died of it.
        is_settled: Whether one of the following says something.
        suggestions: The strategy's answer.
        seconds: How long it thought about it.
        lapse: Why there is none, and what happened.
        refusal: Why the search cannot go on.
    """

    matter: Matter
    verdicts: Archive
    known: int
    pending: Sequence[Architecture]
    count: int
    deaths: int = 0
    is_settled: bool = False
    suggestions: tuple[Suggestion, ...] = ()
    seconds: float = 0.0
    lapse: tuple[LapseReason, str] | None = None
    refusal: NasError | None = None

    def is_about(self, verdicts: Archive, pending: Sequence[Architecture], count: int) -> bool:
        """Whether nothing has changed since it was asked."""
        now = (verdicts, len(verdicts), tuple(pending), count)
        return (self.verdicts, self.known, tuple(self.pending), self.count) == now


@dataclass(eq=False)
class Matter:
    """One search under one version of its bounds, and what the present process knows of it.

    Attributes:
        key: Its name in the process.
        told: How many verdicts it was told; None when it does not know the search.
    """

    key: int
    search: Search
    costs: ExactCosts
    told: int | None = None
    asked_at: float = 0.0


class Suggester:
    """Asks one process on behalf of any number of searches, one question at a time, in order of arrival.

    The process is started when it is first needed. Thread-safe.

    Args:
        make_strategy: Makes a strategy, there; must be importable.
        load: Imports what a search's strategy needs, there.
        deadline_s: How long a search waits for an answer while a worker idles.
        most_memory_bytes: Resident memory above which the process is replaced, between two questions.
        prepare: Called first in the process, for instance to set up logging.

    Attributes:
        loss: Why there is no process now, or an empty string.
    """

    def __init__(
        self,
        make_strategy: MakePlainStrategy,
        load: Callable[[Search], None],
        *,
        deadline_s: float = 10.0,
        most_memory_bytes: float = MOST_MEMORY_BYTES,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.deadline_s = deadline_s
        self._most_memory_bytes = most_memory_bytes
        self._lock = threading.RLock()
        self._numbers = itertools.count()
        self._queue: deque[Question] = deque()
        self._asked: Question | None = None
        self._asked_id = -1
        self._asked_at = 0.0
        self._matters: dict[int, Matter] = {}
        self._ahead: dict[tuple[str, bool, bool], Search] = {}
        self._ready_at: float | None = None
        self.loss = ""
        self.process = ChildProcess(
            "The suggesting process",
            host,
            (make_strategy, load, prepare),
            hear=self._hear,
            lost=self._lose,
            silence_s=lambda: MOST_SILENCE if self.process.is_up.is_set() else LONGEST_START_S,
            trouble=self._look_after,
            farewell_s=0.0,
        )

    @property
    def is_loaded(self) -> bool:
        """Whether what the first search needs has been imported."""
        return self._ready_at is not None

    def load_ahead(self, search: Search) -> None:
        """Begin to import what the strategy of a search will need; returns at once."""
        spec = search.spec
        kind = (spec.strategy.name, search.problem.is_pareto, spec.budget.trials > spec.strategy.initial_trials)
        with self._lock:
            if kind not in self._ahead:
                self._ahead[kind] = search
                self.process.start()
                self.process.tell({"do": "load", "search": search.model_dump_json()})

    def open(self, search: Search, costs: ExactCosts) -> Matter:
        """Make the acquaintance of a search under one version of its bounds; `drop` it in the end."""
        with self._lock:
            matter = Matter(next(self._numbers), search, costs)
            self._matters[matter.key] = matter
            return matter

    def put(self, question: Question) -> None:
        """Queue a question."""
        self.load_ahead(question.matter.search)
        with self._lock:
            self._queue.append(question)
            self._next()

    def withdraw(self, question: Question) -> None:
        """Forget a question; if it is being thought about, its answer is."""
        with self._lock:
            if question in self._queue:
                self._queue.remove(question)

    def drop(self, matter: Matter) -> None:
        """Forget a search."""
        with self._lock:
            self._matters.pop(matter.key, None)
            self._forget(matter)

    def patience_ends_at(self, asked_at: float) -> float:
        """Monotonic time from which a fall-back stands in: first imports do not count."""
        if self._ready_at is None and not self.loss:
            return asked_at + max(LONGEST_START_S, self.deadline_s)
        return max(asked_at, self._ready_at or 0.0) + self.deadline_s

    def close(self) -> None:
        """End the process."""
        self.process.close()

    def _next(self) -> None:
        if self._asked is None and self._queue and self.process.is_up.is_set():
            self._asked, self._asked_id, self._asked_at = self._queue.popleft(), next(self._numbers), time.monotonic()
            self.process.tell(self._phrased(self._asked))

    def _phrased(self, question: Question) -> dict[str, Any]:
        """A question, with as much of the story as the process lacks."""
        matter = question.matter
        context: dict[str, Any] = {}
        if matter.told is None:
            context = {"search": matter.search.model_dump_json(), "costs": matter.costs.model_dump_json()}
        news = list(question.verdicts.rows(matter.told or 0, question.known))
        matter.told, matter.asked_at = question.known, time.monotonic()
        return {
            "do": "ask",
            "id": self._asked_id,
            "matter": matter.key,
            **context,
            "verdicts": news,
            "pending": [dict(architecture.choices) for architecture in question.pending],
            "count": question.count,
        }

    def _hear(self, said: dict[str, Any]) -> None:
        with self._lock:
            if said["say"] == "up":
                self._begin_anew()
            elif said["say"] == "loaded":
                self._ready_at = self._ready_at or time.monotonic()
            elif said["id"] == self._asked_id and self._asked is not None:
                question, self._asked = self._asked, None
                _settle(question, said)
                if said["say"] != "answer":
                    self._forget(question.matter)  # who knows how much it has taken in
                if said["rss"] > self._most_memory_bytes:
                    log.info("the suggesting process is replaced", extra={"rss_bytes": said["rss"]})
                    self.process.replace()
            self._next()

    def _begin_anew(self) -> None:
        self.loss = ""
        for matter in self._matters.values():
            matter.told = None
        for search in self._ahead.values():
            self.process.tell({"do": "load", "search": search.model_dump_json()})

    def _lose(self, why: str) -> None:
        with self._lock:
            self.loss = why
            if self._asked is None:
                return
            question, self._asked = self._asked, None
            question.deaths += 1
            if question.deaths < MOST_DEATHS and not self._takes_too_long():
                self._queue.appendleft(question)
            else:
                question.lapse, question.is_settled = ("died", why), True

    def _look_after(self) -> str:
        with self._lock:
            for matter in self._matters.values():
                if matter.told is not None and time.monotonic() - matter.asked_at > FORGET_AFTER_S:
                    self._forget(matter)
            if self._asked is not None and self._takes_too_long():
                return f"A suggestion takes longer than {LONGEST_THOUGHT_S:.0f} s."
        return ""

    def _takes_too_long(self) -> bool:
        return time.monotonic() - self._asked_at > LONGEST_THOUGHT_S

    def _forget(self, matter: Matter) -> None:
        if matter.told is not None and (self._asked is None or self._asked.matter is not matter):
            matter.told = None
            self.process.tell({"do": "forget", "matter": matter.key})


def _settle(question: Question, said: dict[str, Any]) -> None:
    match said["say"]:
        case "answer":
            question.suggestions = tuple(
                Suggested(Architecture(choices=FrozenDict(one["choices"])), one["origin"])
                for one in said["suggestions"]
            )
            question.seconds = said["seconds"]
        case "refused":
            question.refusal = rebuilt(said["code"], said["message"], said["hint"])
        case _:
            question.lapse = ("error", said["why"])
    question.is_settled = True


def rebuilt(code: str, message: str, hint: str) -> NasError:
    """The error that was raised on the other side, of the class that bears its code."""
    kinds = [NasError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    kind = next((kind for kind in kinds if kind.code == code), NasError)
    error = kind.__new__(kind)
    NasError.__init__(error, message, hint)
    return error
