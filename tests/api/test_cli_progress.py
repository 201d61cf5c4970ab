"""What a watched search shows."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from api.cli import progress as progress_module
from api.cli.progress import PlainProgress, SearchProgress
from api.schemas.searches import A_SEARCH, SearchDocument


@dataclass
class Event:
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)


def a_search(**changes: Any) -> SearchDocument:
    fresh = {"counts": {}, "trials": 0, "best": None, "budget": 20, "bounds": {"noise_mse_relative": 0.05}}
    return SearchDocument.model_validate({**A_SEARCH, **fresh, **changes})


def trial(**facts: Any) -> Event:
    return Event("trial", {"status": "completed", **facts})


@pytest.fixture
def bars() -> Progress:
    return Progress(console=Console(file=io.StringIO(), force_terminal=True, width=100))


def description(bars: Progress) -> str:
    return bars.tasks[1].description


def test_the_best_is_the_cheapest_that_keeps_every_bound(bars: Progress) -> None:
    show = SearchProgress(bars, a_search())
    show(trial(**{"metrics.params": 300.0, "metrics.noise_mse_relative": 0.04}))
    show(trial(**{"metrics.params": 100.0, "metrics.noise_mse_relative": 0.06}))
    show(trial(**{"metrics.params": 200.0}))
    assert bars.tasks[1].completed == 3
    assert "best params 300" in description(bars)


def test_moved_bounds_judge_what_comes_after(bars: Progress) -> None:
    show = SearchProgress(bars, a_search())
    show(Event("bounds", {"version": 1, "at_most.noise_mse_relative": 0.1}))
    show(trial(**{"metrics.params": 100.0, "metrics.noise_mse_relative": 0.06}))
    assert "best params 100" in description(bars)


def test_a_reopened_trial_is_not_counted_twice(bars: Progress) -> None:
    show = SearchProgress(bars, a_search(counts={"completed": 5, "running": 1}))
    show(Event("trial", {"status": "candidate", "how": "reopened"}))
    show(trial())
    assert bars.tasks[1].completed == 5


FALL_BACK = {"trials": 1, "reason": "deadline", "seconds": 10.2, "message": "No suggestion within 10 s."}
SENTENCE = "1 proposed by the fall-back (deadline, 10 s): No suggestion within 10 s."


def test_a_fall_back_is_told_without_a_terminal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    told, drawn = io.StringIO(), io.StringIO()
    monkeypatch.setattr(progress_module, "errors", Console(file=told, width=200))
    PlainProgress(a_search())(Event("suggestion", FALL_BACK))
    SearchProgress(Progress(console=Console(file=drawn, width=200)), a_search())(Event("suggestion", FALL_BACK))
    assert SENTENCE in told.getvalue()
    assert SENTENCE in drawn.getvalue()


def test_an_event_of_a_kind_unknown_here_is_let_pass(bars: Progress) -> None:
    SearchProgress(bars, a_search())(Event("something new"))


def test_without_a_terminal_each_tenth_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.StringIO()
    monkeypatch.setattr(progress_module, "errors", Console(file=told, width=100))
    show = PlainProgress(a_search())
    show(Event("search", {"status": "running"}))
    for _ in range(20):
        show(trial())
    assert told.getvalue().splitlines() == ["running", *(f"trials {n}/20" for n in (1, *range(2, 21, 2)))]
