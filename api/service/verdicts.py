"""Verdicts over columns: who is feasible, who is best, who stands on the front, and how the front grew.

The rules are those of `nas.engine.front`, which judges trials one by one; a test holds the two together.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

import numpy as np

from api.service.points import Array, Columns
from nas.domain.architecture import TEACHER_VARIANT
from nas.domain.metric import is_exact
from nas.domain.objective import Problem
from nas.domain.pareto import non_dominated
from nas.engine.front import axes

_MARGIN = 1.1
_TIMES_EPSILON = 2.0


@dataclass(frozen=True)
class Front:
    """Rows of the columns that stand on a front.

    Attributes:
        rows: By rising first axis.
        feasible: Whether every bound is respected, for every trial.
        best: Row of the best trial; None before the first verdict.
        knee: Row where more cost begins to buy little; None for fewer than three points.
    """

    axes: tuple[str, ...]
    rows: tuple[int, ...]
    feasible: Array
    best: int | None
    knee: int | None


@dataclass(frozen=True)
class History:
    """Hypervolume after so many trials, against a reference that never moves."""

    axes: tuple[str, ...]
    reference: tuple[float, ...] | None
    how: str
    points: tuple[tuple[int, float], ...]


def violation(columns: Columns, problem: Problem) -> Array:
    """Sum of relative violations of every trial; infinite where a bounded metric or a whole verdict is missing."""
    total = np.where(columns.measured, 0.0, np.inf)
    for bound in problem.constraints:
        relative = np.maximum(0.0, columns.mean(bound.metric) / bound.at_most - 1.0)
        total = total + np.where(np.isnan(relative), np.inf, relative)
    return total


def front_of(columns: Columns, problem: Problem) -> Front:
    """The front under a problem. Remembered until a trial changes."""
    key = ("front", problem.digest)
    if key not in columns.derived:
        columns.derived[key] = _front(columns, problem)
    front: Front = columns.derived[key]
    return front


def history_of(columns: Columns, problem: Problem, first: Problem, initial_trials: int) -> History:
    """Growth of the front under a problem. Remembered until a trial changes.

    Args:
        columns: The trials.
        problem: Judged by this.
        first: The search's first problem: the reference point follows it, whatever is asked later.
        initial_trials: Trials before the response model took over.
    """
    key = ("history", problem.digest)
    if key not in columns.derived:
        columns.derived[key] = _history(columns, problem, first, initial_trials)
    history: History = columns.derived[key]
    return history


def _front(columns: Columns, problem: Problem) -> Front:
    names = axes(problem)
    violations = violation(columns, problem)
    means = [columns.mean(name) for name in names]
    taking_part = columns.measured & ~np.isnan(means).any(axis=0)
    if problem.is_pareto:
        taking_part &= violations == 0.0
    candidates = np.flatnonzero(taking_part)
    points = [tuple(float(mean[row]) for mean in means) for row in candidates]
    order = sorted(non_dominated(points), key=lambda place: (points[place], int(columns.number[candidates[place]])))
    rows = tuple(int(candidates[place]) for place in order)
    return Front(names, rows, violations == 0.0, _best(columns, violations, means), _knee(rows, means))


def _best(columns: Columns, violations: Array, means: list[Array]) -> int | None:
    rows = np.flatnonzero(columns.measured)
    if not len(rows):
        return None
    along = [np.where(np.isnan(mean), np.inf, mean)[rows] for mean in means]
    keys = (columns.number[rows], *reversed(along), violations[rows])  # the last key counts most
    return int(rows[np.lexsort(keys)[0]])


def _knee(rows: tuple[int, ...], means: list[Array]) -> int | None:
    if len(rows) < 3 or len(means) != 2:
        return None
    x, y = means[0][list(rows)], means[1][list(rows)]
    if x[-1] == x[0] or y[0] == y[-1]:
        return None
    # Distance below the line between the ends, both axes scaled to one.
    below = 1.0 - (x - x[0]) / (x[-1] - x[0]) - (y - y[-1]) / (y[0] - y[-1])
    place = int(np.argmax(below))
    return rows[place] if below[place] > 0 else None


def _history(columns: Columns, problem: Problem, first: Problem, initial_trials: int) -> History:
    names = axes(problem)
    reference, how = _reference(columns, names, first, initial_trials)
    if reference is None:
        return History(names, None, how, ())
    taking_part = columns.measured
    if problem.is_pareto:
        taking_part = taking_part & (violation(columns, problem) == 0.0)
    means = [columns.mean(name) for name in names]
    inside = taking_part & np.all([mean < limit for mean, limit in zip(means, reference, strict=True)], axis=0)
    second = means[1] if len(names) == 2 else np.zeros(columns.size)
    staircase = _Staircase(reference[0], reference[1] if len(names) == 2 else 1.0)
    points: list[tuple[int, float]] = []
    # Rows lie in numerical order, and numbers count from 0: row i is the trial after i others.
    for row in np.flatnonzero(inside):
        if staircase.add(float(means[0][row]), float(second[row])):
            points.append((int(row) + 1, staircase.area))
    if columns.size and (not points or points[-1][0] != columns.size):
        points.append((columns.size, staircase.area))
    return History(names, reference, how, tuple(points))


def _reference(
    columns: Columns, names: tuple[str, ...], first: Problem, initial_trials: int
) -> tuple[tuple[float, ...] | None, str]:
    first_bound = {bound.metric: bound.at_most for bound in reversed(first.constraints)}
    coordinates: list[float] = []
    words: list[str] = []
    for name in names:
        value, how = _coordinate(columns, name, first_bound.get(name), initial_trials)
        coordinates.append(value)
        words.append(f"{name}: {how}")
    known = not any(math.isnan(value) for value in coordinates)
    return (tuple(coordinates) if known else None), "; ".join(words)


def _coordinate(columns: Columns, name: str, first_bound: float | None, initial_trials: int) -> tuple[float, str]:
    mean = columns.mean(name)
    if is_exact(name):
        teacher = [choices.variants.index(TEACHER_VARIANT) for choices in columns.space.stages if _offers(choices)]
        if len(teacher) == len(columns.space.stages):
            its_row = np.flatnonzero((columns.codes[: columns.size] == teacher).all(axis=1))
            if len(its_row) and not np.isnan(mean[its_row[0]]):
                return _MARGIN * float(mean[its_row[0]]), f"{_MARGIN} times the teacher's"
    elif first_bound is not None:
        return _TIMES_EPSILON * first_bound, "twice the first bound"
    initial = np.where(columns.measured, mean, np.nan)[:initial_trials]
    open_yet = columns.size < initial_trials or not columns.measured[:initial_trials].any()
    if open_yet or np.isnan(initial).all():
        return math.nan, f"the worst of the first {initial_trials} trials, which are not all known yet"
    return float(np.nanmax(initial)) * _MARGIN, f"{_MARGIN} times the worst of the first {initial_trials} trials"


def _offers(choices: object) -> bool:
    return TEACHER_VARIANT in getattr(choices, "variants", ())


class _Staircase:
    """Area dominated by points that arrive one by one; each arrival costs a search and what it outdoes."""

    def __init__(self, right: float, top: float) -> None:
        self._right, self._top = right, top
        self._x: list[float] = []
        self._y: list[float] = []
        self.area = 0.0

    def add(self, x: float, y: float) -> bool:
        """Take a point inside the reference; whether the area grew."""
        place = bisect.bisect_right(self._x, x)
        ceiling = self._y[place - 1] if place else self._top
        if y >= ceiling:
            return False
        start = place - 1 if place and self._x[place - 1] == x else place
        end = place
        left = x
        while True:
            edge = self._x[end] if end < len(self._x) else self._right
            self.area += (edge - left) * (ceiling - y)
            if end == len(self._x) or self._y[end] < y:
                break
            left, ceiling = edge, self._y[end]
            end += 1
        self._x[start:end] = [x]
        self._y[start:end] = [y]
        return True
