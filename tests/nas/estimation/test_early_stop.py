"""Evaluations that end early are judged against the whole ones, which stay what they were to the last bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.domain.job import CaptureFeatures, EvaluateArchitecture, Evaluation, Job
from nas.domain.stopping import is_stopped_by, rungs
from nas.domain.teacher import Calibration
from nas.domain.value import FrozenDict
from nas.errors import EvaluationError
from nas.estimation.assemble import assemble
from nas.estimation.capture import capture
from nas.estimation.distill import distill
from nas.estimation.evaluate import evaluate
from nas.estimation.execute import execute, recall
from nas.estimation.features import Features
from nas.estimation.holdout_run import HoldoutRun, batches, predict, stretches
from nas.estimation.judge import teacher_predictions
from nas.space.teachers.load import LoadedTeacher
from storage.artifacts import DirectoryWorkspace
from tests.fakes.workspace import MemoryArtifacts
from tests.nas.estimation.conftest import distillation_of, evaluation_of

BATCH, HOLDOUT = 4, 256
LARGE = Calibration(source="gaussian", samples=24, holdout=HOLDOUT, latent_size=8, bands=4)
METRICS = ("noise_mse", "noise_mse_relative", "feature_distance")


@pytest.fixture(scope="module")
def artifacts() -> MemoryArtifacts:
    return MemoryArtifacts()


@pytest.fixture(scope="module")
def many(teacher: LoadedTeacher, tmp_path_factory: pytest.TempPathFactory) -> Features:
    key, store = CaptureFeatures(teacher=teacher.ref, calibration=LARGE).key, tmp_path_factory.mktemp("many")
    capture(teacher, LARGE, store, key)
    return Features(store / key)


@pytest.fixture(scope="module")
def payload(teacher: LoadedTeacher, many: Features, artifacts: MemoryArtifacts) -> EvaluateArchitecture:
    """A network with one bad block."""
    work = distillation_of(teacher.ref, LARGE, "E2", "R", steps=5)
    weights = distill(teacher.denoiser, many, work, artifacts, Path("unused")).weights
    return evaluation_of(teacher.ref, LARGE, {"E2": "R"}, {"E2": weights}, BATCH)


@pytest.fixture(scope="module")
def whole(
    teacher: LoadedTeacher, many: Features, payload: EvaluateArchitecture, artifacts: MemoryArtifacts
) -> Evaluation:
    return evaluate(teacher, many, payload, artifacts)


def limited(payload: EvaluateArchitecture, **limits: float) -> EvaluateArchitecture:
    after: EvaluateArchitecture = payload.evolve(stop_beyond=FrozenDict(limits))
    return after


def test_a_whole_evaluation_is_that_of_all_batches_in_their_order(
    teacher: LoadedTeacher,
    many: Features,
    payload: EvaluateArchitecture,
    artifacts: MemoryArtifacts,
    whole: Evaluation,
) -> None:
    network = assemble(teacher, payload.architecture, payload.weights, artifacts)
    mine = torch.cat([predict(network, many, rows, None) for rows in batches(many.holdout, BATCH)])
    theirs = teacher_predictions(teacher, many, BATCH)
    error = (mine - theirs).double().square().flatten(1).mean(dim=1)
    assert whole.metrics["noise_mse"].mean == float(error.mean())
    assert whole.share == 1.0


@pytest.mark.parametrize("metric", METRICS)
def test_a_limit_that_is_not_clearly_exceeded_changes_not_one_bit(
    teacher: LoadedTeacher,
    many: Features,
    payload: EvaluateArchitecture,
    artifacts: MemoryArtifacts,
    whole: Evaluation,
    metric: str,
) -> None:
    at_truth = limited(payload, **{metric: whole.metrics[metric].mean})
    assert evaluate(teacher, many, at_truth, artifacts) == whole


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_clearly_beyond_ends_after_an_eighth_and_the_truth_is_beyond_too(
    teacher: LoadedTeacher,
    many: Features,
    payload: EvaluateArchitecture,
    artifacts: MemoryArtifacts,
    whole: Evaluation,
    metric: str,
) -> None:
    limit = whole.metrics[metric].mean / 3
    stopped = evaluate(teacher, many, limited(payload, **{metric: limit}), artifacts)
    assert stopped.share == 1 / 8
    assert stopped.metrics.keys() == whole.metrics.keys()
    assert {value.samples for value in stopped.metrics.values()} == {HOLDOUT // 8}
    assert is_stopped_by(stopped.metrics, {metric: limit})
    assert whole.metrics[metric].mean > limit
    assert len(stopped.band_noise_mse) == LARGE.bands


def test_wherever_it_stops_the_truth_is_beyond_the_limit(
    teacher: LoadedTeacher,
    many: Features,
    payload: EvaluateArchitecture,
    artifacts: MemoryArtifacts,
    whole: Evaluation,
) -> None:
    truth = whole.metrics["noise_mse"].mean
    shares = {}
    for part in (0.2, 0.5, 0.8, 0.9, 0.95, 1.0, 1.1, 2.0):
        found = evaluate(teacher, many, limited(payload, noise_mse=part * truth), artifacts)
        shares[part] = found.share
        assert part < 1 or not found.is_partial
    assert list(shares.values()) == sorted(shares.values())  # a looser limit takes as long or longer
    assert len(set(shares.values())) > 1


def test_the_teacher_itself_is_never_stopped(
    teacher: LoadedTeacher, many: Features, artifacts: MemoryArtifacts
) -> None:
    own = evaluation_of(teacher.ref, LARGE, {"E1": "teacher"}, {}, BATCH)
    found = evaluate(teacher, many, limited(own, noise_mse=1e-300, noise_mse_relative=1e-300), artifacts)
    assert (found.share, found.metrics["noise_mse"].mean) == (1.0, 0.0)


def test_a_network_that_is_not_finite_is_abandoned_and_not_stopped(
    teacher: LoadedTeacher, many: Features, payload: EvaluateArchitecture, artifacts: MemoryArtifacts
) -> None:
    state = safetensors.torch.load(artifacts.get(payload.weights["E2"]))
    for value in (float("inf"), float("nan"), 1e38):
        broken = {name: torch.full_like(tensor, value) for name, tensor in state.items()}
        digest = artifacts.put(safetensors.torch.save(broken))
        job = limited(payload.evolve(weights=FrozenDict({"E2": digest})), noise_mse=1e-9)
        with pytest.raises(EvaluationError, match="finite"):
            evaluate(teacher, many, job, artifacts)


def test_a_part_is_seen_as_the_whole_sees_it(
    teacher: LoadedTeacher, many: Features, payload: EvaluateArchitecture, artifacts: MemoryArtifacts
) -> None:
    network = assemble(teacher, payload.architecture, payload.weights, artifacts)
    reference = teacher_predictions(teacher, many, BATCH)
    parts = stretches(many.holdout, BATCH, LARGE.bands)
    half, all_of_it = (HoldoutRun(network, many, reference, needs_features=True) for _ in range(2))
    half.see(parts[1])
    rows = sorted(row - many.holdout.start for batch in parts[1] for row in batch)
    for part in parts:
        all_of_it.see(part)
    few, everything = half.comparison(), all_of_it.comparison()
    assert torch.equal(few.squared_error, everything.squared_error[rows])
    assert torch.equal(few.power, everything.power[rows])
    assert torch.equal(few.band, everything.band[rows])
    for stage, distances in everything.stage_distances.items():
        assert torch.equal(few.stage_distances[stage], distances[rows])


@settings(max_examples=200)
@given(start=st.integers(0, 50), count=st.integers(1, 700), batch=st.integers(1, 70), bands=st.integers(1, 40))
def test_stretches_hold_every_batch_once_and_as_much_of_each_band_at_every_cut(
    start: int, count: int, batch: int, bands: int
) -> None:
    rows = range(start, start + count)
    parts = stretches(rows, batch, bands)
    told = [one for part in parts for one in part]
    assert sorted(told, key=lambda one: one.start) == batches(rows, batch)
    seen: list[int] = []
    ends = []
    for part in parts[:-1]:
        seen += [(row - start) % bands for one in part for row in one]
        ends.append(len(seen))
        assert len({seen.count(band) for band in range(bands)}) == 1
    assert len(parts[-1]) > 0
    if bands == 1:
        assert tuple(ends) == rungs(count, batch)


def test_what_is_seen_first_is_drawn_from_everywhere() -> None:
    first = stretches(range(1024), 16, 8)[0]
    assert max(rows.start for rows in first) > 512
    assert first == stretches(range(1024), 16, 8)[0]


def test_a_journal_gives_a_whole_evaluation_to_all_limits_and_a_stopped_one_to_its_own(
    payload: EvaluateArchitecture, whole: Evaluation, artifacts: MemoryArtifacts, tmp_path: Path
) -> None:
    workspace = DirectoryWorkspace(tmp_path)
    for digest in payload.weights.values():
        assert workspace.artifacts.put(artifacts.get(digest)) == digest
    truth = whole.metrics["noise_mse"].mean
    tight, tighter, loose = (Job(payload=limited(payload, noise_mse=part * truth)) for part in (0.4, 0.3, 2.0))
    stopped = execute(tight, workspace)
    assert isinstance(stopped, Evaluation)
    assert stopped.is_partial
    assert recall(tight, workspace) == stopped
    assert recall(tighter, workspace) is recall(loose, workspace) is recall(Job(payload=payload), workspace) is None
    assert execute(loose, workspace) == whole
    assert recall(Job(payload=payload), workspace) == recall(tight, workspace) == recall(tighter, workspace) == whole
