"""The trainings after the search as jobs: resumed from a checkpoint after a kill, found in the journal once done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.domain.adaptation import (
    AdaptToRestoration,
    DistillOneStep,
    FineTune,
    PackRestorer,
    TrainedNetwork,
    TrainNetwork,
    WholeNetwork,
)
from nas.domain.job import ExportedNetwork, Resources
from nas.errors import CorruptArtifact, EvaluationError
from nas.estimation.execute import RUNS, device_of
from nas.ports import ArtifactStore, Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from nas.adaptation.compressed_unet import CompressedUNet2DConditionModel
    from nas.adaptation.restoration.pairs import PairSource
    from nas.adaptation.restoration.tasks import GuidedDenoiser
    from nas.space.teachers.load import LoadedTeacher
    from nas.training.loop import Task


@RUNS.register("fine_tune")
def fine_tune(payload: FineTune, workspace: Workspace, resources: Resources) -> TrainedNetwork:
    """Do a fine-tuning job.

    Raises:
        EvaluationError: If the teacher has no VAE, or the training diverges.
        NotFound: If a folder of pictures is not there or holds none.
    """
    from nas.adaptation.crops import CropSource
    from nas.adaptation.fine_tuning import FineTuningTask
    from nas.adaptation.noise_schedule import NoiseSchedule
    from nas.space.teachers.load import condition

    teacher = _teacher(payload, resources)
    training = payload.training
    device = device_of(resources)
    network = begun(teacher, payload, workspace.artifacts).to(device)
    contexts = condition(teacher, payload.calibration.conditioning, training.batch).to(device)
    task = FineTuningTask(
        network,
        teacher.denoiser,
        NoiseSchedule(teacher.scheduler, device),
        CropSource(training.crop, _folder(training.pictures), training.seed),
        _codec(teacher),
        contexts,
        payload.terms,
        training.batch,
        training.steps,
    )
    return _trained(task, payload, workspace)


@RUNS.register("adapt")
def adapt(payload: AdaptToRestoration, workspace: Workspace, resources: Resources) -> TrainedNetwork:
    """Do a job that adapts a network to restoration.

    Raises:
        EvaluationError: If the teacher has no VAE, or the training diverges.
        NotFound: If a folder of pictures is not there or holds none.
    """
    from nas.adaptation.restoration.guided import guided
    from nas.adaptation.restoration.tasks import AdaptationTask

    teacher = _teacher(payload, resources)
    denoiser = _guided(teacher, guided(begun(teacher, payload, workspace.artifacts)), resources)
    task = AdaptationTask(denoiser, _pairs(teacher, payload), payload.training.batch)
    return _trained(task, payload, workspace)


@RUNS.register("one_step")
def distil_one_step(payload: DistillOneStep, workspace: Workspace, resources: Resources) -> TrainedNetwork:
    """Do a one-step distillation job; the network it begins with is its own teacher.

    Raises:
        EvaluationError: If the origin is no guided network, the teacher has no VAE, or the training diverges.
        NotFound: If a folder of pictures is not there or holds none.
    """
    import copy

    from nas.adaptation.restoration.tasks import OneStepTask

    teacher = _teacher(payload, resources)
    adapted = _guided_of(teacher, payload, workspace.artifacts)
    student = _guided(teacher, copy.deepcopy(adapted), resources)
    pairs = _pairs(teacher, payload)
    task = OneStepTask(
        student, _guided(teacher, adapted, resources), pairs, payload.training.batch, payload.path, payload.terms
    )
    return _trained(task, payload, workspace)


@RUNS.register("pack_restorer")
def pack_restorer(payload: PackRestorer, workspace: Workspace, resources: Resources) -> ExportedNetwork:
    """Do a job that packs a restorer: the folder of `write_restorer` as a zip in the artifact store.

    Raises:
        SpecError: If tiles do not fit scale and codec.
        EvaluationError: If the origin is no guided network, the teacher has no VAE, or ONNX does not compute what
            torch does.
    """
    import tempfile

    from nas.adaptation.archive import stored
    from nas.adaptation.restoration.export import write_restorer
    from nas.adaptation.restoration.restorer import EmptyCondition, OneStepRestorer
    from nas.estimation.supplies import warm_teacher

    del resources
    teacher = warm_teacher(payload.teacher, _cpu())
    restorer = OneStepRestorer(
        _guided_of(teacher, payload, workspace.artifacts).eval(),
        _codec(teacher).vae,
        teacher.scheduler,
        EmptyCondition.of(empty_condition(teacher)),
        payload.task.scale,
        payload.path.start,
        payload.path.noise,
        payload.tile,
        payload.overlap,
    )
    with tempfile.TemporaryDirectory(dir=workspace.scratch, prefix="restorer-") as draft:
        folder = Path(draft) / "restorer"
        write_restorer(restorer, folder)
        return stored(folder, workspace.artifacts)


def begun(teacher: LoadedTeacher, payload: TrainNetwork, artifacts: ArtifactStore) -> CompressedUNet2DConditionModel:
    """The network of a payload with the weights of its origin, without a guide.

    Raises:
        EvaluationError: If weights are missing or do not fit.
        CorruptArtifact: If a file is damaged.
    """
    from nas.adaptation.compressed_unet import CompressedUNet2DConditionModel
    from nas.estimation.assemble import assemble

    origin = payload.origin
    if origin.from_scratch or origin.network:
        network = _untrained(teacher, payload, payload.training.seed)
        if origin.network:
            _load(network, origin.network, artifacts)
        return network
    assembled = assemble(teacher, payload.architecture, origin.blocks, artifacts)
    made: CompressedUNet2DConditionModel = CompressedUNet2DConditionModel.of(
        assembled, teacher.config, dict(payload.architecture.choices)
    )
    return made


def _guided_of(
    teacher: LoadedTeacher, payload: WholeNetwork, artifacts: ArtifactStore
) -> CompressedUNet2DConditionModel:
    """The guided network that an earlier step left.

    Raises:
        EvaluationError: If the origin is none, or of another architecture.
    """
    from nas.adaptation.restoration.guided import guided

    if not payload.origin.network:
        raise EvaluationError("One step is distilled from an adapted network.", "Adapt the network first.")
    network = guided(_untrained(teacher, payload, 0))
    _load(network, payload.origin.network, artifacts)
    return network


def _untrained(teacher: LoadedTeacher, payload: WholeNetwork, seed: int) -> CompressedUNet2DConditionModel:
    from nas.adaptation.baselines import from_scratch

    widths = payload.origin.widths
    config = {**teacher.config, "block_out_channels": list(widths)} if widths else teacher.config
    return from_scratch(config, payload.architecture.choices, seed)


def _load(network: CompressedUNet2DConditionModel, digest: str, artifacts: ArtifactStore) -> None:
    import safetensors.torch
    from safetensors import SafetensorError

    try:
        network.load_state_dict(safetensors.torch.load(artifacts.get(digest)))
    except SafetensorError as error:
        raise CorruptArtifact(f"The weights {digest[:12]} are no safetensors file: {error}.") from None
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise EvaluationError(f"The weights {digest[:12]} are of another network: {reason}") from None


def _trained(task: Task, payload: TrainNetwork, workspace: Workspace) -> TrainedNetwork:
    """Train to the end and store what came of it; the checkpoint goes when its result is safe."""
    import safetensors.torch

    from nas.training.loop import train
    from nas.training.plan import TrainingPlan

    training = payload.training
    plan = TrainingPlan(training.steps, training.learning_rate, training.final_learning_rate, warmup=training.warmup)
    checkpoint = workspace.scratch / "trainings" / f"{payload.key}.safetensors"
    trained = train(task, plan, checkpoint)
    state = {name: value.detach().cpu().contiguous() for name, value in trained.network.state_dict().items()}
    made = TrainedNetwork(
        artifact=workspace.artifacts.put(safetensors.torch.save(state)),
        params=sum(parameter.numel() for parameter in trained.network.parameters()),
        steps=training.steps,
        seconds=round(trained.seconds, 3),
        curve=tuple(trained.curve),
    )
    checkpoint.unlink(missing_ok=True)
    return made


def _teacher(payload: WholeNetwork, resources: Resources) -> LoadedTeacher:
    from nas.estimation.supplies import warm_teacher

    return warm_teacher(payload.teacher, device_of(resources))


def _codec(teacher: LoadedTeacher) -> Any:
    from nas.space.teachers.codec import LatentCodec

    if teacher.vae is None:
        raise EvaluationError(
            "The teacher comes without a VAE: there are no latents to train on.", "Give a whole pipeline's folder."
        )
    return LatentCodec(teacher.vae)


def _pairs(teacher: LoadedTeacher, payload: AdaptToRestoration | DistillOneStep) -> PairSource:
    from nas.adaptation.crops import CropSource
    from nas.adaptation.restoration.pairs import PairSource

    training, task = payload.training, payload.task
    crops = CropSource(training.crop, _folder(training.pictures), training.seed)
    return PairSource(crops, _codec(teacher), task.scale, task.degradation)


def _guided(teacher: LoadedTeacher, network: CompressedUNet2DConditionModel, resources: Resources) -> GuidedDenoiser:
    from nas.adaptation.noise_schedule import NoiseSchedule
    from nas.adaptation.restoration.tasks import GuidedDenoiser

    device = device_of(resources)
    schedule, tokens = NoiseSchedule(teacher.scheduler, device), empty_condition(teacher).to(device)
    return GuidedDenoiser(network.to(device), schedule, tokens)


def empty_condition(teacher: LoadedTeacher) -> Tensor:
    """What the teacher's cross-attention sees when there is nothing to say, `L x D`."""
    from nas.domain.teacher import Conditioning
    from nas.space.teachers.load import condition

    return condition(teacher, Conditioning(), 1)[0]


def _cpu() -> Any:
    """Where networks are exported from."""
    import torch

    return torch.device("cpu")


def _folder(path: str) -> Path | None:
    return Path(path).expanduser() if path else None
