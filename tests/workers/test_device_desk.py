"""Who gets a device, and what becomes of those that vanish, hang, lie, drift or change."""

from __future__ import annotations

from nas.domain.device import LatencyMeasurement
from tests.fakes.device_farm import (
    CANARY_MS,
    QUEUE_TIMEOUT_S,
    TIMEOUT_S,
    WORK_S,
    DeviceFarm,
    a_measurement,
    an_offer,
)
from workers.device_desk import ABSENT, BUSY, LOST, QUARANTINED
from workers.device_stand import COOL_DOWN_S, DRIFTED, HERE, MOST_NONSENSE, NONSENSE


def test_a_job_runs_on_the_node_that_offers_its_device() -> None:
    farm, job = DeviceFarm(), a_measurement(1)
    farm.plug(an_offer())
    farm.submit(job)
    assert farm.state().condition == "busy"
    farm.wait(WORK_S)
    assert isinstance(farm.answered[job.key].result, LatencyMeasurement)
    assert farm.state().condition == "available"


def test_a_device_runs_one_job_at_a_time_in_the_order_of_asking() -> None:
    farm, jobs = DeviceFarm(), [a_measurement(number) for number in range(3)]
    farm.plug(an_offer())
    for job in jobs:
        farm.submit(job)
    for number, job in enumerate(jobs, start=1):
        farm.wait(WORK_S)
        assert list(farm.answered) == [one.key for one in jobs[:number]]
        assert job.key in farm.answered


def test_two_equal_devices_of_one_name_are_a_pool_of_two() -> None:
    farm, jobs = DeviceFarm(), [a_measurement(number) for number in range(2)]
    farm.plug(an_offer(since=1.0))
    farm.plug(an_offer(since=1.0))
    for job in jobs:
        farm.submit(job)
    farm.wait(WORK_S)
    assert len(farm.answered) == 2
    assert set(farm.jobs_by_node.values()) == {1}


def test_a_second_device_with_another_fingerprint_gets_no_job_and_is_told_of() -> None:
    farm = DeviceFarm()
    first = farm.plug(an_offer(since=1.0))
    second = farm.plug(an_offer(runtime="runtime 2", since=2.0))
    for number in range(4):
        farm.submit(a_measurement(number))
    farm.wait(4 * WORK_S)
    assert farm.jobs_by_node == {first: 4}
    assert "Refused" in farm.state().reason
    assert "bench:2" in farm.state().reason
    farm.unplug(first)
    farm.submit(a_measurement(9))
    farm.wait(WORK_S)
    assert farm.jobs_by_node[second] == 1
    assert farm.state().reason == ""


def test_without_a_worker_the_device_of_this_machine_is_used() -> None:
    farm, job = DeviceFarm(pool_lacks={"phone": ""}), a_measurement(1)
    farm.submit(job)
    assert farm.runs[0].node == HERE
    assert farm.state().is_in_pool
    farm.wait(WORK_S)
    assert farm.answered[job.key].result is not None


def test_a_job_whose_device_is_absent_waits_and_starts_when_it_comes() -> None:
    farm, job = DeviceFarm(), a_measurement(1)
    farm.submit(job)
    farm.wait(QUEUE_TIMEOUT_S - 10)
    assert farm.state().condition == "absent"
    farm.plug(an_offer())
    farm.wait(WORK_S)
    assert farm.answered[job.key].result is not None


def test_who_waits_too_long_is_told_how_to_start_a_worker() -> None:
    farm, job = DeviceFarm(pool_lacks={"phone": "adb is not installed"}), a_measurement(1, queue_timeout_s=50.0)
    farm.submit(job)
    farm.wait(49)
    assert not farm.answered
    farm.wait(1)
    failure = farm.failure(job)
    assert (failure.code, failure.transient) == (ABSENT, True)
    assert (
        "No worker offers device 'phone'; start one with: blocksmith device-worker --device phone" in failure.message
    )
    assert "adb is not installed" in failure.message


def test_waiting_for_other_coordinators_counts_as_waiting_and_not_as_running() -> None:
    farm, job = DeviceFarm(), a_measurement(1)
    farm.taken.add(farm.plug(an_offer()))
    farm.submit(job)
    farm.wait(TIMEOUT_S + 1)
    assert not farm.answered
    farm.taken.clear()
    farm.wait(WORK_S + 1)
    assert farm.answered[job.key].result is not None


def test_a_device_that_others_never_give_back_fails_its_jobs_with_the_reason() -> None:
    farm, job = DeviceFarm(), a_measurement(1)
    farm.taken.add(farm.plug(an_offer()))
    farm.submit(job)
    farm.wait(QUEUE_TIMEOUT_S)
    assert farm.failure(job).code == BUSY


def test_a_device_that_vanishes_while_it_measures_is_a_transient_failure_and_its_late_answer_is_ignored() -> None:
    farm, job = DeviceFarm(), a_measurement(1)
    node = farm.plug(an_offer())
    farm.submit(job)
    farm.wait(2)
    farm.unplug(node)
    assert (farm.failure(job).code, farm.failure(job).transient) == (LOST, True)
    assert farm.state().condition == "absent"
    farm.wait(WORK_S)  # the farm delivers what the dead worker would have said
    assert farm.answered[job.key].result is None
    farm.plug(an_offer())
    farm.submit(job)
    farm.wait(WORK_S)
    assert farm.answered[job.key].result is not None


def test_a_device_that_hangs_runs_into_the_time_of_its_job_and_is_free_again() -> None:
    farm, job, next_job = DeviceFarm(), a_measurement(1), a_measurement(2)
    node = farm.plug(an_offer(), "hang")
    farm.submit(job)
    farm.wait(TIMEOUT_S)
    assert (farm.failure(job).code, farm.failure(job).transient) == ("timeout", True)
    farm.conducts[node] = "good"
    farm.submit(next_job)
    farm.wait(WORK_S)
    assert farm.answered[next_job.key].result is not None


def test_nonsense_is_never_kept_and_repeated_nonsense_is_quarantined() -> None:
    for conduct in ("zero", "wrong type", "wrong device", "wrong job", "silent"):
        farm = DeviceFarm()
        node = farm.plug(an_offer(), conduct)
        for number in range(MOST_NONSENSE):
            assert farm.state().condition == "available"
            job = a_measurement(number)
            farm.submit(job)
            farm.wait(WORK_S)
            assert (farm.failure(job).code, farm.failure(job).transient) == (NONSENSE, True)
        assert farm.state().condition == "quarantined"
        assert farm.state().reason
        farm.conducts[node] = "good"
        late = a_measurement(99)
        farm.submit(late)
        farm.wait(COOL_DOWN_S - WORK_S)
        assert late.key not in farm.answered
        farm.wait(3 * WORK_S)
        assert farm.answered[late.key].result is not None
        assert (farm.state().condition, farm.state().reason) == ("available", "")


def test_a_drifting_device_is_quarantined_with_the_reason_and_for_longer_each_time() -> None:
    for conduct in ("drift", "owns up to drift"):
        farm = DeviceFarm()
        farm.plug(an_offer(), conduct)
        free_again = []
        for number in range(3):
            job = a_measurement(number)
            farm.submit(job)
            while job.key not in farm.answered:
                farm.wait(1)
            assert farm.failure(job).code == DRIFTED
            assert "+20.0%" in farm.state().reason
            began = farm.now
            while farm.state().condition == "quarantined":
                farm.wait(1)
            free_again.append(farm.now - began)
        assert free_again == [COOL_DOWN_S, 2 * COOL_DOWN_S, 4 * COOL_DOWN_S]


def test_jobs_of_a_quarantined_device_wait_and_are_told_why_in_the_end() -> None:
    farm = DeviceFarm()
    farm.plug(an_offer(), "drift")
    farm.submit(a_measurement(1))
    farm.wait(WORK_S)
    waiting = a_measurement(2, queue_timeout_s=20.0)
    farm.submit(waiting)
    farm.wait(20)
    assert farm.failure(waiting).code == QUARANTINED
    assert "drifted" in farm.failure(waiting).message


def test_drift_of_a_shared_machine_is_told_and_its_latencies_are_kept() -> None:
    farm, job = DeviceFarm(), a_measurement(1)
    farm.plug(an_offer(is_shared=True), "drift")
    farm.submit(job)
    farm.wait(WORK_S)
    assert farm.answered[job.key].result is not None
    state = farm.state()
    assert (state.condition, state.canary_ms, state.baseline_ms) == ("available", 1.2 * CANARY_MS, CANARY_MS)
    assert "+20%" in state.reason


def test_a_cancelled_job_is_never_answered_and_frees_its_device() -> None:
    farm, job, other = DeviceFarm(), a_measurement(1), a_measurement(2)
    farm.plug(an_offer())
    farm.submit(job)
    farm.submit(other)
    farm.cancel(job.key)
    farm.wait(WORK_S)
    assert set(farm.answered) == {other.key}
