"""Runs the service, its users and a schedule of faults, and judges what stands after each."""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from nas.errors import TransientError
from tests.chaos.corruptions import overlooked
from tests.chaos.evidence import Evidence, JobLog, read_stories, read_tokens
from tests.chaos.injector import Injector, Undo
from tests.chaos.invariants import Violation, judge
from tests.chaos.listener import Listener
from tests.chaos.recovery import PATIENCE_S, Recovery, read_standings
from tests.chaos.schedule import Burst, Fault
from tests.chaos.service import Service
from tests.chaos.traffic import Traffic

log = logging.getLogger("chaos")

WARM_UP_S = 120.0
"""How long the service gets until its first evaluation, before anything breaks."""

LAST_SEARCHES_S = 600.0
"""How long the searches under way get to end after the last fault, as long as each of them keeps moving."""


@dataclass
class Rig:
    """One run.

    Args:
        schedule: Bursts, in order.
        searches: Searches to submit at least; more follow as long as faults do.
        patience_s: How long a search may take to move again after a fault.
        short: Small searches, exactly so many.
    """

    service: Service
    schedule: Sequence[Burst]
    seed: int
    searches: int
    patience_s: float = PATIENCE_S
    short: bool = False
    violations: list[Violation] = field(default_factory=list)
    evidence: Evidence = field(default_factory=Evidence)
    faults: int = 0

    def run(self) -> None:
        """Apply every burst, wait for recovery after each, see every search to its end."""
        self.jobs = JobLog(self.service.data / "logs")
        self.injector = Injector(self.service)
        self.recovery = Recovery(lambda: read_standings(self.service.database), self.patience_s)
        service = self.service
        teacher, most = str(service.folder / "teacher"), self.searches if self.short else None
        self.traffic = Traffic(service.urls, service.key, teacher, self.seed, most)
        self.listener = Listener(service.urls[0], service.key, self.traffic.open_searches)
        self.traffic.start()
        self.listener.start()
        try:
            self._warm_up()
            for number, burst in enumerate(self.schedule, start=1):
                self._endure(burst)
                ended = self._recover()
                log.info("burst %d of %d is over; %d searches ended", number, len(self.schedule), len(ended))
            self._finish()
        except TimeoutError as error:
            self._note([Violation("moves again", "service", str(error))])
        finally:
            self.traffic.stop()
            self.listener.stop()

    def judge(self) -> bool:
        """Look at everything and compare it with what stood before; False when the database is away."""
        before, heard = self.traffic.acknowledged(), self.listener.so_far()
        self.jobs.follow()  # first: what a worker did for a trial that was opened again, the rows know already
        try:
            stories = read_stories(self.service.database, self.evidence.stories)
            tokens = read_tokens(self.service.database)
        except TransientError:
            return False
        after = self.traffic.acknowledged()
        # A promise that changed while the rows were read proves nothing.
        certain = {search: intent for search, intent in before.intents.items() if after.intents.get(search) == intent}
        promised = replace(before, intents=certain)
        now = Evidence(stories, tokens, dict(self.jobs.evaluations), dict(self.jobs.tries), promised, heard)
        self._note(judge(self.evidence, now))
        self.evidence = now
        return True

    def _warm_up(self) -> None:
        """Wait until something has been evaluated: before that there is little to break."""
        until = time.monotonic() + WARM_UP_S
        while not any(trial.evaluation for story in self.evidence.stories.values() for trial in story.trials):
            if time.monotonic() > until:
                raise TimeoutError(f"Nothing was evaluated within {WARM_UP_S:g} s, and nothing is broken yet.")
            time.sleep(0.5)
            self.judge()

    def _endure(self, burst: Burst) -> None:
        """Let a burst happen, judging after each of its faults."""
        order = count()
        began = time.monotonic()
        due: list[tuple[float, int, Fault | None, Undo]] = [
            (fault.after_s, next(order), fault, _nothing) for fault in burst
        ]
        heapq.heapify(due)
        self.traffic.restless = True
        stopped: list[Undo] = []
        while due:
            at, _, fault, undo = heapq.heappop(due)
            time.sleep(max(0.0, began + at - time.monotonic()))
            if fault is None:
                undo()
                stopped = [one for one in stopped if one is not undo]
            else:
                log.info("fault %d: %s, %g s", fault.number, fault.kind, fault.lasts_s)
                undo = self.injector.begin(fault)
                self.faults += 1
                if fault.lasts_s:
                    heapq.heappush(due, (time.monotonic() - began + fault.lasts_s, next(order), None, undo))
                    stopped += [undo] if fault.kind == "stop database" else []
            if not stopped:  # a stopped database would stop its judge, who alone can let it go on
                self.judge()

    def _recover(self) -> set[str]:
        """Wait until everything moves again, and judge; returns the searches that have ended."""
        self.traffic.restless = False
        late, ended = self.recovery.await_all()
        self._note(late)
        self.traffic.note_ended(ended)
        if not self.judge():
            self._note([Violation("moves again", "database", "it cannot be read after the last fault")])
        return ended

    def _finish(self) -> None:
        """No more faults and no more submissions: everything must end."""
        while self.traffic.submitted < self.searches:
            self._recover()
            time.sleep(0.5)
        self.traffic.stop()
        self.traffic.resume_all()
        until = time.monotonic() + LAST_SEARCHES_S
        while time.monotonic() < until:
            found = len(self.violations)
            ended = self._recover()
            if len(ended) == len(self.evidence.stories) or len(self.violations) > found:
                log.info("the end: %d of %d searches have ended", len(ended), len(self.evidence.stories))
                return
            time.sleep(0.5)
        self._note([Violation("moves again", "searches", f"not all ended within {LAST_SEARCHES_S:g} s")])

    def _note(self, violations: Sequence[Violation]) -> None:
        for violation in violations:
            if violation not in self.violations:
                log.error("VIOLATION %s, %s: %s", violation.invariant, violation.subject, violation.detail)
                self.violations.append(violation)

    def summary(self) -> dict[str, Any]:
        """What happened, for the last line."""
        statuses = [story.search.status.value for story in self.evidence.stories.values()]
        missed = overlooked(self.evidence) if self.evidence.evaluations else ["everything: nothing was evaluated"]
        refused = [f"valid request refused: {refusal}" for refusal in self.traffic.refusals]
        details = [f"{one.invariant}, {one.subject}: {one.detail}" for one in self.violations] + refused
        details += [f"the judge overlooks {name}" for name in missed]
        return {
            "faults": self.faults,
            "by_kind": dict(sorted(self.injector.applied.items())),
            "without_target": dict(self.injector.missed),
            "searches": len(statuses),
            "completed": statuses.count("completed"),
            "ended_otherwise": {name: statuses.count(name) for name in set(statuses) - {"completed"}},
            "evaluations": sum(self.evidence.evaluations.values()),
            "recalled": self.jobs.recalled,
            "streams": {"searches": len(self.evidence.heard), "events": sum(map(len, self.evidence.heard.values()))},
            "answers": dict(self.traffic.answers.most_common()),
            "starts": {program.name: program.starts for program in self.service.programs},
            "violations": len(details),
            "violation_details": details[:50],
            "longest_recovery_s": round(self.recovery.longest_s, 1),
            "small_disk": self.service.has_disk,
        }


def keep_evidence(folder: Path, service: Service) -> None:
    """Copy what workers and SQLite wrote before the small disk goes away."""
    target = folder / "kept"
    target.mkdir(exist_ok=True)
    for path in (*(service.data / "logs").glob("*"), *service.data.glob("blocksmith.sqlite*")):
        (target / path.name).write_bytes(path.read_bytes())


def _nothing() -> None:
    return None
