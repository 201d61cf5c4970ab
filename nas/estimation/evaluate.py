"""Judge one architecture: assemble it, run it beside its teacher on the hold-out latents, measure."""

from __future__ import annotations

from nas.domain.job import EvaluateArchitecture, Evaluation
from nas.estimation.assemble import assemble
from nas.estimation.features import Features
from nas.estimation.judge import judge
from nas.ports import ArtifactStore
from nas.space.teachers.load import LoadedTeacher


def evaluate(
    teacher: LoadedTeacher, features: Features, payload: EvaluateArchitecture, artifacts: ArtifactStore
) -> Evaluation:
    """Compute the fidelity metrics of one architecture, as far as its limits let it go on.

    Raises:
        UnknownName: If a metric, stage or variant does not exist.
        EvaluationError: If the network cannot be assembled or its output is not finite; it never will be.
        CorruptArtifact: If weights or features are damaged; make them again.
    """
    network = assemble(teacher, payload.architecture, payload.weights, artifacts)
    return judge(teacher, network, features, payload)
