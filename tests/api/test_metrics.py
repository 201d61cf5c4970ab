from __future__ import annotations

from api.metrics import Metrics
from nas.domain.value import FrozenDict
from nas.engine.events import EngineEvent, EventKind, Fact


def told(kind: EventKind, **facts: Fact) -> EngineEvent:
    return EngineEvent(search="alpha", kind=kind, at=0.0, facts=FrozenDict(facts))


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_verdicts_and_evaluation_times_are_counted_and_steps_on_the_way_are_not() -> None:
    metrics = Metrics()
    metrics.observe(told("trial", number=0, status="candidate"))
    metrics.observe(told("trial", number=0, status="running"))
    metrics.observe(told("trial", number=0, status="completed", how="evaluated", seconds=2.0))
    metrics.observe(told("trial", number=1, status="completed", how="screened"))
    metrics.observe(told("trial", number=2, status="completed", how="evaluated", seconds=0.0))
    metrics.observe(told("trial", number=3, status="failed", code="timeout"))
    assert value(metrics, "blocksmith_trials_total", status="completed") == 3
    assert value(metrics, "blocksmith_trials_total", status="failed") == 1
    assert value(metrics, "blocksmith_trials_total", status="running") is None
    assert value(metrics, "blocksmith_evaluation_seconds_count") == 1
    assert value(metrics, "blocksmith_evaluation_seconds_sum") == 2.0


def test_evaluations_that_were_stopped_early_and_what_that_spared_are_counted() -> None:
    metrics = Metrics()
    stopped = {"number": 0, "status": "completed", "how": "stopped early"}
    metrics.observe(told("trial", **stopped, seconds=1.0, share=0.125))
    metrics.observe(told("trial", **stopped, seconds=2.0, share=0.5))
    metrics.observe(told("trial", **stopped, seconds=0.0, share=0.5))  # out of the journal
    metrics.observe(told("trial", number=3, status="completed", how="known", share=0.5))
    assert value(metrics, "blocksmith_evaluations_stopped_early_total") == 2
    assert value(metrics, "blocksmith_evaluations_spared_total") == 1.375
    assert value(metrics, "blocksmith_evaluation_seconds_count") == 2


def test_retries_are_counted_by_their_reason() -> None:
    metrics = Metrics()
    for code in ("worker_lost", "timeout", "worker_lost"):
        metrics.observe(told("retry", number=0, code=code))
    assert value(metrics, "blocksmith_retries_total", code="worker_lost") == 2


def test_trials_of_a_fall_back_are_counted_by_its_reason() -> None:
    metrics = Metrics()
    for trials in (2, 0, 3):
        metrics.observe(told("suggestion", reason="deadline", trials=trials, seconds=10.0, message="late"))
    assert value(metrics, "blocksmith_fall_backs_total", reason="deadline") == 5
    assert value(metrics, "blocksmith_fall_backs_total", reason="died") is None


def test_statuses_that_no_search_has_any_more_disappear() -> None:
    metrics = Metrics()
    metrics.set_searches({"running": 2, "paused": 1})
    metrics.set_searches({"running": 1})
    assert value(metrics, "blocksmith_searches", status="running") == 1
    assert value(metrics, "blocksmith_searches", status="paused") is None


def test_requests_are_counted_by_route_and_streams_have_no_duration() -> None:
    metrics = Metrics()
    metrics.request("GET", "/v1/searches/{id}", 200, 0.01)
    metrics.request("GET", "/v1/events", 200, None)
    where = {"method": "GET", "route": "/v1/searches/{id}"}
    assert value(metrics, "blocksmith_http_requests_total", **where, status="200") == 1
    assert value(metrics, "blocksmith_http_request_seconds_count", **where) == 1
    assert value(metrics, "blocksmith_http_request_seconds_count", method="GET", route="/v1/events") is None


def test_two_processes_in_one_program_do_not_mix() -> None:
    one, other = Metrics(), Metrics()
    one.lease_losses.inc()
    assert value(other, "blocksmith_lease_losses_total") == 0
    assert b"blocksmith_lease_losses_total 1.0" in one.text()
