"""The contract of a teacher family: a denoiser cut into stages that can be put together anew."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from nas.domain.search_space import SearchSpace
from nas.registry import Registry
from nas.space.stage import Stage, StageBlock, StageInput, StageOutput

StageObserver = Callable[[Stage, StageInput, StageOutput], None]
"""Called after each stage of a forward pass; used to capture features and to compare them."""


class StagedDenoiser(nn.Module, ABC):
    """A whole denoiser made of stem, stages and head.

    Attributes:
        stages: Descriptions in order of execution.
    """

    stages: tuple[Stage, ...]

    @abstractmethod
    def forward(self, sample: Tensor, timestep: Tensor, context: Tensor | None = None) -> Tensor:
        """Predict noise (or velocity, as the teacher does).

        Args:
            sample: Noisy latents, `B x C x H x W`.
            timestep: `B` integer timesteps.
            context: Conditioning tokens, `B x L x D`.

        Returns:
            `B x C x H x W`.
        """

    @abstractmethod
    def observed(self, sample: Tensor, timestep: Tensor, context: Tensor | None, observe: StageObserver) -> Tensor:
        """Like `forward`, and shows every stage's input and output to `observe`."""

    @abstractmethod
    def block(self, stage: str) -> StageBlock:
        """The block that fills a stage."""

    @abstractmethod
    def with_blocks(self, blocks: Mapping[str, StageBlock]) -> StagedDenoiser:
        """A new denoiser with some stages filled otherwise. Untouched parts are shared, not copied.

        With no replacement the output equals the teacher's bit for bit.
        """

    @abstractmethod
    def floor(self) -> nn.Module:
        """Stem, time embedding and head as one module: `(sample, timestep) -> B x C x H x W`.

        What every architecture pays, for counting and timing.
        """

    @abstractmethod
    def default_space(self) -> SearchSpace:
        """The space searched when a spec names none."""


class TeacherFamily(ABC):
    """Recognises and loads one family of networks."""

    @abstractmethod
    def accepts(self, config: Mapping[str, object]) -> bool:
        """Whether a diffusers `config.json` belongs to this family."""

    @abstractmethod
    def require_supported(self, config: Mapping[str, object]) -> None:
        """Refuse a configuration whose network the cut would not reproduce, before it is built.

        Raises:
            InvalidSearchSpace: Names every field.
        """

    @abstractmethod
    def network_type(self) -> Any:
        """The diffusers class of its networks; a `ModelMixin` with `from_config` and `from_pretrained`."""

    @abstractmethod
    def stage(self, network: nn.Module) -> StagedDenoiser:
        """Cut a loaded network into stages. Shares its weights."""


TEACHER_FAMILIES: Registry[TeacherFamily] = Registry("teacher family", home="nas.space.teachers.load")
