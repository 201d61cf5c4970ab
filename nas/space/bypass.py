"""Removed stages, and what remains of a level when all of it is removed."""

from __future__ import annotations

from collections.abc import Mapping

from nas.space.stage import Stage, StageBlock


class RemovedStage(StageBlock):
    """Base of blocks that stand for nothing: no parameters, no multiply-accumulates."""


def bypassed_stages(stages: tuple[Stage, ...], blocks: Mapping[str, StageBlock]) -> frozenset[str]:
    """Stages that need not run, because their level and all levels inside it are removed.

    Found from the inside out: an outer level can only be bypassed around an already empty inside.
    """
    removed = {name for name, block in blocks.items() if isinstance(block, RemovedStage)}
    bypassed: set[str] = set()
    inside = {stage.name for stage in stages if stage.role == "mid"}
    deepest = max(int(stage.name[1:]) for stage in stages if stage.role == "encoder")
    for level in range(deepest, 0, -1):
        inside |= {f"E{level}", f"D{level}"}
        if not inside <= removed:
            break
        bypassed = set(inside)
    return frozenset(bypassed)
