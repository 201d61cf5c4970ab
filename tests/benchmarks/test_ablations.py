"""The engine without one of its parts: each variant leaves out what its name says, and nothing else."""

from __future__ import annotations

import pytest
import torch

from benchmarks.search.__main__ import select
from benchmarks.search.ablations import Trusting, ablations, without_doubt
from benchmarks.search.catalogue import make_landscape
from benchmarks.search.methods import load_methods
from benchmarks.search.ours import WARM_UP, Ours
from benchmarks.search.protocol import Ledger, run, task_of, warm_up
from benchmarks.search.runs import out_of_place
from benchmarks.search.synthetic import synthetic
from benchmarks.search.tables import BadTable
from nas.strategy import response
from nas.strategy.bayesian import BayesianSearch, Ingredients

SYN = {"kind": "syn"}
PARTS = {
    "blocksmith": Ingredients(),
    "blocksmith-without-warm-start": Ingredients(warm_start=False),
    "blocksmith-without-exact-costs": Ingredients(exact_costs=False),
    "blocksmith-without-prior-mean": Ingredients(prior_mean=False),
}


def test_one_word_stands_for_the_engine_and_all_that_is_left_of_it() -> None:
    words = {"ablations": ablations()}
    named = select("method", "random,ablations,blocksmith", list(load_methods()), words)
    assert named == ["random", *ablations()]
    assert {*PARTS, "blocksmith-without-block-losses", "blocksmith-without-doubt"} == set(ablations())
    with pytest.raises(BadTable, match="no method 'ablation'"):
        select("method", "ablation", list(load_methods()), words)


@pytest.mark.parametrize("kind", ["epsilon", "front"])
@pytest.mark.parametrize("name", PARTS)
def test_a_variant_is_the_engine_of_the_task_without_the_part_it_names(name: str, kind: str) -> None:
    task = task_of(make_landscape(SYN, 0), kind, 0, 20)
    method, whole = load_methods()[name].make(task), load_methods()["blocksmith"].make(task)
    assert isinstance(method, Ours)
    assert isinstance(whole, Ours)
    assert isinstance(method.strategy, BayesianSearch)
    assert method.strategy.ingredients == PARTS[name]
    assert isinstance(method.strategy, type(whole.strategy))


def test_only_the_search_without_warm_start_begins_at_random() -> None:
    land = make_landscape(SYN, 3)
    task = task_of(land, "epsilon", 3, 60)
    begun: dict[str, list[tuple[int, ...]]] = {}
    for name in ablations():
        ledger = Ledger(land, 3)
        warm_up(task, ledger, load_methods()[name].random_warm_up)
        begun[name] = list(ledger.seen)
        assert (len(begun[name]), begun[name][0], ledger.stand_ins) == (WARM_UP, land.original, 0)
    own = begun.pop("blocksmith-without-warm-start")
    assert set(own) & set(begun["blocksmith"]) == {land.original}
    assert all(codes == begun["blocksmith"] for codes in begun.values())


def test_no_ablation_of_the_warm_start_where_everybodys_warm_up_is_bought() -> None:
    land = synthetic(0)
    entry = load_methods()["blocksmith-without-warm-start"]
    assert out_of_place(entry, land) is None
    land.bought = tuple((0, 0, 0, 0, 0, v) for v in range(1, WARM_UP))
    assert out_of_place(entry, land) is not None
    assert out_of_place(load_methods()["blocksmith"], land) is None


def test_doubt_about_the_mean_is_left_out_while_that_variant_thinks_and_only_then() -> None:
    codes = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    tables = torch.tensor([[0.0, 0.3], [0.0, 0.1]], dtype=torch.float64)

    def doubt() -> float:
        model = response.LogResponseGP(codes, codes.sum(-1, keepdim=True), tables, 0.1)
        return float(model.covar_module.kernels[1].forward(codes, codes).detach().abs().max())

    assert doubt() > 0
    with without_doubt():
        assert doubt() == 0
    assert doubt() > 0
    assert isinstance(
        load_methods()["blocksmith-without-doubt"].make(task_of(synthetic(1), "front", 1, 10)), Trusting
    )
    assert run(synthetic(1), "front", "blocksmith-without-doubt", 1, 10)["stand_ins"] == 0
    assert doubt() > 0
