"""Closed forms against brute force: plain areas, and many draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.domain.pareto import hypervolume_2d
from nas.strategy.acquisition import KnownCostAcquisition
from nas.strategy.baseline import Baseline, Task
from nas.strategy.improvement import expected_gain, strips
from nas.strategy.posterior import Certainty, EstimatedResponse, LogNormal
from nas.strategy.prior import WIDTHS, HammingKernel, look_up
from nas.strategy.response import KnownCostModel, LogResponseGP

coordinates = st.floats(0.01, 1.0)
points = st.lists(st.tuples(coordinates, coordinates), max_size=8)


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@given(points, coordinates, coordinates)
def test_hypervolume_improvement_of_a_known_point_is_the_area_it_adds(
    front: list[tuple[float, float]], x: float, y: float
) -> None:
    reference = [0.9, 0.8]
    baseline = torch.tensor(front, dtype=torch.float64).reshape(-1, 2)
    gain = expected_gain(baseline, reference, [Certainty(tensor(x)), Certainty(tensor(y))], 0)
    added = hypervolume_2d([*front, (x, y)], reference) - hypervolume_2d(front, reference)
    assert float(gain) == pytest.approx(added, abs=1e-12)


def test_hypervolume_improvement_of_two_uncertain_metrics_is_the_mean_over_draws() -> None:
    front = torch.tensor([[0.2, 0.7], [0.5, 0.4], [0.8, 0.1]], dtype=torch.float64)
    means, deviations = (-0.9, -1.1), (0.5, 0.7)
    beliefs = [LogNormal(tensor(m)[None], tensor(s)) for m, s in zip(means, deviations, strict=True)]
    gain = float(expected_gain(front, [1.0, 1.0], beliefs, 0))
    drawn = np.exp(np.random.default_rng(0).normal(means, deviations, (20_000, 2)))
    before = hypervolume_2d(front.tolist(), (1.0, 1.0))
    added = [hypervolume_2d([*front.tolist(), point], (1.0, 1.0)) - before for point in drawn.tolist()]
    assert gain == pytest.approx(float(np.mean(added)), abs=4 * float(np.std(added)) / np.sqrt(len(added)))


@given(st.floats(-3, 1), st.floats(0.01, 1.5), st.floats(0.01, 3))
def test_shortfall_is_the_mean_of_what_stays_under_the_level(mean: float, deviation: float, level: float) -> None:
    closed = float(LogNormal(tensor(mean)[None], tensor(deviation)).shortfall(0, tensor(level)))
    grid = np.linspace(-8, 8, 20_001)
    density = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    integral = np.trapezoid(np.maximum(level - np.exp(mean + deviation * grid), 0) * density, grid)
    assert closed == pytest.approx(integral, rel=1e-3, abs=1e-6)


def test_strips_of_an_empty_front_are_the_whole_box() -> None:
    edges, ceilings = strips(torch.zeros(0, 2), [3.0, 5.0])
    assert (edges.tolist(), ceilings.tolist()) == ([3.0], [5.0])


TABLES = torch.tensor([[0.0, 0.1, 0.4], [0.0, 0.2, 0.6], [0.0, 0.05, 0.3]], dtype=torch.float64)
GRID = torch.cartesian_prod(*(torch.arange(3.0, dtype=torch.float64),) * 3)
PRICES = torch.tensor([[9.0, 4.0, 0.0], [6.0, 2.0, 0.0], [3.0, 1.0, 0.0]], dtype=torch.float64)


def loss(codes: torch.Tensor) -> torch.Tensor:
    return 0.3 * look_up(TABLES, codes).sum(-1) ** 1.2


def model(codes: torch.Tensor) -> LogResponseGP:
    torch.manual_seed(0)
    gp = LogResponseGP(codes, loss(codes).log()[:, None], TABLES, 0.01)
    from ax.generators.torch.botorch_modular.utils import fit_botorch_model

    fit_botorch_model(gp, mll_class=None, mll_options={})
    return gp


MEASURED = GRID[[1, 5, 9, 13, 17, 20, 22, 26]]


def test_hamming_kernel_is_what_its_formula_says() -> None:
    kernel = HammingKernel(3, 3).double()
    kernel.lengthscale = tensor(1.0, 2.0, 5.0)[None]
    dense = kernel.forward(GRID, GRID[:4])
    slow = torch.exp(-((GRID[:, None] != GRID[None, :4]) / tensor(1.0, 2.0, 5.0)).sum(-1))
    assert torch.allclose(dense, slow)
    assert torch.equal(kernel.forward(GRID, GRID, diag=True), torch.ones(27, dtype=torch.float64))


def test_dense_covariance_equals_gpytorchs_own() -> None:
    gp = model(MEASURED)
    with torch.no_grad():
        assert torch.allclose(gp.covariance(GRID, MEASURED), gp.covar_module(GRID, MEASURED).to_dense())
        assert torch.allclose(gp.variance(GRID), gp.covar_module(GRID, diag=True))


def test_without_draws_beliefs_equal_the_posterior_of_botorch() -> None:
    gp = model(MEASURED)
    with torch.no_grad():
        response = EstimatedResponse(gp, MEASURED, loss(MEASURED), GRID[:0], 0, 0)
        posterior, belief = gp.posterior(GRID), response.believe(GRID)
        deviation = posterior.variance.squeeze(-1).sqrt()
    assert ((belief.mean[0] - posterior.mean.squeeze(-1)) / deviation).abs().max() < 2e-3


def test_the_model_predicts_what_it_has_not_seen() -> None:
    gp = model(MEASURED)
    with torch.no_grad():
        predicted = EstimatedResponse(gp, MEASURED, loss(MEASURED), GRID[:0], 0, 0).believe(GRID[1:]).mean[0]
    assert np.corrcoef(predicted.numpy(), loss(GRID[1:]).log().numpy())[0, 1] > 0.95


@pytest.mark.parametrize(
    "values", [torch.full((8,), 0.5), torch.logspace(-12, 3, 8), torch.tensor([1e-30, *[1e6] * 7])]
)
@pytest.mark.parametrize("tables", [TABLES, torch.zeros_like(TABLES), TABLES * 1e9])
def test_odd_data_still_give_finite_beliefs(values: torch.Tensor, tables: torch.Tensor) -> None:
    from ax.generators.torch.botorch_modular.utils import fit_botorch_model

    gp = LogResponseGP(MEASURED, values.double().log()[:, None], tables, 0.01)
    fit_botorch_model(gp, mll_class=None, mll_options={})
    with torch.no_grad():
        belief = EstimatedResponse(gp, MEASURED, values.double(), GRID[[3, 24]], 16, 0).believe(GRID)
    assert torch.isfinite(belief.mean).all()
    assert (belief.deviation > 0).all()


def test_draws_scatter_around_pending_values_and_stick_to_measured_ones() -> None:
    gp = model(MEASURED)
    with torch.no_grad():
        drawn = EstimatedResponse(gp, MEASURED, loss(MEASURED), GRID[[3, 24]], 64, 0).baseline.log()
    spread = drawn.std(dim=0)
    assert spread[-2:].min() > spread[:-2].max()
    assert drawn[:, :-2].mean(0) == pytest.approx(loss(MEASURED).log(), abs=0.1)


def test_a_value_of_zero_stays_zero_and_is_no_datum() -> None:
    gp = model(MEASURED)
    judged = torch.cat([GRID[:1], MEASURED])
    with torch.no_grad():
        response = EstimatedResponse(gp, judged, torch.cat([tensor(0.0), loss(MEASURED)]), GRID[:0], 4, 0)
    assert (response.baseline[:, 0] == 0).all()
    assert torch.isfinite(response.believe(GRID).mean).all()


def acquisition(
    bound: float, judged: torch.Tensor = MEASURED, pending: torch.Tensor = GRID[:0]
) -> KnownCostAcquisition:
    known = {tuple(row) for row in torch.cat([judged, pending]).tolist()}
    candidates = torch.stack([row for row in GRID if tuple(row.tolist()) not in known])
    task = Task(
        objectives=("gmacs",),
        targets=((("noise_mse", bound),),),
        judged=judged,
        measured={"noise_mse": loss(judged)},
        eligible=torch.ones(len(judged), dtype=torch.bool),
        pending=pending,
        candidates=candidates,
        seed=0,
    )
    return KnownCostAcquisition(
        {"gmacs": KnownCostModel(lambda codes: 1.0 + look_up(PRICES, codes).sum(-1)), "noise_mse": model(judged)},
        task,
    )


def test_while_nothing_is_feasible_the_choice_goes_towards_the_least_violation() -> None:
    bad = GRID[loss(GRID) > 0.2]
    chosen, _ = acquisition(bound=0.01, judged=bad).choose(1)
    untried = loss(GRID[loss(GRID) <= 0.2])
    assert float(loss(chosen)) <= float(untried.quantile(0.35))


def test_the_choice_is_cheaper_than_the_incumbent_and_likely_feasible() -> None:
    chosen, _ = acquisition(bound=0.15).choose(1)
    cost = KnownCostModel(lambda codes: 1.0 + look_up(PRICES, codes).sum(-1))
    feasible = MEASURED[loss(MEASURED) <= 0.15]
    assert float(cost(chosen)) < float(cost(feasible).min())
    assert float(loss(chosen)) < 0.2


def test_greedy_choices_differ_and_end_with_the_candidates() -> None:
    chosen, scores = acquisition(bound=0.15).choose(100)
    assert len({tuple(row) for row in chosen.tolist()}) == len(chosen) == 27 - len(MEASURED)
    assert torch.isfinite(scores).all()


def test_two_sure_objectives_are_answered_with_their_front_first() -> None:
    other = torch.tensor([[0.0, 1.0, 5.0], [0.0, 2.0, 3.0], [0.0, 4.0, 4.5]], dtype=torch.float64)
    models = {
        "gmacs": KnownCostModel(lambda codes: 1.0 + look_up(PRICES, codes).sum(-1)),
        "params": KnownCostModel(lambda codes: 1.0 + look_up(other, codes).sum(-1)),
    }
    task = Task(
        objectives=("gmacs", "params"),
        targets=((),),
        judged=GRID[:0],
        measured={},
        eligible=torch.ones(0, dtype=torch.bool),
        pending=GRID[:0],
        candidates=GRID,
        seed=0,
    )
    chosen, _ = KnownCostAcquisition(dict(models), task).choose(4)
    values = torch.cat([m(GRID) for m in models.values()], dim=-1)
    for row in chosen:
        mine = torch.cat([m(row[None]) for m in models.values()], dim=-1)
        assert not ((values <= mine).all(-1) & (values < mine).any(-1)).any()


def test_a_pending_candidate_moves_its_neighbours_as_the_posterior_of_botorch_says() -> None:
    gp = model(MEASURED)
    gp.likelihood.noise = 1e-6  # the baseline's draws are free of noise
    pair = GRID[[3, 4]]
    with torch.no_grad():
        field = EstimatedResponse(gp, MEASURED, loss(MEASURED), GRID[:0], 0, 0).field(pair)
        before = field.belief()
        drawn = field.add_pending(0, tensor(1.0))
        after = field.belief()
        covariance = gp.posterior(pair).covariance_matrix
    deviation = covariance.diagonal().sqrt()
    assert float(drawn.log()) == pytest.approx(float(before.mean[0, 0] + deviation[0]), abs=1e-3)
    assert float(after.mean[0, 1] - before.mean[0, 1]) == pytest.approx(
        float(covariance[0, 1] / deviation[0]), rel=0.05
    )
    left = covariance[1, 1] - covariance[0, 1] ** 2 / covariance[0, 0]
    assert float(after.deviation[1] ** 2) == pytest.approx(float(left), rel=0.05)
    assert float(after.deviation[0]) < 0.02 * float(deviation[0])  # what its jitter leaves


def test_conditioning_one_by_one_equals_conditioning_at_once() -> None:
    gp = model(MEASURED)
    with torch.no_grad():
        field = EstimatedResponse(gp, MEASURED, loss(MEASURED), GRID[:0], 0, 0).field(GRID)
        for row in (3, 24):
            field.add_pending(row, tensor(0.0))
        at_once = EstimatedResponse(gp, MEASURED, loss(MEASURED), GRID[[3, 24]], 0, 0).believe(GRID)
    others = [row for row in range(27) if row not in (3, 24)]
    assert torch.allclose(field.belief().mean[0], at_once.mean[0], atol=1e-4)
    assert torch.allclose(field.belief().deviation[others], at_once.deviation[others], rtol=1e-3, atol=2e-4)


def test_what_is_left_out_beforehand_could_not_have_gained() -> None:
    asked = acquisition(bound=0.15)
    everything = asked.task.candidates
    baseline = Baseline(asked.models, asked.task, 16)
    hopeful = {tuple(row) for row in asked._hopeful(everything, baseline).tolist()}
    with torch.no_grad():
        scores = asked._scores(everything, baseline)
    left_out = [row for row, codes in enumerate(everything.tolist()) if tuple(codes) not in hopeful]
    assert left_out
    assert hopeful
    assert not torch.isfinite(scores[left_out]).any()


def test_a_known_cost_need_not_be_a_sum() -> None:
    asked = acquisition(bound=0.15)
    asked.models["gmacs"] = KnownCostModel(lambda codes: 30.0 - codes.prod(-1))
    chosen, _ = asked.choose(1)
    assert float(chosen.prod()) > 0


def test_a_stage_that_no_trial_changed_stays_in_doubt_and_one_that_was_changed_does_not() -> None:
    tables = TABLES.clone()
    tables[2, 2] = 5.0  # says that this variant ruins everything; no trial has had it
    judged = GRID[(GRID[:, 2] == 0) & (GRID.sum(-1) > 0)]
    gp = LogResponseGP(judged, loss(judged).log()[:, None], tables, 0.01)
    from ax.generators.torch.botorch_modular.utils import fit_botorch_model

    fit_botorch_model(gp, mll_class=None, mll_options={})
    unknown, known = torch.tensor([[1.0, 1.0, 2.0], [1.0, 2.0, 0.0]], dtype=torch.float64)[:, None]
    with torch.no_grad():
        response = EstimatedResponse(gp, judged, loss(judged), GRID[:0], 0, 0)
        doubt, certainty = (float(response.believe(codes).deviation) for codes in (unknown, known))
    assert doubt > 0.5
    assert certainty < 0.2


def test_swings_of_the_mean_are_its_derivatives_times_prior_deviations() -> None:
    mean = model(MEASURED).mean_module
    with torch.no_grad():
        mean.log_inner_exponent.fill_(0.3)
    parameters = [getattr(mean, name) for name in WIDTHS]
    rows = [torch.cat(torch.autograd.grad(value, parameters, retain_graph=True)) for value in mean(GRID)]
    widths = torch.cat([torch.full_like(one, WIDTHS[name]) for name, one in zip(WIDTHS, parameters, strict=True)])
    assert torch.allclose(mean.swings(GRID).detach(), torch.stack(rows) * widths, atol=1e-9)
