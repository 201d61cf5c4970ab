"""Progress of a running search: what is being prepared, what was tried, the best so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from api.cli.console import errors
from nas.domain.search import Search
from nas.engine.events import EngineEvent, Observer, unobserved

_PHASES = {
    "capture": "capturing features",
    "floor": "counting",
    "distill": "distilling blocks",
    "measure_block": "timing blocks",
}


class SearchProgress:
    """Turns engine events into two bars.

    Args:
        progress: Where to draw.
        search: The search that is watched.
    """

    def __init__(self, progress: Progress, search: Search) -> None:
        self._progress = progress
        self._search = search
        self._library: TaskID = progress.add_task("preparing", total=None)
        self._trials: TaskID = progress.add_task("trials", total=search.spec.budget.trials, visible=False)
        self._best: float | None = None
        self._tried: set[int] = set()

    def __call__(self, event: EngineEvent) -> None:
        """Draw one event."""
        match event.kind:
            case "library":
                self._on_library(event)
            case "trial":
                self._on_trial(event)
            case "retry":
                self._progress.console.print(f"retrying: {event.facts.get('message', '')}", style="yellow")
            case "latency":
                milliseconds = event.facts.get("latency_ms", "")
                self._progress.update(self._trials, description=f"timing the front, {milliseconds:.3g} ms")
            case _:
                self._progress.update(self._library, visible=event.facts.get("status") in {"created", "preparing"})

    def _on_library(self, event: EngineEvent) -> None:
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

    def _on_trial(self, event: EngineEvent) -> None:
        facts = event.facts
        if facts.get("status") in {"candidate", "running"}:
            return
        self._tried.add(int(facts.get("number", 0)))
        self._note_best(event)
        best = f"  [dim]best {self._search.problem.objectives[0]} {self._best:,.5g}[/]" if self._best else ""
        self._progress.update(self._trials, visible=True, completed=max(self._tried) + 1, description=f"trials{best}")

    def _note_best(self, event: EngineEvent) -> None:
        problem = self._search.problem
        values = {name: event.facts.get(f"metrics.{name}") for name in problem.metrics}
        within = all(
            isinstance(value := values[bound.metric], float) and value <= bound.at_most
            for bound in problem.constraints
        )
        cost = values[problem.objectives[0]]
        if within and isinstance(cost, float) and (self._best is None or cost < self._best):
            self._best = cost


@contextmanager
def watching(search: Search, quiet: bool) -> Iterator[Observer]:
    """An observer that draws progress on standard error while the block runs."""
    if quiet:
        yield unobserved
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    errors.print(f"Search [bold]{search.id}[/]: {search.space.size:,} architectures")
    with Progress(*columns, console=errors) as progress:
        yield SearchProgress(progress, search)
