"""What operations watch: numbers of one process, in Prometheus' format.

Each process has its own registry, so that two of them in one program (tests, `blocksmith run`) never mix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from nas.engine.events import EngineEvent, Fact

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_SUGGESTION_S: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)
_EVALUATION_S: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3600.0)
_REQUEST_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class Metrics:
    """The metrics of one process. Thread-safe.

    Attributes:
        queue_jobs: Jobs that wait for a worker.
        running_jobs: Jobs on a worker.
        searches: Searches by status: those driven here in a coordinator, all of them in an API process.
        trials: Trials that got a verdict here, by status.
        suggestion_seconds: Time a strategy took for one suggestion.
        fall_backs: Suggestions that a fall-back made instead of the strategy, by reason.
        evaluation_seconds: Time a worker took for one evaluation; results out of the journal are left out.
        stopped_early: Evaluations that a worker stopped because a bound was clearly exceeded.
        spared: Evaluations that were not run for it: the sum of the shares of samples not seen.
        lease_losses: Searches that another coordinator took over while this one thought it had them.
        retries: Attempts that failed and were tried again, by the failure's code.
        http_requests: Requests by method, route template and status.
        http_seconds: Time to answer them; streams are left out.
    """

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry(auto_describe=True)
        self.queue_jobs = Gauge("blocksmith_queue_jobs", "Jobs that wait for a worker", registry=r)
        self.running_jobs = Gauge("blocksmith_running_jobs", "Jobs on a worker", registry=r)
        self.searches = Gauge("blocksmith_searches", "Searches", ["status"], registry=r)
        self.trials = Counter("blocksmith_trials", "Trials that got a verdict", ["status"], registry=r)
        self.suggestion_seconds = Histogram(
            "blocksmith_suggestion_seconds", "Time of one suggestion", buckets=_SUGGESTION_S, registry=r
        )
        self.fall_backs = Counter(
            "blocksmith_fall_backs", "Suggestions made without the strategy", ["reason"], registry=r
        )
        self.evaluation_seconds = Histogram(
            "blocksmith_evaluation_seconds", "Time of one evaluation on its worker", buckets=_EVALUATION_S, registry=r
        )
        self.stopped_early = Counter(
            "blocksmith_evaluations_stopped_early", "Evaluations stopped clearly beyond a bound", registry=r
        )
        self.spared = Counter(
            "blocksmith_evaluations_spared", "Whole evaluations' worth of samples not looked at", registry=r
        )
        self.lease_losses = Counter("blocksmith_lease_losses", "Searches lost to another coordinator", registry=r)
        self.retries = Counter(
            "blocksmith_retries", "Attempts that failed and were tried again", ["code"], registry=r
        )
        self.http_requests = Counter(
            "blocksmith_http_requests", "Requests answered", ["method", "route", "status"], registry=r
        )
        self.http_seconds = Histogram(
            "blocksmith_http_request_seconds", "Time to answer", ["method", "route"], buckets=_REQUEST_S, registry=r
        )

    def observe(self, event: EngineEvent) -> None:
        """Count what a search tells; an observer for `SearchLoop`."""
        facts = event.facts
        if event.kind == "retry":
            self.retries.labels(code=str(facts.get("code", ""))).inc()
        elif event.kind == "suggestion":
            self.fall_backs.labels(reason=str(facts["reason"])).inc(int(facts["trials"]))
        elif event.kind == "trial" and facts.get("status") in ("completed", "abandoned", "failed", "cancelled"):
            self.trials.labels(status=str(facts["status"])).inc()
            if facts.get("how") in ("evaluated", "stopped early"):
                self._note_evaluation(facts)

    def _note_evaluation(self, facts: Mapping[str, Fact]) -> None:
        if (seconds := float(facts.get("seconds", 0.0))) > 0:  # not out of the journal
            self.evaluation_seconds.observe(seconds)
            if facts["how"] == "stopped early":
                self.stopped_early.inc()
                self.spared.inc(1.0 - float(facts["share"]))

    def set_searches(self, counts: Mapping[str, int]) -> None:
        """Replace the number of searches by status; statuses left out become zero."""
        self.searches.clear()
        for status, count in counts.items():
            self.searches.labels(status=status).set(count)

    def request(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """Count one answered request.

        Args:
            method: HTTP method.
            route: Template such as `/v1/searches/{id}`, never the path: ids would be a label each.
            status: HTTP status.
            seconds: None for a stream, whose length says nothing.
        """
        self.http_requests.labels(method=method, route=route, status=str(status)).inc()
        if seconds is not None:
            self.http_seconds.labels(method=method, route=route).observe(seconds)

    def text(self) -> bytes:
        """The metrics as `CONTENT_TYPE`."""
        return generate_latest(self.registry)
