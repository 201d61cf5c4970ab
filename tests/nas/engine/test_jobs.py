from __future__ import annotations

from nas.domain.architecture import Architecture
from nas.domain.library import BlockLibrary
from nas.domain.value import FrozenDict
from nas.engine.jobs import evaluation_job
from nas.engine.prepare import Preparation
from tests.fakes.executor import landscape
from tests.fakes.workspace import MemoryWorkspace
from tests.nas.engine.scene import STAGES, Scene, a_spec


def a_library() -> BlockLibrary:
    preparation = Preparation(Scene().search, STAGES)
    workspace = MemoryWorkspace()
    while missing := preparation.missing():
        for key, job in missing.items():
            preparation.accept(key, landscape(job, workspace))
    return preparation.costs().library


def test_searches_over_different_spaces_share_their_evaluations() -> None:
    library = a_library()
    narrow = Architecture(choices=FrozenDict({"E1": "RA"}))
    wide = Architecture(choices=FrozenDict({"D1": "teacher", "E2": "teacher", "E1": "RA"}))
    assert evaluation_job(a_spec(), library, narrow).key == evaluation_job(a_spec(), library, wide).key


def test_a_job_names_the_weights_of_replaced_blocks_only() -> None:
    library = a_library()
    job = evaluation_job(a_spec(), library, Architecture(choices=FrozenDict({"E1": "RA", "D1": "teacher"})))
    assert dict(job.payload.weights) == {"E1": library.entry("E1", "RA").weights}


def test_other_fidelity_metrics_are_another_job_but_other_bounds_are_not() -> None:
    library, shape = a_library(), Architecture(choices=FrozenDict({"E1": "RA"}))
    key = evaluation_job(a_spec(), library, shape).key
    assert evaluation_job(a_spec(seed=7, max_attempts=9), library, shape).key == key
    fewer = a_spec(fidelity=a_spec().fidelity.evolve(metrics=("noise_mse",)))
    assert evaluation_job(fewer, library, shape).key != key
