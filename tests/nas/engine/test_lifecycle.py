"""Whatever happens, and in whatever order: nothing is lost, nothing is done twice, every search ends."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nas.domain.job import EvaluateArchitecture, Job
from nas.domain.lifecycle import Intent, SearchStatus, TrialStatus
from nas.domain.objective import OutcomeConstraint
from nas.domain.search import Budget
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.trial import Trial
from nas.engine.lease import LeaseLost
from nas.engine.lookahead import MOST_ROUNDS
from nas.engine.loop import SearchLoop
from nas.engine.verdicts import may_reopen
from tests.fakes.executor import evaluation
from tests.fakes.mortal import AccidentProneBackend, Killed, MortalDatabase
from tests.fakes.strategy import InOrder
from tests.nas.engine.scene import PACE, Scene, a_spec

SPACE = SearchSpace(
    stages=tuple(StageChoices(stage=stage, variants=("teacher", "RA", "R")) for stage in ("E1", "D1"))
)
STAGES = ("E1", "Mid", "D1")
ACCIDENTS = ("killed", "lost", "lost after the work", "broken")


def is_whole(job: Job) -> bool:
    """Whether the work of a job is an evaluation that sees every sample."""
    if not isinstance(job.payload, EvaluateArchitecture):
        return False
    limit = job.payload.stop_beyond.get("noise_mse")
    return not evaluation(job.payload.architecture.choices, limit).is_partial


def turn(loop: SearchLoop, times: int) -> None:
    for _ in range(times):
        loop.tick()


class SearchLife(RuleBasedStateMachine):
    """One search, its user, its workers and a row of mortal drivers."""

    @initialize(
        trials=st.integers(1, 12),
        parallelism=st.integers(1, 3),
        attempts=st.integers(1, 3),
        bounded=st.booleans(),
        error=st.sampled_from([0.03, 0.05, None]),
        seeds=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=4),
    )
    def submit(
        self,
        trials: int,
        parallelism: int,
        attempts: int,
        bounded: bool,
        error: float | None,
        seeds: list[tuple[int, int]],
    ) -> None:
        bounds = (OutcomeConstraint(metric="params", at_most=24_000.0),) if bounded else ()
        bounds += (OutcomeConstraint(metric="noise_mse", at_most=error),) if error else ()
        spec = a_spec(
            budget=Budget(trials=trials), parallelism=parallelism, max_attempts=attempts, constraints=bounds
        )
        self.scene = Scene(spec, SPACE, seeds=tuple(SPACE.decode(codes) for codes in seeds))
        self.database = MortalDatabase(self.scene.database)
        self.verdicts: dict[int, Trial] = {}
        self.deaths = self.lost = 0
        self.start()

    def start(self) -> None:
        """A new process takes over when the dead one's lease is over."""
        self.deaths += 1
        self.scene.clock.sleep(PACE.lease_ttl_s + 1.0)
        self.database.commits_left = 0
        self.backend = AccidentProneBackend(self.scene.workspace, self.scene.executor, self.check_submission)
        self.loop = SearchLoop(
            "alpha",
            STAGES,
            open_unit_of_work=self.database.unit_of_work,
            open_reader=self.scene.database.reader,
            backend=self.backend,
            clock=self.scene.clock,
            make_strategy=InOrder,
            pace=PACE,
        )
        self.loop.recover()

    def check_submission(self, job: Job) -> None:
        """Only a claimed trial without a verdict may reach the workers."""
        if isinstance(job.payload, EvaluateArchitecture):
            digest = job.payload.architecture.digest
            (trial,) = (trial for trial in self.scene.trials() if trial.architecture.digest == digest)
            assert trial.status is TrialStatus.RUNNING

    @rule(times=st.integers(1, 6))
    def tick(self, times: int) -> None:
        try:
            for _ in range(times):
                self.loop.tick()
        except Killed:
            self.start()

    @rule()
    def kill_the_driver(self) -> None:
        self.start()

    @rule()
    def stop_the_driver_until_another_took_over_and_let_it_go_on(self) -> None:
        """What SIGSTOP and SIGCONT do: the first driver still believes that it drives."""
        sleeper = self.loop
        self.start()
        before = self.scene.trials(), self.scene.search
        with suppress(LeaseLost, Killed):  # a step that only reads does not notice
            turn(sleeper, 3)
        self.lost += 3  # what its workers finish meanwhile is found in the journal
        sleeper.stop()
        assert (self.scene.trials(), self.scene.search) == before

    @precondition(lambda self: not self.scene.search.status.is_terminal)
    @rule(
        params=st.sampled_from([24_000.0, 26_000.0, 28_000.0, None]),
        error=st.sampled_from([0.01, 0.03, 0.05, 0.07, None]),
    )
    def move_the_bounds(self, params: float | None, error: float | None) -> None:
        asked = {"params": params, "noise_mse": error}
        self.scene.move_bounds(*(OutcomeConstraint(metric=name, at_most=at) for name, at in asked.items() if at))

    @rule(commits=st.integers(1, 8), after=st.booleans())
    def doom_the_driver(self, commits: int, after: bool) -> None:
        self.database.commits_left, self.database.after = commits, after

    @rule(accident=st.sampled_from(ACCIDENTS))
    def prepare_an_accident(self, accident: str) -> None:
        self.backend.accidents.append(accident)
        self.lost += accident == "lost after the work"

    @rule(seconds=st.floats(0.0, 5.0))
    def wait(self, seconds: float) -> None:
        self.scene.clock.sleep(seconds)

    @rule()
    def pause(self) -> None:
        self.scene.intend(Intent.PAUSE)

    @rule()
    def resume(self) -> None:
        self.scene.intend(Intent.RUN)

    @precondition(lambda self: self.scene.search.status is SearchStatus.PAUSED)
    @rule()
    def a_paused_search_rests(self) -> None:
        before = self.scene.trials()
        if self.scene.search.intent is Intent.PAUSE:
            self.tick(3)
            assert self.scene.trials() == before
            assert not self.scene.trials(TrialStatus.RUNNING)

    @invariant()
    def every_trial_keeps_its_number_and_its_shape(self) -> None:
        trials = self.scene.trials()
        assert [trial.number for trial in trials] == list(range(len(trials)))
        assert len({trial.architecture.digest for trial in trials}) == len(trials)
        assert len(trials) <= self.scene.spec.budget.trials

    @invariant()
    def a_verdict_is_for_good(self) -> None:
        for trial in self.scene.trials():
            known = self.verdicts.get(trial.number)
            if known is not None and known.is_settled:
                assert trial == known
            if trial.status.is_terminal:
                self.verdicts[trial.number] = trial

    @invariant()
    def nothing_is_done_twice(self) -> None:
        work = [job for job in self.scene.executor.order if job.payload.kind != "capture"]
        assert all(self.scene.executor.finished[job.key] == 1 for job in work)
        whole = Counter(job.payload.whole.key for job in work if is_whole(job))
        assert set(whole.values()) <= {1}
        # More than one evaluation only where moved bounds asked for it, or where an answer under the old ones was
        # lost: what was stopped early is no answer under others.
        moved = bool(self.scene.search.bounds_version)
        for trial in self.scene.trials():
            mine = [job for job in work if job.trial == trial.number]
            stopped = sum(not is_whole(job) for job in mine)
            assert len(mine) <= 1 + moved * (self.chances[trial.number] + min(stopped, self.lost))

    @property
    def chances(self) -> Counter[int]:
        """How often each trial became a candidate again."""
        with self.scene.database.reader() as uow:
            log = [
                json.loads(payload)["facts"]
                for _, kind, payload, _ in uow.events.after("alpha", 0, 10_000)
                if kind == "trial"
            ]
        return Counter(facts["number"] for facts in log if facts["status"] == "candidate" and facts.get("how"))

    @invariant()
    def only_a_death_or_a_loss_makes_a_worker_look_into_the_journal(self) -> None:
        assert self.scene.workspace.journal.recalled.total() <= self.deaths + self.lost

    @invariant()
    def attempts_and_slots_are_respected(self) -> None:
        for trial in self.scene.trials():
            failed = [attempt for attempt in trial.attempts if attempt.failure is not None]
            assert len(failed) <= self.scene.spec.max_attempts
        parallelism = self.scene.spec.parallelism
        running = len(self.scene.trials(TrialStatus.RUNNING))
        assert running <= (1 if parallelism == 1 else (1 + MOST_ROUNDS) * parallelism)  # some wait at the door

    @invariant()
    def rows_and_event_log_agree(self) -> None:
        with self.scene.database.reader() as uow:
            log = uow.events.after("alpha", 0, 10_000)
        assert [number for number, *_ in log] == list(range(1, len(log) + 1))
        trials = [json.loads(payload)["facts"] for _, kind, payload, _ in log if kind == "trial"]
        told = {facts["number"]: facts["status"] for facts in trials}
        assert told == {trial.number: trial.status.value for trial in self.scene.trials()}

    def teardown(self) -> None:
        """Left alone, the search ends, with its whole budget spent."""
        if not hasattr(self, "scene"):
            return
        self.start()
        self.resume()
        for _ in range(400):
            if self.loop.tick().is_terminal:
                break
        assert self.scene.search.status is SearchStatus.COMPLETED
        trials = self.scene.trials()
        assert len(trials) == min(self.scene.spec.budget.trials, SPACE.size)
        assert all(trial.status.is_terminal for trial in trials)
        for trial in trials:
            assert trial.status is not TrialStatus.CANCELLED
            if trial.is_feasible(self.scene.search.problem):
                assert trial.evaluation.metrics["noise_mse"].mean > 0
            assert not (trial.status is TrialStatus.COMPLETED and may_reopen(trial, self.scene.search))
        self.a_verdict_is_for_good()
        self.nothing_is_done_twice()
        self.only_a_death_or_a_loss_makes_a_worker_look_into_the_journal()


SearchLife.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
TestSearchLife = SearchLife.TestCase
