"""The one place where everything is wired: a spec becomes a search, a search gets a driver."""

from __future__ import annotations

import functools
import re
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from api.installation import Installation
from api.specs import CheckedSpec, read_spec_file
from api.teachers import describe_teacher, fingerprinted, teacher_stages
from nas.domain.cost import ExactCosts
from nas.domain.lifecycle import Intent, SearchStatus
from nas.domain.search import Search
from nas.engine.events import Observer
from nas.engine.loop import SearchLoop
from nas.engine.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from api.settings import Settings
    from nas.engine.advice import Adviser
    from nas.strategy.base import Strategy, StrategyContext
    from workers.executor import Execute
    from workers.ray_process import RayProcess
    from workers.suggester import Suggester

MODEL_FREE = ("random",)
"""Strategies that answer within milliseconds and import nothing heavy: they are asked in the driver's thread."""


class SystemClock:
    """Real time."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def registered_names(devices: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
    """Names that a spec may use, by kind.

    Args:
        devices: Names that device workers gave, beside the registered ones.
    """
    from nas.estimation.devices import DEVICES
    from nas.strategy.base import STRATEGIES

    precisions = {f"precision of {name}": tuple(device.precisions) for name, device in DEVICES}
    known = tuple(sorted({*DEVICES.names(), *devices}))
    return {"strategy": STRATEGIES.names(), "device": known, **precisions}


def check_spec_file(path: Path, installation: Installation) -> CheckedSpec:
    """Read a spec file and check it against everything that is known here.

    Raises:
        SpecError: With every fault found.
    """
    return read_spec_file(path, describe_teacher, registered_names(), installation.settings.roots)


def submit(installation: Installation, checked: CheckedSpec) -> Search:
    """Make a search of a checked spec; nothing runs yet."""
    spec = fingerprinted(checked.spec)
    search = Search(
        id=f"{_slug(spec.name)}-{secrets.token_hex(3)}",
        spec=spec,
        space=checked.space,
        stages=checked.stages,
        problems=(spec.problem,),
        created_at=time.time(),
    )
    with installation.database.unit_of_work() as uow:
        uow.searches.add(search)
        uow.commit()
    return search


def set_intent(installation: Installation, search_id: str, intent: Intent) -> None:
    """Tell the search's driver, wherever it runs, what is wanted."""
    with installation.database.unit_of_work() as uow:
        uow.searches.set_intent(search_id, intent)
        uow.commit()


def drive(installation: Installation, search: Search, observe: Observer) -> SearchStatus:
    """Drive a search on Ray until it ends or is paused; returns where it stands.

    Raises:
        Conflict: If another process drives it.
        TransientError: If Ray does not come up.
    """
    from workers.pool import Pool

    database = installation.database
    workers = make_workers(installation)
    suggester = make_suggester(installation.settings)
    pool = Pool(workers)
    try:
        workers.require_up()
        load_ahead(suggester, search)
        loop = SearchLoop(
            search.id,
            search.stages or teacher_stages(search.spec.teacher),
            open_unit_of_work=database.unit_of_work,
            open_reader=database.reader,
            backend=pool.client(search.id, search.project, search.spec.parallelism),
            clock=SystemClock(),
            make_strategy=functools.partial(proposer, suggester),
            observe=observe,
            pace=Pace(patience_s=30.0),
        )
        return loop.run()
    finally:
        suggester.close()
        pool.close()


def make_workers(
    installation: Installation, execute: Execute | None = None, prepare: Callable[[], None] | None = None
) -> RayProcess:
    """Start Ray, or join the cluster of the settings, in a process of its own.

    Args:
        installation: Where it works.
        execute: What workers do with a job; the real work by default.
        prepare: Called first in Ray's process.
    """
    from workers.executor import estimate
    from workers.ray_process import RayProcess

    settings = installation.settings
    return RayProcess(
        installation.workspace,
        address=settings.ray_address,
        cpus=settings.slots or None,
        execute=execute or estimate,
        logs=settings.data.resolve() / "logs",
        prepare=prepare,
    )


def make_suggester(settings: Settings, prepare: Callable[[], None] | None = None) -> Suggester:
    """The process in which strategies think; started when one is needed.

    Args:
        settings: Of the installation.
        prepare: Called first in the process.
    """
    from workers.suggester import Suggester

    return Suggester(_make_strategy, load_strategy, deadline_s=settings.suggestion_deadline_s, prepare=prepare)


def load_ahead(suggester: Suggester, search: Search) -> None:
    """Begin to import what the strategy of a search will need, while its blocks are being made; returns at once."""
    if search.spec.strategy.name not in MODEL_FREE:
        suggester.load_ahead(search)


def proposer(
    suggester: Suggester,
    search: Search,
    costs: ExactCosts,
    note_seconds: Callable[[float], None] | None = None,
) -> Strategy | Adviser:
    """What proposes for a search: a strategy here, or an adviser that asks the suggesting process.

    Args:
        suggester: Where models think.
        search: Under the bounds now in force.
        costs: Prices of its space.
        note_seconds: Told the time of one suggestion that was made there.

    Raises:
        UnknownName: If there is no such strategy.
    """
    from nas.strategy.base import strategy_for
    from workers.suggester_adviser import RemoteAdviser

    strategy_for(search.spec.strategy.name, search.problem)  # a wrong name is told before anything is asked
    if search.spec.strategy.name in MODEL_FREE:
        return _make_strategy(search, costs)
    return RemoteAdviser(suggester, search, costs, _make_fall_back, note_seconds)


def load_strategy(search: Search) -> None:
    """Import what the strategy of a search needs; may take seconds."""
    from nas.strategy.base import strategy_for

    if search.spec.budget.trials > search.spec.strategy.initial_trials:
        strategy_for(search.spec.strategy.name, search.problem).load()


def _make_strategy(search: Search, costs: ExactCosts) -> Strategy:
    from nas.strategy.base import make_strategy

    return make_strategy(search.spec.strategy.name, _context(search, costs))


def _make_fall_back(search: Search, costs: ExactCosts) -> Strategy:
    from nas.strategy.fall_back import FallBack

    return FallBack(_context(search, costs))


def _context(search: Search, costs: ExactCosts) -> StrategyContext:
    from nas.strategy.base import StrategyContext
    from nas.strategy.pricing import PricedSpace

    return StrategyContext(
        priced=PricedSpace(search.space, costs),
        problem=search.problem,
        seed=search.spec.seed,
        initial_trials=search.spec.strategy.initial_trials,
    )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "search"
