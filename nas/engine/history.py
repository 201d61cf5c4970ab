"""The trials of the search that is driven, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from nas.domain.job import Evaluation
from nas.domain.lifecycle import TrialStatus
from nas.domain.trial import Trial
from nas.ports import TrialRepository

PAGE = 500
"""Trials read at once, so that reading ten thousand takes no more memory than keeping them."""


class History:
    """Every trial of one search, as much of it as its driver will need.

    Its driver is the only writer of the rows, so it reads them once, at recovery, and afterwards
    takes over what became durable. A step of ten thousand trials then costs as much as one of ten.
    Of a settled trial it keeps what strategies and the front read; the rest stays in the row.

    Attributes:
        revision: Grows with every change, so that what was derived can be kept until then.
    """

    def __init__(self, trials: Iterable[Trial] = ()) -> None:
        self.revision = 0
        self.read_again(trials)

    def read_again(self, trials: Iterable[Trial]) -> None:
        """Forget everything and take over trials as their rows stand, by number."""
        self._trials: list[Trial] = []
        self._digests: set[str] = set()
        self._pending: dict[int, Trial] = {}
        self._ruled_out: set[int] = set()
        for trial in trials:
            self.take(trial)

    def __len__(self) -> int:
        return len(self._trials)

    def __contains__(self, digest: object) -> bool:
        """Whether an architecture of this digest has been tried."""
        return digest in self._digests

    @property
    def trials(self) -> Sequence[Trial]:
        """All trials by number."""
        return self._trials

    @property
    def finished(self) -> list[Trial]:
        """Trials with a verdict, by number."""
        return [trial for number, trial in enumerate(self._trials) if number not in self._pending]

    @property
    def pending(self) -> list[Trial]:
        """Trials without a verdict, by number."""
        return [self._pending[number] for number in sorted(self._pending)]

    @property
    def ruled_out(self) -> list[Trial]:
        """Completed trials that other bounds may open again, screened or stopped early, by number."""
        return [self._trials[number] for number in sorted(self._ruled_out)]

    def of(self, status: TrialStatus) -> list[Trial]:
        """Trials without a verdict that stand at `status`, by number."""
        return [trial for trial in self.pending if trial.status is status]

    def take(self, trial: Trial) -> None:
        """Take over a trial as it now stands; a new one must have the next number."""
        number = trial.number
        kept = _settled(trial) if trial.is_settled else trial
        if number == len(self._trials):
            self._trials.append(kept)
            self._digests.add(trial.architecture.digest)
        else:
            self._trials[number] = kept
        if trial.status.is_terminal:
            self._pending.pop(number, None)
        else:
            self._pending[number] = kept
        if trial.status is TrialStatus.COMPLETED and not trial.is_settled:
            self._ruled_out.add(number)
        else:
            self._ruled_out.discard(number)
        self.revision += 1


def every_trial(trials: TrialRepository, search_id: str) -> Iterator[Trial]:
    """Trials of a search by number, read page by page."""
    last = -1
    while page := trials.page(search_id, last, PAGE):
        yield from page
        last = page[-1].number


def _settled(trial: Trial) -> Trial:
    evaluation = trial.evaluation and Evaluation(metrics=trial.evaluation.metrics, share=trial.evaluation.share)
    kept: Trial = trial.evolve(attempts=(), evaluation=evaluation)
    return kept
