"""The rule by which an evaluation ends early: three standard errors, whole steps, keys that stay what they were."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nas.domain.architecture import Architecture
from nas.domain.job import EvaluateArchitecture, Evaluation
from nas.domain.lifecycle import TrialStatus
from nas.domain.metric import Measurement
from nas.domain.objective import OutcomeConstraint, Problem
from nas.domain.search import FidelityProtocol, Search, SearchSpec
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.stopping import is_clearly_beyond, is_ruled_out_early, limits_of, rungs
from nas.domain.teacher import Calibration, TeacherRef
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.errors import IllegalTransition

OLD_KEY = "87da31d5625a4c2609d13b21386d1e5019070384669d590f9d4b7e238b8bff3f"
"""Of `a_payload()`, as it was computed before there were limits."""
EPSILON = OutcomeConstraint(metric="noise_mse", at_most=0.05, grid=(0.01, 0.02))


def a_payload(**changes: object) -> EvaluateArchitecture:
    fields: dict[str, object] = {
        "teacher": TeacherRef(fingerprint="f" * 64),
        "calibration": Calibration(),
        "architecture": Architecture(choices=FrozenDict({"E1": "RA"})),
        "weights": FrozenDict({"E1": "d" * 64}),
        "metrics": ("noise_mse", "feature_distance"),
        **changes,
    }
    return EvaluateArchitecture(**fields)


def an_evaluation(mean: float, sem: float = 0.001, share: float = 0.125) -> Evaluation:
    return Evaluation(metrics=FrozenDict({"noise_mse": Measurement(mean=mean, sem=sem, samples=32)}), share=share)


def test_a_key_without_limits_is_what_it_was_before_there_were_limits() -> None:
    assert a_payload().key == OLD_KEY


def test_limits_are_part_of_the_key_and_lead_back_to_the_whole_evaluation() -> None:
    loose, tight = (a_payload(stop_beyond=FrozenDict({"noise_mse": limit})) for limit in (0.1, 0.05))
    assert len({a_payload().key, loose.key, tight.key, tight.stopped_key}) == 4
    assert loose.whole.key == tight.whole.key == OLD_KEY
    assert loose.stopped_key == tight.stopped_key == a_payload().stopped_key
    assert tight.keys == (OLD_KEY, tight.key)
    assert tight.key_of(an_evaluation(0.2)) == tight.key
    assert tight.key_of(an_evaluation(0.2, share=1.0)) == OLD_KEY


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan, math.inf, "0.1", True])
def test_limits_that_mean_nothing_are_refused(limit: object) -> None:
    with pytest.raises(ValidationError):
        a_payload(stop_beyond=FrozenDict({"noise_mse": limit}))


def test_a_limit_on_what_is_not_measured_is_refused() -> None:
    with pytest.raises(ValidationError, match="noise_mse_relative"):
        a_payload(stop_beyond=FrozenDict({"noise_mse_relative": 0.1}))


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, math.nan])
def test_shares_that_mean_nothing_are_refused(share: float) -> None:
    with pytest.raises(ValidationError):
        an_evaluation(0.1, share=share)


def test_an_evaluation_stored_before_there_were_shares_is_whole() -> None:
    old = Evaluation.model_validate_json('{"kind": "evaluation", "metrics": {}}')
    assert (old.share, old.is_partial) == (1.0, False)


def test_beyond_is_three_standard_errors_and_no_error_at_all_says_nothing() -> None:
    assert is_clearly_beyond(Measurement(mean=0.0801, sem=0.01), 0.05)
    assert not is_clearly_beyond(Measurement(mean=0.0799, sem=0.01), 0.05)
    assert not is_clearly_beyond(Measurement(mean=1e6, sem=0.0), 0.05)


def test_only_what_was_stopped_is_ruled_out_early() -> None:
    limits = FrozenDict({"noise_mse": 0.05})
    assert is_ruled_out_early(an_evaluation(0.2), limits)
    assert not is_ruled_out_early(an_evaluation(0.2, share=1.0), limits)
    assert not is_ruled_out_early(an_evaluation(0.2), FrozenDict())
    assert not is_ruled_out_early(an_evaluation(0.2), FrozenDict({"feature_distance": 0.05}))


def test_limits_are_the_bounds_on_what_is_measured_and_never_a_value_of_the_grid() -> None:
    bounds = (EPSILON, OutcomeConstraint(metric="params", at_most=1e6), EPSILON.evolve(at_most=0.3, grid=()))
    assert limits_of(bounds, ("noise_mse", "feature_distance")) == {"noise_mse": 0.05}
    assert limits_of(bounds, ("feature_distance",)) == {}


@pytest.mark.parametrize(
    ("samples", "step", "expected"),
    [
        (256, 16, (32, 64, 128)),
        (512, 16, (64, 128, 256)),
        (64, 16, (16, 32)),
        (64, 8, (16, 32)),
        (63, 16, (16, 32)),
        (48, 16, (16, 32)),
        (32, 16, (16,)),
        (8, 8, ()),
        (100, 16, (16, 32, 64)),
        (256, 240, (240,)),
        (256, 300, ()),
        (1000, 1, (125, 250, 500)),
    ],
)
def test_rungs(samples: int, step: int, expected: tuple[int, ...]) -> None:
    assert rungs(samples, step) == expected


@given(samples=st.integers(1, 5000), step=st.integers(1, 5000))
def test_rungs_are_whole_steps_of_some_size_before_the_end(samples: int, step: int) -> None:
    found = rungs(samples, step)
    assert list(found) == sorted(set(found))
    assert all(count % step == 0 and 16 <= count < samples for count in found)
    assert len(found) <= 3


def a_search(kind: str = "search", *, stop_early: bool = True) -> Search:
    spec = SearchSpec(name="s", constraints=(EPSILON,), fidelity=FidelityProtocol(stop_early=stop_early))
    space = SearchSpace(stages=(StageChoices(stage="E1", variants=("teacher", "RA")),))
    return Search(id="s", spec=spec, space=space, problems=(spec.problem,), kind=kind)


def test_a_search_stops_at_the_bounds_in_force_unless_told_otherwise_or_rehearsing() -> None:
    assert a_search().stop_beyond == {"noise_mse": 0.05}
    moved = a_search().evolve(problems=(a_search().problem, Problem(constraints=(EPSILON.evolve(at_most=0.1),))))
    assert moved.stop_beyond == {"noise_mse": 0.1}
    assert a_search(stop_early=False).stop_beyond == {}
    assert a_search("dry_run").stop_beyond == {}


def test_a_spec_written_before_there_was_a_choice_stops_early() -> None:
    assert FidelityProtocol.model_validate_json('{"metrics": ["noise_mse"], "batch": 16}').stop_early


def test_a_trial_that_was_stopped_is_never_feasible_and_may_be_opened_again() -> None:
    stopped, whole = (
        Trial(
            search="s",
            number=0,
            architecture=Architecture(choices=FrozenDict()),
            status=TrialStatus.COMPLETED,
            evaluation=an_evaluation(0.2, share=share),
        )
        for share in (0.5, 1.0)
    )
    roomy = Problem(constraints=(EPSILON.evolve(at_most=0.9),))
    assert whole.is_feasible(roomy)
    assert not stopped.is_feasible(roomy)
    assert not stopped.is_feasible(Problem())
    assert (stopped.is_judged, whole.is_judged) == (False, True)
    assert stopped.become(TrialStatus.CANDIDATE, evaluation=None).evaluation is None
    with pytest.raises(IllegalTransition, match="measured"):
        whole.become(TrialStatus.CANDIDATE)
