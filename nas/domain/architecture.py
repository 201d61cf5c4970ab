"""The genotype: one block variant per stage, no weights."""

from __future__ import annotations

from nas.domain.value import FrozenDict, Value, digest_of

TEACHER_VARIANT = "teacher"
"""The variant that keeps the teacher's own block, bit for bit."""


class Architecture(Value):
    """Which block variant stands at each searched stage.

    Stages that are not listed keep the teacher's block, so that `digest` leaves teacher variants out:
    the same network has the same digest in every search space.
    """

    choices: FrozenDict[str, str]

    @property
    def digest(self) -> str:
        """Identity of the network's shape, independent of order and of which stages were searched."""
        return digest_of({stage: name for stage, name in self.choices.items() if name != TEACHER_VARIANT})

    def variant(self, stage: str) -> str:
        """Variant at `stage`; the teacher's own where none was chosen."""
        return self.choices.get(stage, TEACHER_VARIANT)
