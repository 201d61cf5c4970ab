"""Whatever happens to devices, in whatever order: nothing is lost, nothing wrong is kept, everything is visible."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nas.domain.device import LatencyMeasurement
from tests.fakes.device_farm import CONDUCTS, QUEUE_TIMEOUT_S, Conduct, DeviceFarm, a_measurement, an_offer


class AnyFarm(RuleBasedStateMachine):
    """Whatever happens to devices, in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.farm = DeviceFarm(pool_lacks={"laptop": "", "watch": "no watch here"})
        self.number = 0

    @rule(
        name=st.sampled_from(["phone", "laptop"]),
        runtime=st.sampled_from(["runtime 1", "runtime 2"]),
        conduct=st.sampled_from(CONDUCTS),
        is_shared=st.booleans(),
    )
    def a_worker_comes(self, name: str, runtime: str, conduct: Conduct, is_shared: bool) -> None:
        if len(self.farm.offers) < 4:
            self.farm.plug(an_offer(name, runtime, since=self.farm.now, is_shared=is_shared), conduct)

    @precondition(lambda self: self.farm.offers)
    @rule(data=st.data())
    def a_worker_goes(self, data: st.DataObject) -> None:
        self.farm.unplug(data.draw(st.sampled_from(sorted(self.farm.offers))))

    @precondition(lambda self: self.farm.offers)
    @rule(data=st.data(), conduct=st.sampled_from(CONDUCTS))
    def a_device_changes_its_conduct(self, data: st.DataObject, conduct: Conduct) -> None:
        self.farm.conducts[data.draw(st.sampled_from(sorted(self.farm.offers)))] = conduct

    @precondition(lambda self: self.farm.offers)
    @rule(data=st.data())
    def another_coordinator_takes_or_gives_back(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from(sorted(self.farm.offers)))
        if node in self.farm.taken:
            self.farm.taken.remove(node)
        elif node not in {run.node for run in self.farm.at_work}:
            self.farm.taken.add(node)
        self.farm.settle()

    @rule(name=st.sampled_from(["phone", "laptop", "watch"]))
    def a_job_is_submitted(self, name: str) -> None:
        self.number += 1
        self.farm.submit(a_measurement(self.number, name))

    @precondition(lambda self: self.farm.answered)
    @rule(data=st.data())
    def a_job_is_tried_again(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.farm.answered)))
        self.farm.submit(self.farm.submitted[key])

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def a_job_is_cancelled(self, data: st.DataObject) -> None:
        self.farm.cancel(data.draw(st.sampled_from(sorted(self.open))))

    @rule(seconds=st.sampled_from([1, 6, 31, 70, 420]))
    def time_passes(self, seconds: int) -> None:
        self.farm.wait(seconds)

    @property
    def open(self) -> set[str]:
        return self.farm.submitted.keys() - self.farm.answered.keys()

    @invariant()
    def nothing_is_lost(self) -> None:
        assert all(key in self.farm.desk for key in self.open)
        assert not any(key in self.farm.desk for key in self.farm.answered)

    @invariant()
    def a_device_has_one_job(self) -> None:
        nodes = [run.node for run in self.farm.at_work if run.node is not None and not run.lease.is_here]
        assert len(nodes) == len(set(nodes))
        assert not self.farm.taken & set(nodes)
        here = [run.lease.job.device for run in self.farm.at_work if run.lease.is_here]
        assert len(here) == len(set(here))

    @invariant()
    def nothing_wrong_is_kept(self) -> None:
        for key, outcome in self.farm.answered.items():
            if outcome.failure is not None:
                assert outcome.failure.transient
                assert outcome.failure.message
                continue
            result = outcome.result
            assert isinstance(result, LatencyMeasurement)
            assert result.median_ms > 0
            assert result.device.name == self.farm.submitted[key].device

    @invariant()
    def nobody_waits_or_runs_for_too_long(self) -> None:
        for run in self.farm.at_work:
            if run.node is not None:
                assert run.lease.deadline > self.farm.now
        for key in self.open - {run.lease.job.key for run in self.farm.at_work if run.node is not None}:
            assert self.farm.now - self.farm.submitted_at[key] < QUEUE_TIMEOUT_S

    @invariant()
    def every_device_is_visible_as_it_stands(self) -> None:
        states = {state.name: state for state in self.farm.desk.states(self.farm.now)}
        offered = {offer.name for offer in self.farm.offers.values()}
        busy = {run.lease.job.device for run in self.farm.at_work if run.node is not None}
        assert states.keys() >= offered | busy | {"laptop"}
        for name, state in states.items():
            assert state.since <= self.farm.now
            assert (state.condition == "absent") == (name not in offered | {"laptop"})
            if state.condition == "busy":
                assert name in busy
            if state.condition in ("absent", "quarantined"):
                assert state.reason


AnyFarm.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAnyFarm = AnyFarm.TestCase
