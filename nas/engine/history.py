"""The trials of the search that is driven, in memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from nas.domain.lifecycle import TrialStatus
from nas.domain.trial import Trial
from nas.engine.archive import Archive
from nas.ports import TrialRepository

PAGE = 500
"""Trials read at once, so that reading ten thousand takes no more memory than keeping them."""


class History:
    """Every trial of one search, as its driver needs it.

    Its driver is the only writer of the rows, so it reads them once, at recovery, and afterwards
    takes over what became durable. A step of ten thousand trials then costs as much as one of ten,
    and as much memory but for the archive.
    """

    def __init__(self, trials: Iterable[Trial] = ()) -> None:
        self.read_again(trials)

    def read_again(self, trials: Iterable[Trial]) -> None:
        """Forget everything and take over trials as their rows stand, by number."""
        self._archive = Archive()
        self._digests = array("Q")
        self._pending: dict[int, Trial] = {}
        self._ruled_out: set[int] = set()
        self._reopened: set[int] = set()
        for trial in trials:
            self.take(trial)

    def __len__(self) -> int:
        return len(self._pending) + len(self._archive) - len(self._reopened)

    def __contains__(self, digest: object) -> bool:
        """Whether an architecture of this digest has been tried."""
        if not isinstance(digest, str):
            return False
        at = bisect_left(self._digests, _short(digest))
        return at < len(self._digests) and self._digests[at] == _short(digest)

    @property
    def verdicts(self) -> Archive:
        """Trials with a verdict, in the order in which they got it.

        The same object as long as it is only added to; another one after a verdict was taken back.
        """
        if self._reopened:
            self._archive = self._archive.without(self._reopened)
            self._reopened = set()
        return self._archive

    @property
    def pending(self) -> list[Trial]:
        """Trials without a verdict, by number."""
        return [self._pending[number] for number in sorted(self._pending)]

    @property
    def ruled_out(self) -> list[Trial]:
        """Completed trials that other bounds may open again, screened or stopped early, by number."""
        found = self.verdicts.numbered(self._ruled_out) if self._ruled_out else []
        return sorted(found, key=lambda trial: trial.number)

    def of(self, status: TrialStatus) -> list[Trial]:
        """Trials without a verdict that stand at `status`, by number."""
        return [trial for trial in self.pending if trial.status is status]

    def running(self, number: int) -> Trial | None:
        """The trial of this number if it is on a worker."""
        trial = self._pending.get(number)
        return trial if trial is not None and trial.status is TrialStatus.RUNNING else None

    def take(self, trial: Trial) -> None:
        """Take over a trial as it now stands; a new one must have the next number."""
        number = trial.number
        if number == len(self):
            insort(self._digests, _short(trial.architecture.digest))
        if trial.status.is_terminal:
            self.verdicts.add(trial)
            self._pending.pop(number, None)
            if trial.status is TrialStatus.COMPLETED and not trial.is_settled:
                self._ruled_out.add(number)
        else:
            self._pending[number] = trial
            if number in self._ruled_out:
                self._ruled_out.remove(number)
                self._reopened.add(number)


def every_trial(trials: TrialRepository, search_id: str) -> Iterator[Trial]:
    """Trials of a search by number, read page by page."""
    last = -1
    while page := trials.page(search_id, last, PAGE):
        yield from page
        last = page[-1].number


def _short(digest: str) -> int:
    """Enough of a digest to tell a search's architectures apart: two of a million share it once in 10^7 searches."""
    return int(digest[:16], 16)
