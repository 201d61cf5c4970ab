"""Pictures of finished runs."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from benchmarks.search.plots import LARGEST_SVG, curves_of, plotted
from tests.benchmarks.test_search_report import a_run, curve


def test_curves_are_those_of_the_landscape_as_it_is_now_and_end_where_everything_was_evaluated() -> None:
    runs = [a_run("random", 0, curve(0.9), fingerprint="old"), a_run("random", 0, curve(0.4))]
    runs += [a_run("random", 1, curve(0.2, 40)), a_run("long", 0, curve(0.1, 328))]
    found = curves_of(runs)["syn", "epsilon"]
    assert found["long"].shape == (1, 60)
    assert np.array_equal(found["random"], [curve(0.4), [*curve(0.2, 40), *[0.2] * 20]])


def test_every_landscape_and_task_has_a_picture_of_the_methods_and_one_of_the_engines_parts(tmp_path: Path) -> None:
    methods = {"blocksmith": 0.0, "blocksmith-without-prior-mean": 0.1, "random": 0.5, "sobol": 0.4}
    runs = [
        a_run(name, seed, curve(end + seed / 50), task)
        for name, end in methods.items()
        for seed in range(3)
        for task in ("epsilon", "front")
    ]
    runs.append(a_run("random", 0, curve(0.3), "grid"))  # nothing to compare it with
    written = plotted(runs, tmp_path)
    names = {f"search-syn-{task}{part}.svg" for task in ("epsilon", "front") for part in ("", "-parts")}
    assert {path.name for path in written} == names == {path.name for path in tmp_path.iterdir()}
    for path in written:
        assert path.stat().st_size <= LARGEST_SVG
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
    assert plotted(runs, tmp_path) == written


def test_a_crowded_picture_is_a_png(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(0, 1, (60, 60))
    (path,) = plotted([a_run(f"method {n}", 0, row.tolist()) for n, row in enumerate(noise)], tmp_path)
    assert path.suffix == ".png"
    assert [other.name for other in tmp_path.iterdir()] == [path.name]
