"""What the engine tells the world while it works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from nas.domain.job import Outcome
from nas.domain.value import FrozenDict, Value

EventKind = Literal["search", "library", "trial", "latency", "retry", "bounds", "intent", "export", "suggestion"]
Fact = str | int | float | bool


class EngineEvent(Value):
    """Something that became a fact; the same event stands in the event log.

    ============  =====================================================================================
    kind          facts
    ============  =====================================================================================
    `search`      `status`; `code` and `message` when it failed
    `library`     `job`, `stage`, `variant`, `done`, `total`, effort; `block_loss` of a distilled block
    `trial`       `number`, `status`, `origin`, `how` (`evaluated`, `stopped early`, `known`, `screened`,
                  `to be timed` when latencies of the assembled network are still missing;
                  `reopened` by new bounds, `overtaken` by them when its evaluation was stopped at older
                  ones, `recovered` from a dead coordinator), one entry `metrics.NAME` per metric, `share`
                  of the hold-out samples if not all were seen, effort; `code` and `message` when it gave
                  no result
    `latency`     `number` of the trial, `latency_ms`, `device`
    `retry`       `code`, `message`, and `number` and `attempt` of a trial or the part of the library
    `bounds`      `version`, `by`, one entry `at_most.NAME` per bound; written by users
    `intent`      `intent`, `by`; written by users
    `suggestion`  a fall-back proposed `trials` instead of the strategy: `reason` (`deadline`, `died`,
                  `error`), `seconds` it was waited for, `message`
    `export`      `export`, `number`, `status`; `code` and `message` when it failed
    ============  =====================================================================================

    Effort is `seconds` on the worker and its `peak_memory_bytes` so far.

    Attributes:
        at: Unix seconds.
    """

    search: str
    kind: EventKind
    at: float
    facts: FrozenDict[str, Fact] = FrozenDict()


def effort(outcome: Outcome) -> dict[str, Fact]:
    """What a job cost its worker."""
    return {"seconds": outcome.seconds, "peak_memory_bytes": outcome.peak_memory_bytes}


Observer = Callable[[EngineEvent], None]
"""Called in the coordinator's thread after the fact is durable; must return soon and not raise."""


def unobserved(event: EngineEvent) -> None:
    """An observer that looks away."""
    del event
