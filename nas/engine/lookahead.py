"""How many jobs wait at the workers' door, so that no worker ever waits for a suggestion."""

from __future__ import annotations

import math
from collections import deque

WEIGHT_OF_NEWEST = 0.2
"""Share of the newest value in the moving averages."""
NEGLIGIBLE = 0.01
"""Share of a worker's time that may be lost before it is worth claiming a trial early."""

MARGIN = 1.5
"""Of what the last turnaround would have needed: with every trial a model thinks a little longer."""
MOST_ROUNDS = 4
"""Evaluations per worker that may be decided in advance, however slow suggestions are."""


class Lookahead:
    """Measures turnaround against evaluation time and says how many trials to claim ahead.

    A trial that waits at the door was proposed with less knowledge than one proposed later, so there
    are as few as needed: those that finish while one turnaround lasts. A model takes hardly longer for
    many suggestions than for one, so where it is slower than the workers, more of them at once keep up.
    With one worker there are none, because then the same seed has to give the same answers, however
    fast the machine is.
    """

    def __init__(self) -> None:
        self._turnaround_s = 0.0
        self._evaluation_s = 0.0
        self._vacant_since: deque[float] = deque(maxlen=1000)

    def note_vacancy(self, at: float) -> None:
        """Note when a trial got its verdict and left its place."""
        self._vacant_since.append(at)

    def note_filled(self, jobs: int, at: float) -> None:
        """Note that so many places were taken; the one that was free for longest tells the turnaround."""
        filled = [self._vacant_since.popleft() for _ in range(min(jobs, len(self._vacant_since)))]
        if filled:
            self.note_turnaround(at - filled[0])

    def forget_vacancies(self) -> None:
        """Places are left free on purpose."""
        self._vacant_since.clear()

    def note_turnaround(self, seconds: float) -> None:
        """Note how long it took from an answer to the next job: recording, suggesting, claiming."""
        # Rises at once and falls slowly: when the model takes over, every round of getting used to it is idle.
        self._turnaround_s = max(seconds, _mixed(self._turnaround_s, seconds))

    def note_evaluation(self, seconds: float) -> None:
        """Note how long a worker was busy; answers out of a journal (0) say nothing."""
        if seconds > 0:
            self._evaluation_s = _mixed(self._evaluation_s, seconds)

    def jobs(self, parallelism: int) -> int:
        """Trials to claim beyond the workers' number; at most `MOST_ROUNDS` times as many."""
        if parallelism == 1 or self._evaluation_s == 0:
            return 0
        share = self._turnaround_s / self._evaluation_s
        return 0 if share < NEGLIGIBLE else min(MOST_ROUNDS * parallelism, math.ceil(parallelism * share * MARGIN))


def _mixed(average: float, value: float) -> float:
    return value if average == 0 else (1 - WEIGHT_OF_NEWEST) * average + WEIGHT_OF_NEWEST * value
