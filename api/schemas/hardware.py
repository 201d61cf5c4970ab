"""How costs and latencies of a search agree, device by device."""

from __future__ import annotations

from typing import Any, Literal

from api.schemas.base import Document, example

_DEVICE: dict[str, Any] = {"device": "host", "kind": "measured", "networks": 7}
_AGREEMENT: dict[str, Any] = {
    "first": "params",
    "second": "table_latency_ms",
    "over": "space",
    "count": 4096,
    "kendall_tau": 0.41,
    "spearman": 0.58,
}
_STAGE: dict[str, Any] = {
    "stage": "D1",
    "share": {"params": 0.02, "table_latency_ms": 0.31},
    "saves_at_most": {"params": 0.01, "table_latency_ms": 0.22},
}
_DISAGREEMENT: dict[str, Any] = {
    "first": "params",
    "second": "table_latency_ms",
    "only_first": [12, 31],
    "shared": 5,
}
_FRONTS: dict[str, Any] = {
    "against": "noise_mse_relative",
    "members": {"params": [0, 12, 31], "table_latency_ms": [0, 7]},
    "disagreement": [_DISAGREEMENT],
}
_ADDITIVITY: dict[str, Any] = {
    "device": "host",
    "count": 7,
    "bias": -0.06,
    "mean_error": 0.07,
    "worst_error": 0.11,
    "kendall_tau": 0.9,
    "corrected_error": 0.02,
}
_EXAMPLE: dict[str, Any] = {
    "device": "host",
    "figure": "params",
    "is_measured": True,
    "cheaper": 12,
    "dearer": 7,
    "saves": 0.37,
    "slower": 0.12,
    "stages_ms": {"D1": 1.31, "E4": -0.1},
    "words": "Trial 12 has 37 % fewer params than trial 7 and is 12 % slower on host (measured), because ...",
}


class SearchDevice(Document):
    """One device of the search.

    Attributes:
        kind: What its figures are: `measured`, `compiler estimate` or `model`.
        networks: Assembled networks measured on it.
    """

    model_config = example(**_DEVICE)

    device: str
    kind: Literal["measured", "compiler estimate", "model"]
    networks: int


class Agreement(Document):
    """Agreement in order of two figures.

    Attributes:
        over: All architectures of the space (or a sample), or the measured networks.
        kendall_tau: -1 to 1; null where a figure is constant.
        spearman: -1 to 1; null where a figure is constant.
    """

    model_config = example(**_AGREEMENT)

    first: str
    second: str
    over: Literal["space", "measured"]
    count: int
    kendall_tau: float | None = None
    spearman: float | None = None


class StageHardware(Document):
    """What a stage weighs, figure by figure.

    Attributes:
        share: Of the teacher's figure.
        saves_at_most: Share of the teacher's figure that its cheapest variant saves.
    """

    model_config = example(**_STAGE)

    stage: str
    share: dict[str, float]
    saves_at_most: dict[str, float]


class Disagreement(Document):
    """Trials on the front of one figure that are not on the front of another."""

    model_config = example(**_DISAGREEMENT)

    first: str
    second: str
    only_first: list[int]
    shared: int


class FigureFronts(Document):
    """Trials on the front of each figure against fidelity."""

    model_config = example(**_FRONTS)

    against: str
    members: dict[str, list[int]]
    disagreement: list[Disagreement]


class Additivity(Document):
    """The sum of isolated blocks against assembled networks.

    Attributes:
        bias: Mean of measured over table, less one.
        mean_error: Relative, of the measured.
        worst_error: Relative, of the measured.
        corrected_error: Mean error after a correction learned from the other networks; null with too few.
    """

    model_config = example(**_ADDITIVITY)

    device: str
    count: int
    bias: float
    mean_error: float
    worst_error: float
    kendall_tau: float | None = None
    corrected_error: float | None = None


class CounterExample(Document):
    """Two trials of which the one that looks cheaper is slower.

    Attributes:
        saves: Share of the dearer one's figure that the cheaper one saves.
        slower: Share by which it takes longer.
        stages_ms: By how much it takes longer, stage by stage, by the table.
        words: The same as a sentence.
    """

    model_config = example(**_EXAMPLE)

    device: str
    figure: str
    is_measured: bool
    cheaper: int
    dearer: int
    saves: float
    slower: float
    stages_ms: dict[str, float]
    words: str


class HardwareReport(Document):
    """How costs and latencies of a search agree, and where they do not.

    Attributes:
        complete: Whether the block library is complete; before, there is nothing to tell.
        architectures: Architectures that exact figures are compared over.
    """

    model_config = example(
        search="red-1",
        complete=True,
        architectures=4096,
        devices=[_DEVICE],
        agreement=[_AGREEMENT],
        stages=[_STAGE],
        fronts=_FRONTS,
        additivity=[_ADDITIVITY],
        counter_examples=[_EXAMPLE],
    )

    search: str
    complete: bool
    architectures: int = 0
    devices: list[SearchDevice] = []
    agreement: list[Agreement] = []
    stages: list[StageHardware] = []
    fronts: FigureFronts | None = None
    additivity: list[Additivity] = []
    counter_examples: list[CounterExample] = []
