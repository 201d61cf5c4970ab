"""A landscape: architectures whose cost and true loss are known, so that regret can be told.

Architectures are rows of variant numbers, `n x stages`; number 0 is the original network's variant, the others
follow from dear to cheap.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

from nas.domain.metric import Measurement
from nas.domain.search_space import SearchSpace
from nas.domain.stopping import is_clearly_beyond
from nas.strategy.pricing import Codes, Prices

Mask = npt.NDArray[np.bool_]
GRID = 8
"""Values of ε in the grid, evenly spaced in log-loss along the true front."""


@dataclass(frozen=True)
class Bounds:
    """What the ε task asks for: least cost with the true loss, and perhaps a latency, within bounds."""

    epsilon: float
    latency_at_most: float | None = None


@dataclass(frozen=True)
class Measured:
    """One evaluation as a method gets to see it.

    Attributes:
        share: Of the samples was run, 1 unless it was stopped.
        samples: That everybody is judged by, so that their errors are shared; 1 is a sample of its own.
    """

    cost: float
    loss: float
    sem: float
    latency: float | None = None
    share: float = 1.0
    samples: int = 1


@dataclass(frozen=True)
class Rung:
    """What is known of a loss after a share of its samples."""

    share: float
    loss: float
    sem: float


class Landscape(ABC):
    """Cost and true loss of every architecture of a space.

    Attributes:
        name: In the results.
        space: Stages and variants; variant 0 of every stage is the teacher's.
        bounds: Of the ε task.
        block_losses: What single blocks lose, stage by stage; None where nobody measured it.
        bought: Architectures evaluated to get those block losses, charged to everybody.
    """

    name: str
    space: SearchSpace
    bounds: Bounds
    block_losses: list[Prices] | None
    bought: tuple[tuple[int, ...], ...] = ()
    is_deterministic = False
    """Whether measurements are the truth, and the landscape the same for every seed."""
    has_rungs = False
    """Whether evaluations can end early."""

    @property
    def original(self) -> tuple[int, ...]:
        """The network that every search starts from."""
        return (0,) * len(self.space.stages)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of variants per stage."""
        return self.space.cardinalities

    @abstractmethod
    def cost(self, codes: Codes) -> Prices:
        """Exact costs, `n`; where an architecture does not exist, what its blocks add up to."""

    @abstractmethod
    def loss(self, codes: Codes) -> Prices:
        """True losses, `n`."""

    def latency(self, codes: Codes) -> Prices | None:  # noqa: ARG002  # others have some
        """Measured latencies in milliseconds, `n`; None where there are none."""
        return None

    def canonical(self, codes: Codes) -> Codes:
        """The rows by the one name that the network of each goes by here: some tables name a network twice."""
        return codes

    def holds(self, codes: Codes) -> Mask:
        """Whether each architecture exists."""
        return np.ones(len(codes), dtype=bool)

    @abstractmethod
    def measure(self, codes: tuple[int, ...], seed: int) -> Measured:
        """One noisy evaluation; the same seed always gives the same."""

    def rungs(self, codes: tuple[int, ...], seed: int, whole: Measured) -> Sequence[Rung]:  # noqa: ARG002  # the same
        """What the first samples of an evaluation would have told, smallest share first."""
        return ()

    def measure_early(self, codes: tuple[int, ...], seed: int, limit: float) -> Measured:
        """One evaluation that ends at the first rung whose loss is clearly beyond a limit, as the product's does."""
        whole = self.measure(codes, seed)
        for rung in self.rungs(codes, seed, whole):
            if is_clearly_beyond(Measurement(mean=rung.loss, sem=rung.sem), limit):
                return replace(whole, loss=rung.loss, sem=rung.sem, share=rung.share)
        return whole

    @abstractmethod
    def sample(self, count: int, generator: np.random.Generator) -> Codes:
        """Architectures that exist, drawn uniformly and perhaps repeatedly."""

    @property
    @abstractmethod
    def optimum(self) -> float:
        """Least cost within the bounds."""

    @property
    @abstractmethod
    def dearest(self) -> float:
        """Greatest cost of all architectures."""

    @property
    @abstractmethod
    def front(self) -> npt.NDArray[np.float64]:
        """The true front, `n x (cost, loss)`, cheapest first."""

    @property
    @abstractmethod
    def reference(self) -> tuple[float, float]:
        """Of the hypervolume: the greatest cost and the 60 % quantile of the loss."""

    @property
    @abstractmethod
    def additive_cost(self) -> list[Prices]:
        """What each variant costs alone, over the cheapest of its stage: exact only where costs are additive."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of architectures that exist."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Changes whenever a result on this landscape would."""

    def known_block_losses(self, seed: int) -> list[Prices] | None:  # noqa: ARG002  # others buy them
        """Block losses as the run of a seed knows them."""
        return self.block_losses

    def expected_losses(self, seed: int) -> dict[tuple[int, ...], float]:
        """What the bought architectures lose, as far as the measurements of a seed tell.

        It is what they make one expect of a loss that cannot be negative: the mean of a normal distribution above
        zero, around the difference to the original. Of noisy differences themselves the front of least sums would
        be made of the lucky ones (the winner's curse).
        """
        anchor = self.measure(self.original, seed)
        measured = [self.measure(codes, seed) for codes in self.bought]
        noise = float(np.sqrt(2 * np.mean([one.sem**2 for one in (anchor, *measured)])))
        return {
            codes: mean_above_zero(one.loss - anchor.loss, noise)
            for codes, one in zip(self.bought, measured, strict=True)
        }

    def is_feasible(self, codes: Codes) -> Mask:
        """Whether each architecture is truly within the bounds."""
        within: Mask = self.loss(codes) <= self.bounds.epsilon
        latency = self.latency(codes)
        if latency is not None and self.bounds.latency_at_most is not None:
            within &= latency <= self.bounds.latency_at_most
        return within

    @cached_property
    def epsilon_grid(self) -> tuple[tuple[float, float], ...]:
        """Eight values of ε with the least cost at each."""
        costs, losses = self.front[:, 0], self.front[:, 1]
        within = losses[(losses > 0) & (losses <= self.reference[1])]
        low, high = np.log(within.min()), np.log(within.max())
        grid = np.exp(low + (high - low) * (np.arange(GRID) + 1) / (GRID + 1))
        return tuple((float(epsilon), float(costs[losses <= epsilon].min())) for epsilon in grid)


def digest(*parts: object) -> str:
    """Twelve hexadecimal digits that stand for arrays, texts and numbers."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return whole.hexdigest()[:12]


def mean_above_zero(centre: float, width: float) -> float:
    """Mean of a normal distribution given that it is not negative (Johnson, Kotz & Balakrishnan 1994, 13.10)."""
    if width == 0:
        return max(0.0, centre)
    ratio = centre / width
    return centre + width * float(np.exp(-(ratio**2) / 2 - log_ndtr(ratio))) / math.sqrt(2 * math.pi)
