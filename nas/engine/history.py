"""The trials of the search that is driven, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nas.domain.lifecycle import TrialStatus
from nas.domain.trial import Trial


class History:
    """Every trial of one search as its rows stand.

    Its driver is the only writer of these rows, so it reads them once, at recovery, and afterwards
    takes over what became durable. A step of ten thousand trials then costs as much as one of ten.

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
        self._by_status: dict[TrialStatus, dict[int, Trial]] = {status: {} for status in TrialStatus}
        self._screened: set[int] = set()
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
        """Trials with a verdict, in no particular order."""
        return [trial for status, some in self._by_status.items() if status.is_terminal for trial in some.values()]

    @property
    def pending(self) -> list[Trial]:
        """Trials without a verdict, in no particular order."""
        return [*self._by_status[TrialStatus.CANDIDATE].values(), *self._by_status[TrialStatus.RUNNING].values()]

    @property
    def screened(self) -> list[Trial]:
        """Trials that were completed without fidelity because they broke an exact bound, by number."""
        return [self._trials[number] for number in sorted(self._screened)]

    def of(self, status: TrialStatus) -> list[Trial]:
        """Trials of one status, by number."""
        some = self._by_status[status]
        return [some[number] for number in sorted(some)]

    def take(self, trial: Trial) -> None:
        """Take over a trial as it now stands; a new one must have the next number."""
        number = trial.number
        if number == len(self._trials):
            self._trials.append(trial)
            self._digests.add(trial.architecture.digest)
        else:
            del self._by_status[self._trials[number].status][number]
            self._trials[number] = trial
        self._by_status[trial.status][number] = trial
        if trial.status is TrialStatus.COMPLETED and trial.is_screened:
            self._screened.add(number)
        else:
            self._screened.discard(number)
        self.revision += 1
