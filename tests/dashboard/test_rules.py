"""The browser's rules are the engine's: same feasibility, same violation, same front, same best."""

from __future__ import annotations

import random
from typing import Any

import pytest

from nas.domain.architecture import Architecture
from nas.domain.job import Evaluation
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import METRIC_BY_NAME, Measurement
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.engine.front import axes, best, front
from tests.dashboard.browsers import Server
from tests.dashboard.conftest import Open

TEACHER = Architecture(choices=FrozenDict())
METRICS = ("params", "gmacs", "noise_mse", "feature_distance")
JUDGE = """async ([trials, objectives, bounds, axes]) => {
  const { TrialTable } = await import("/static/trial_table.js");
  const { analyse } = await import("/static/analysis.js");
  const table = new TrialTable();
  table.merge(trials);
  const found = analyse(table, { objectives, bounds }, axes);
  return {
    violation: [...found.violation].map((one) => (Number.isFinite(one) ? one : String(one))),
    front: found.front.map((i) => table.number[i]),
    best: found.best < 0 ? null : table.number[found.best],
    axes: found.axes,
  };
}"""


def a_trial(draw: random.Random, number: int) -> Trial:
    if draw.random() < 0.1:
        return Trial(search="s", number=number, architecture=TEACHER, status=TrialStatus.RUNNING)
    names = METRICS[:2] if draw.random() < 0.15 else METRICS  # a screened trial has its exact metrics alone
    # Few different values, so that there are ties.
    values = {name: Measurement(mean=draw.randint(1, 9) / 4, unit=METRIC_BY_NAME[name].unit) for name in names}
    share = 0.125 if names == METRICS and draw.random() < 0.15 else 1.0  # stopped early
    evaluation = Evaluation(metrics=FrozenDict(values), share=share)
    return Trial(
        search="s",
        number=number,
        architecture=TEACHER,
        status=TrialStatus.COMPLETED,
        evaluation=evaluation,
    )


def a_problem(draw: random.Random) -> Problem:
    objectives = tuple(draw.sample(METRICS, draw.choice((1, 2))))
    bounded = draw.sample(METRICS, draw.randint(0, 3))
    constraints = tuple(OutcomeConstraint(metric=name, at_most=draw.randint(1, 9) / 4) for name in bounded)
    return Problem(objectives=objectives, constraints=constraints)


def columns(trials: list[Trial]) -> dict[str, Any]:
    def values(name: str) -> list[float | None]:
        found = [trial.evaluation.metrics.get(name) if trial.evaluation else None for trial in trials]
        return [one.mean if one else None for one in found]

    return {
        "stages": ["E1"],
        "variants": {"E1": ["teacher"]},
        "number": [trial.number for trial in trials],
        "status": [trial.status.value for trial in trials],
        "origin": ["random"] * len(trials),
        "bounds_version": [0] * len(trials),
        "codes": [[0]] * len(trials),
        "share": [trial.evaluation.share if trial.evaluation else 1.0 for trial in trials],
        "metrics": {
            name: {"unit": METRIC_BY_NAME[name].unit, "mean": values(name), "sem": [0.0] * len(trials)}
            for name in METRICS
        },
    }


@pytest.fixture(scope="module")
def cases() -> list[tuple[list[Trial], Problem]]:
    draw = random.Random(1)
    return [([a_trial(draw, n) for n in range(draw.randint(0, 40))], a_problem(draw)) for _ in range(200)]


def test_browser_and_engine_judge_alike(
    finished_server: Server, open_page: Open, cases: list[tuple[list[Trial], Problem]]
) -> None:
    page = open_page(finished_server.url)
    for trials, problem in cases:
        bounds = [{"metric": bound.metric, "at_most": bound.at_most} for bound in problem.constraints]
        along = axes(problem)
        shown = [*along, *(name for name in METRICS if name not in along)][:2]
        found = page.evaluate(JUDGE, [columns(trials), list(problem.objectives), bounds, shown])
        expected = [
            "NaN"
            if trial.evaluation is None or trial.is_partial
            else "Infinity"
            if (violation := problem.violation(trial.evaluation.metrics)) == float("inf")
            else violation
            for trial in trials
        ]
        winner = best(trials, problem)
        assert found["violation"] == expected
        assert found["best"] == (winner.number if winner else None)
        assert found["axes"] == list(along)
        if len(along) == 2:
            assert found["front"] == [trial.number for trial in front(trials, problem)]


def test_events_cut_anywhere_are_read_whole(finished_server: Server, open_page: Open) -> None:
    text = 'event: search\ndata: {"search":\ndata:  "a"}\nid: 7\n\n: heartbeat\n\nretry: 1000\n\ndata: 1\r\n\r\n'
    read = """async ([text, cuts]) => {
      const { parseEvents } = await import("/static/event_stream.js");
      let rest = "";
      const events = [];
      for (const part of cuts.map((cut, i) => text.slice(i ? cuts[i - 1] : 0, cut))) {
        const found = parseEvents(rest + part);
        rest = found.rest;
        events.push(...found.events);
      }
      return events;
    }"""
    page = open_page(finished_server.url)
    for cut in range(1, len(text)):
        found = page.evaluate(read, [text, [cut, len(text)]])
        assert found == [
            {"id": "7", "event": "search", "data": {"search": "a"}},
            {"id": "", "event": "message", "data": 1},
        ]


def test_durations_are_rounded_before_they_are_taken_apart(finished_server: Server, open_page: Open) -> None:
    read = """async (seconds) => {
      const { duration } = await import("/static/format.js");
      return seconds.map(duration);
    }"""
    found = open_page(finished_server.url).evaluate(read, [0.2, 12.34, 59.97, 119.7, 3599.6, 7260])
    assert found == ["200 ms", "12.3 s", "1 min 0 s", "2 min 0 s", "1 h 0 min", "2 h 1 min"]
