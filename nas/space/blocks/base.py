"""The contract of a surrogate-block family: one file, one registration, tested by itself."""

from __future__ import annotations

from abc import ABC, abstractmethod

from nas.errors import InvalidSearchSpace, nearest
from nas.registry import Registry
from nas.space.stage import Stage, StageBlock


class BlockFamily(ABC):
    """A way of making a stage cheaper while keeping its input and output shapes.

    Implementations are stateless and cite their source.
    """

    @abstractmethod
    def variants(self, stage: Stage, block: StageBlock) -> tuple[str, ...]:
        """Names of the variants this family offers at a stage, cheapest last; empty if none fits.

        Args:
            stage: The stage.
            block: The teacher's own block there, for its widths (it may live on the meta device).
        """

    @abstractmethod
    def build(self, stage: Stage, block: StageBlock, variant: str) -> StageBlock:
        """A surrogate block, initialised from the teacher's weights wherever shapes allow.

        The teacher's block is read, never changed nor shared. Weights that the teacher cannot give
        are drawn from torch's global generator: seed it for a reproducible block.

        Raises:
            InvalidSearchSpace: If this family has no such variant at this stage.
        """

    def require(self, stage: Stage, block: StageBlock, variant: str) -> None:
        """Refuse a variant that this family does not offer at a stage.

        Raises:
            InvalidSearchSpace: With the nearest spelling.
        """
        known = self.variants(stage, block)
        if variant not in known:
            close = nearest(variant, known)
            raise InvalidSearchSpace(
                f"Stage {stage.name} ({stage.units}) has no variant {variant!r} of this family.",
                f"Did you mean {close!r}?" if close else "",
            )


BLOCK_FAMILIES: Registry[BlockFamily] = Registry("block family", home="nas.space.blocks.catalogue")
