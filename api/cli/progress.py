"""Progress of a running search: what is being prepared, what was tried, the best so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from api.cli.console import errors

if TYPE_CHECKING:
    from api.schemas.searches import SearchDocument

_PHASES: Final = {
    "capture": "capturing features",
    "floor": "counting",
    "distill": "distilling blocks",
    "measure_block": "timing blocks",
}
_TRIED: Final = {"completed", "abandoned", "failed", "cancelled"}


class Happening(Protocol):
    """An event, whether it comes from the engine in this process or from a server."""

    @property
    def kind(self) -> str:
        """Of what kind it is."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What happened."""


Draw = Callable[[Happening], None]


class SearchProgress:
    """Turns events into two bars.

    Args:
        progress: Where to draw.
        search: The search as it stood before the first event.
    """

    def __init__(self, progress: Progress, search: SearchDocument) -> None:
        self._progress = progress
        self._objective = search.objectives[0]
        self._bounds = dict(search.bounds)
        self._best = _best_so_far(search)
        self._tried = _tried(search)
        self._library: TaskID = progress.add_task("preparing", total=None, visible=not self._tried)
        self._trials: TaskID = progress.add_task(
            "trials", total=search.budget, completed=self._tried, visible=self._tried > 0
        )

    def __call__(self, event: Happening) -> None:
        """Draw one event."""
        match event.kind:
            case "library":
                self._on_library(event)
            case "trial":
                self._on_trial(event)
            case "retry" | "suggestion":
                self._progress.console.print(_trouble(event), style="yellow")
            case "latency":
                milliseconds = event.facts.get("latency_ms", "")
                self._progress.update(self._trials, description=f"timing the front, {milliseconds:.3g} ms")
            case "bounds":
                self._on_bounds(event)
            case "search":
                status = str(event.facts.get("status", ""))
                self._progress.update(self._library, visible=status in {"created", "preparing"})
                if status == "paused":
                    self._progress.update(self._trials, description="paused")
            case _:
                pass

    def _on_library(self, event: Happening) -> None:
        facts = event.facts
        phase = _PHASES.get(str(facts.get("job", "")), "preparing")
        place = f"{facts.get('stage', '')} {facts.get('variant', '')}".strip()
        loss = facts.get("block_loss")
        detail = f"{place}, loss {loss:.4f}" if isinstance(loss, float) else place
        self._progress.update(
            self._library,
            description=f"{phase}  [dim]{detail}[/]",
            completed=float(facts.get("done", 0)),
            total=float(facts.get("total", 0)),
        )

    def _on_trial(self, event: Happening) -> None:
        facts = event.facts
        if facts.get("status") in _TRIED:
            self._tried += 1
            if "share" not in facts:  # what was stopped early is never the best
                self._note_best(facts)
        elif facts.get("how") == "reopened":
            self._tried -= 1
        best = f"  [dim]best {self._objective} {self._best:,.5g}[/]" if self._best else ""
        self._progress.update(
            self._trials, visible=self._tried > 0, completed=self._tried, description=f"trials{best}"
        )

    def _on_bounds(self, event: Happening) -> None:
        prefix = "at_most."
        moved = {name.removeprefix(prefix): v for name, v in event.facts.items() if name.startswith(prefix)}
        self._bounds = moved
        self._best = None  # what was best under the old bounds may break the new ones
        shown = ", ".join(f"{name} ≤ {value:g}" for name, value in moved.items()) or "none"
        self._progress.console.print(f"bounds moved: {shown}", style="yellow")

    def _note_best(self, facts: Mapping[str, Any]) -> None:
        values = {name: facts.get(f"metrics.{name}") for name in (*self._bounds, self._objective)}
        cost = values[self._objective]
        within = all(isinstance(v := values[name], float) and v <= most for name, most in self._bounds.items())
        if within and isinstance(cost, float) and (self._best is None or cost < self._best):
            self._best = cost


class PlainProgress:
    """Tells of a tenth of the way at a time, one line each, where no terminal can draw.

    Args:
        search: The search as it stood before the first event.
    """

    def __init__(self, search: SearchDocument) -> None:
        self._budget = search.budget
        self._tried = _tried(search)
        self._told: tuple[str, int] = ("", 0)

    def __call__(self, event: Happening) -> None:
        """Tell of one event, if it ends a tenth."""
        facts = event.facts
        if event.kind == "library":
            self._tell("library", int(facts.get("done", 0)), int(facts.get("total", 0)))
        elif event.kind == "trial" and facts.get("status") in _TRIED:
            self._tried += 1
            self._tell("trials", self._tried, self._budget)
        elif event.kind == "suggestion":
            errors.print(_trouble(event), soft_wrap=True)
        elif event.kind == "search":
            errors.print(f"{facts.get('status', '')}", soft_wrap=True)

    def _tell(self, what: str, done: int, total: int) -> None:
        tenth = 10 * done // max(1, total)
        if (what, tenth) != self._told:
            self._told = (what, tenth)
            errors.print(f"{what} {done}/{total}", soft_wrap=True)


@contextmanager
def watching(search: SearchDocument, quiet: bool) -> Iterator[Draw]:
    """Something to show events to; draws progress on standard error while the block runs."""
    if quiet:
        yield _look_away
        return
    errors.print(f"Search [bold]{search.search}[/]: {search.architectures_in_space:,} architectures", soft_wrap=True)
    if not errors.is_terminal:
        yield PlainProgress(search)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors) as progress:
        yield SearchProgress(progress, search)


def _tried(search: SearchDocument) -> int:
    return sum(count for status, count in search.counts.items() if status.value in _TRIED)


def _trouble(event: Happening) -> str:
    facts = event.facts
    if event.kind == "retry":
        return f"retrying: {facts.get('message', '')}"
    waited = f"{facts.get('reason', '')}, {facts.get('seconds', 0.0):.0f} s"
    return f"{facts.get('trials', 0)} proposed by the fall-back ({waited}): {facts.get('message', '')}"


def _look_away(event: Happening) -> None:
    del event


def _best_so_far(search: SearchDocument) -> float | None:
    best = search.best
    return best.metrics[search.objectives[0]].mean if best is not None and best.feasible else None
