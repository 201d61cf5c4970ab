from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.search import truth
from benchmarks.search.truth_library import Prepared, prepare
from benchmarks.search.truth_space import CHOICES, truth_space
from benchmarks.search.truth_table import BLOCKS, TABLE, low_fidelities, read_table, write_tables
from benchmarks.search.truth_walk import Walk, library_blocks
from nas.domain.device import LatencyProtocol
from nas.domain.job import Evaluation
from nas.domain.library import Distillation
from nas.domain.search import FidelityProtocol, LatencySpec, SearchSpec
from nas.domain.teacher import Calibration, TeacherRef
from nas.domain.value import FrozenDict
from nas.engine.jobs import evaluation_job
from nas.estimation.execute import perform
from tests.nas.estimation.conftest import teacher_ref  # noqa: F401  # a fixture

TINY = {
    "E1": ("teacher", "R"),
    "E4": ("teacher", "removed"),
    "Mid": ("teacher", "removed"),
    "D4": ("teacher", "removed", "R.none"),
    "D1": ("teacher", "R"),
}


@pytest.fixture(scope="module")
def prepared(teacher_ref: TeacherRef, tmp_path_factory: pytest.TempPathFactory) -> Prepared:  # noqa: F811
    spec = SearchSpec(
        name="tiny",
        teacher=teacher_ref,
        space=FrozenDict(TINY),
        calibration=Calibration(source="gaussian", samples=8, holdout=16, latent_size=8, bands=4),
        distillation=Distillation(steps=2, batch=4),
        fidelity=FidelityProtocol(metrics=("noise_mse",), batch=6),
        latency=LatencySpec(protocol=LatencyProtocol(warmup=0, repeats=3, seconds=0)),
    )
    return prepare(spec, tmp_path_factory.mktemp("data"))


def evaluated(prepared: Prepared, codes: tuple[int, ...]) -> Evaluation:
    job = evaluation_job(prepared.spec, prepared.costs.library, prepared.space.decode(codes))
    evaluation = perform(job, prepared.workspace)
    assert isinstance(evaluation, Evaluation)
    return evaluation


def test_every_network_of_the_walk_is_what_the_product_evaluates(prepared: Prepared) -> None:
    walked = dict(truth.whole_walk(prepared).errors())
    assert list(walked) == list(prepared.space.indices())
    for codes, errors in walked.items():
        assert float(errors.mean()) == pytest.approx(evaluated(prepared, codes).metrics["noise_mse"].mean, rel=1e-6)
    assert float(walked[prepared.first].max()) == 0.0
    assert len({float(errors.mean()) for errors in walked.values()}) == len(walked), "choices that make no difference"


def test_a_walk_below_a_prefix_gives_these_networks_alone(prepared: Prepared) -> None:
    walk = truth.whole_walk(prepared)
    below = dict(walk.errors((1, 0)))
    assert list(below) == [codes for codes in prepared.space.indices() if codes[:2] == (1, 0)]
    whole = dict(walk.errors())
    assert all(below[codes].equal(whole[codes]) for codes in below)


def test_a_walk_refuses_stages_out_of_order(prepared: Prepared) -> None:
    teacher = prepared.teacher()
    blocks = library_blocks(teacher, prepared.space, prepared.costs.library, prepared.workspace.artifacts)
    turned = dict(reversed(blocks.items()))
    with pytest.raises(ValueError, match="order of execution"):
        Walk(teacher, turned, prepared.features(), prepared.spec.fidelity.batch)


def test_finished_chunks_are_kept_and_damage_is_not_written(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(truth, "CHUNKS", 8)
    first = truth.exhaustive_errors(prepared)
    assert first.shape == (prepared.space.size, 16)
    chunks = list(truth.prefixes(prepared))
    assert len(chunks) == 8
    marked = truth.chunk_path(prepared, chunks[2])
    np.save(marked, np.load(marked) + 7.0)
    truth.chunk_path(prepared, chunks[5]).unlink()
    size = prepared.space.size // 8
    again = truth.exhaustive_errors(prepared)
    expected = first.copy()
    expected[2 * size : 3 * size] += 7.0
    assert np.array_equal(again, expected)
    np.save(marked, np.load(marked) - 7.0)


def test_the_table_says_what_the_product_says(prepared: Prepared, tmp_path: Path) -> None:
    errors = truth.exhaustive_errors(prepared)
    write_tables(prepared, errors, tmp_path)
    rows = read_table(tmp_path / TABLE)
    assert len(rows) == prepared.space.size
    for number in (0, 5, 20, prepared.space.size - 1):
        codes = list(prepared.space.indices())[number]
        assert tuple(TINY[stage].index(rows[number][stage]) for stage in TINY) == codes
        measured = evaluated(prepared, codes).metrics["noise_mse"]
        assert float(rows[number]["noise_mse"]) == pytest.approx(measured.mean, rel=1e-5)
        assert float(rows[number]["noise_mse_sem"]) == pytest.approx(measured.sem, rel=1e-2)
        costs = prepared.costs.of(prepared.space.decode(codes))
        assert float(rows[number]["params"]) == costs["params"].mean
        assert float(rows[number]["table_latency_ms"]) == pytest.approx(costs["table_latency_ms"].mean, abs=1e-4)
    assert truth.check(prepared, tmp_path / TABLE, 3, seed=0) < 1e-6


def test_low_fidelities_take_their_share() -> None:
    chosen = low_fidelities(bands=8, samples=64)
    assert {name: len(rows) for name, rows in chosen.items()} == {
        f"noise_mse_{what}_1_{share}": 64 // share for what in ("samples", "timesteps") for share in (16, 8, 4, 2)
    }
    assert {row % 8 for row in chosen["noise_mse_samples_1_8"]} == set(range(8))
    assert {row % 8 for row in chosen["noise_mse_timesteps_1_2"]} == {1, 3, 5, 7}
    assert {row % 8 for row in chosen["noise_mse_timesteps_1_8"]} == {4}


def test_the_shipped_table_is_the_whole_space_and_adds_up() -> None:
    rows = read_table(truth.TABLES / TABLE)
    blocks = {(row["stage"], row["variant"]): row for row in read_table(truth.TABLES / BLOCKS)}
    assert [tuple(row[stage] for stage in CHOICES) for row in rows] == [
        tuple(truth_space().decode(codes).choices.values()) for codes in truth_space().indices()
    ]
    assert float(rows[0]["noise_mse"]) == 0.0
    assert min(float(row["noise_mse"]) for row in rows[1:]) > 0.0
    for total, part, digits in (
        ("params", "params", 0),
        ("gmacs", "gmacs", 5),
        ("table_latency_ms", "latency_ms", 3),
    ):
        rest = [float(row[total]) - sum(float(blocks[s, row[s]][part]) for s in CHOICES) for row in rows]
        assert max(rest) - min(rest) <= 10**-digits * (digits > 0), "costs are sums over the blocks"
    assert sum(path.stat().st_size for path in truth.TABLES.iterdir()) < 1_000_000
