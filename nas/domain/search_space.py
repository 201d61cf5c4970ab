"""The set of architectures a search may choose from."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, field_validator

from nas.domain.architecture import Architecture
from nas.domain.value import FrozenDict, Value


class StageChoices(Value):
    """The block variants offered at one stage, the teacher's first by convention."""

    stage: str
    variants: Annotated[tuple[str, ...], Field(min_length=1)]

    @field_validator("variants")
    @classmethod
    def _distinct(cls, variants: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(variants)) != len(variants):
            raise ValueError("variants repeat")
        return variants


class SearchSpace(Value):
    """The product of the stages' choices, in the order in which data flows through the network."""

    stages: Annotated[tuple[StageChoices, ...], Field(min_length=1)]

    @field_validator("stages")
    @classmethod
    def _distinct(cls, stages: tuple[StageChoices, ...]) -> tuple[StageChoices, ...]:
        if len({choices.stage for choices in stages}) != len(stages):
            raise ValueError("stages repeat")
        return stages

    @property
    def size(self) -> int:
        """Number of architectures."""
        return math.prod(len(choices.variants) for choices in self.stages)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of variants per stage."""
        return tuple(len(choices.variants) for choices in self.stages)

    def __contains__(self, architecture: object) -> bool:
        return (
            isinstance(architecture, Architecture)
            and set(architecture.choices) <= {choices.stage for choices in self.stages}
            and all(architecture.variant(choices.stage) in choices.variants for choices in self.stages)
        )

    def decode(self, indices: tuple[int, ...]) -> Architecture:
        """Architecture whose stage `s` takes variant number `indices[s]`."""
        pairs = zip(self.stages, indices, strict=True)
        return Architecture(choices=FrozenDict({choices.stage: choices.variants[index] for choices, index in pairs}))

    def encode(self, architecture: Architecture) -> tuple[int, ...]:
        """Variant numbers of an architecture, stage by stage; the inverse of `decode`."""
        return tuple(choices.variants.index(architecture.variant(choices.stage)) for choices in self.stages)

    def indices(self) -> Iterator[tuple[int, ...]]:
        """Every architecture as variant numbers, in lexicographic order."""
        return itertools.product(*(range(cardinality) for cardinality in self.cardinalities))

    def sample(self, generator: random.Random) -> Architecture:
        """One architecture, uniformly at random."""
        return self.decode(tuple(generator.randrange(cardinality) for cardinality in self.cardinalities))
