"""The analytic model against a clock, and against simpler predictors: `python -m benchmarks.devices.analytic`.

    python -m benchmarks.devices.analytic --networks 40 --device host --seed 0 --results benchmarks/results
    python -m benchmarks.devices.analytic --report        # the report again, from the measurements kept

Times random networks of the reference teacher's default space and all its isolated blocks; then, on many random
halves: fits on one, predicts the other. A line over parameters alone and one over multiply-accumulates alone, fitted
to the same half, are what has to be beaten.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.devices.splits import Timed, judged, predictors, summary, transferred
from benchmarks.devices.timing import PROTOCOL, Sample, steadied_ms, timed_rows
from benchmarks.report import RESULTS, markdown_table, write_results
from nas.errors import EvaluationError
from nas.estimation.devices.analytic import TARGETS, Target, load_target
from nas.estimation.devices.analytic.calibration import Observation, calibrate
from nas.estimation.devices.analytic.device import interval_ms
from nas.estimation.devices.analytic.graph import Graph, read_graph
from nas.estimation.devices.analytic.naive import NAIVE, scores

SPLITS = 50


def main() -> None:
    """Time or read, fit, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--device", default="host")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is timed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", type=Path, default=TARGETS / "cpu-core.yaml", help="the prior")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--report", action="store_true", help="measure nothing, read what was kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    name = f"analytic-{options.device}"
    if options.report:
        kept = json.loads((options.results / f"{name}.json").read_text(encoding="utf-8"))
        setting, rows = kept["setting"], kept["rows"]
        graphs = graphs_of(Sample(setting["networks"], setting["seed"]), rows)
    else:
        setting = {"networks": options.networks, "device": options.device, "seed": options.seed}
        with tempfile.TemporaryDirectory() as folder:
            sample = Sample(options.networks, options.seed)
            rows, graphs = timed_rows(sample, options.device, options.rounds, options.seed, Path(folder))
        options.results.mkdir(parents=True, exist_ok=True)
        kept = {"setting": setting, "rows": rows}
        (options.results / f"{name}.json").write_text(json.dumps(kept), encoding="utf-8")  # before anything can fail
    document, tables = report(rows, graphs, load_target(options.target), setting)
    write_results(name, document, tables, options.results)
    for title, table in tables.items():
        print(f"\n{title}\n", *markdown_table(table), sep="\n")


def graphs_of(sample: Sample, rows: Sequence[dict[str, Any]]) -> list[Graph]:
    """Graphs of what was timed, exported anew.

    Raises:
        EvaluationError: If something else comes out than was timed.
    """
    graphs = []
    for row in rows:
        with tempfile.TemporaryDirectory() as folder:
            path, digest = sample.subject(row).onnx(Path(folder))
            if digest != row["subject"]:
                raise EvaluationError("This is not what was timed.", "Measure anew, without --report.")
            graphs.append(read_graph(path))
    return graphs


def report(
    rows: list[dict[str, Any]], graphs: list[Graph], target: Target, setting: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """Everything that is written: the document, and tables by title."""
    by_row = steadied_ms(rows)
    of_kind = {
        kind: [place for place, row in enumerate(rows) if row["kind"] == kind] for kind in ("network", "block")
    }
    by_round = {kind: np.array([by_row[place] for place in places]) for kind, places in of_kind.items()}
    timed = {
        kind: Timed([graphs[place] for place in places], np.median(by_round[kind], axis=1))
        for kind, places in of_kind.items()
    }
    precision, device, seed = PROTOCOL.precision, setting["device"], setting["seed"]
    judgements = {kind: judged(one, target, precision, SPLITS, seed) for kind, one in timed.items()}
    transfer = list(transferred(timed["block"], timed["network"], target, precision, device))
    fitted = {kind: calibrated(one, target, device) for kind, one in timed.items()}
    document = {
        "setting": {**setting, "target": target.name, "splits": SPLITS, "protocol": PROTOCOL.model_dump(mode="json")},
        "rows": rows,
        "judgements": judgements,
        "transfer": transfer,
        "fitted": {kind: one.model_dump(mode="json") for kind, one in fitted.items()},
    }
    tables = {
        f"Whole networks: fitted on half, judged on the other; mean (5 % to 95 %) of {SPLITS} random halves": summary(
            judgements["network"]
        ),
        "Isolated blocks and the floor, likewise": summary(judgements["block"]),
        "Fitted on isolated blocks, judged on whole networks": transfer,
        "What was timed, and what rounds disagree about": [
            spread(kind, one, by_round[kind]) for kind, one in timed.items()
        ],
        "Calibrated on all": [rates_row(kind, one) for kind, one in fitted.items()] + [rates_row("(prior)", target)],
        "Held-out latencies inside the 95 % interval": [
            {"subjects": kind, "share": coverage(one, target, seed)} for kind, one in timed.items()
        ],
    }
    return document, tables


def calibrated(timed: Timed, target: Target, device: str) -> Target:
    """The target fitted to everything of one kind."""
    observations = [Observation(*one) for one in zip(timed.graphs, timed.milliseconds.tolist(), strict=True)]
    return calibrate(target, observations, precision=PROTOCOL.precision, device=device)


def spread(kind: str, timed: Timed, by_round: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Range of what was timed, and how well one round ranks like the median of the others: the most one can reach."""
    rounds = range(by_round.shape[1])
    against = [scores(by_round[:, one], np.median(np.delete(by_round, one, axis=1), axis=1)) for one in rounds]
    quantities = {name: [of(graph) for graph in timed.graphs] for name, of in NAIVE.items()}
    return {
        "subjects": f"{len(timed.graphs)} {kind}s",
        "ms": _range(timed.milliseconds.tolist()),
        "params (M)": _range([one / 1e6 for one in quantities["params only"]]),
        "MMACs": _range([one / 1e6 for one in quantities["MACs only"]]),
        "kendall tau of a round with the others": statistics.fmean(one["kendall_tau"] for one in against),
        "mean relative difference": statistics.fmean(one["mean_relative_error"] for one in against),
    }


def coverage(timed: Timed, target: Target, seed: int) -> float:
    """Share of held-out latencies inside the interval of a target calibrated on the other half."""
    generator = np.random.default_rng(seed)
    inside: list[bool] = []
    predict = next(iter(predictors(timed, target, PROTOCOL.precision).values()))
    for _ in range(5):
        order = generator.permutation(len(timed.graphs))
        seen, unseen = order[: len(order) // 2], order[len(order) // 2 :]
        half = Timed([timed.graphs[place] for place in seen], timed.milliseconds[seen])
        uncertainty = calibrated(half, target, "the other half").relative_uncertainty
        for place, milliseconds in zip(unseen, predict(seen, unseen), strict=True):
            low, high = interval_ms(milliseconds, uncertainty)
            inside.append(low <= timed.milliseconds[place] <= high)
    return statistics.fmean(inside)


def rates_row(kind: str, target: Target) -> dict[str, Any]:
    """Rates of a target, in readable units."""
    precision = PROTOCOL.precision
    return {
        "on": kind,
        "GMAC/s": target.macs_per_s[precision] / 1e9,
        "G vector operations/s": target.vector_ops_per_s[precision] / 1e9,
        "GB/s": target.memory_bytes_per_s / 1e9,
        "launch (µs)": target.launch_us,
        "call (µs)": target.inference_us,
        "relative uncertainty": target.relative_uncertainty,
    }


def _range(values: list[float]) -> str:
    return f"{min(values):.3g} to {max(values):.3g}, median {statistics.median(values):.3g}"


if __name__ == "__main__":
    main()
