"""The truth of the search bench: thousands of networks of the reference teacher, all of them evaluated.

    python -m benchmarks.search.truth                     # library, all networks, tables; 12 CPU minutes
    python -m benchmarks.search.truth --check 30          # compare random networks with the product's evaluation
    python -m benchmarks.search.truth_statistics          # what kind of landscape it is

A call that is killed goes on where it was: distilled blocks and latencies lie in the journal of the data directory,
evaluated networks in chunks beside it.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.search.truth_library import Prepared, prepare
from benchmarks.search.truth_space import truth_spec
from benchmarks.search.truth_table import TABLE, Errors, read_table, write_tables
from benchmarks.search.truth_walk import Codes, Walk, library_blocks
from nas.domain.architecture import Architecture
from nas.domain.job import Evaluation
from nas.domain.metric import NOISE_MSE
from nas.domain.teacher import TeacherRef
from nas.domain.value import FrozenDict
from nas.engine.jobs import evaluation_job
from nas.estimation.execute import perform
from nas.space.teachers.load import fingerprint

TABLES = Path(__file__).parent / "tables"
CHUNKS = 32
"""At least so many pieces: what a killed call loses, and what processes share."""


def main() -> None:
    """Prepare, walk, write; or check."""
    arguments = _arguments()
    torch.set_num_threads(1)
    reference = TeacherRef()
    spec = truth_spec(reference.evolve(fingerprint=fingerprint(reference)))
    prepared = prepare(spec, arguments.data, arguments.processes)
    if arguments.check:
        worst = check(prepared, arguments.output / TABLE, arguments.check, arguments.seed)
        print(f"{arguments.check} networks: largest relative difference {worst:.2g}")
        return
    write_tables(prepared, exhaustive_errors(prepared, arguments.processes), arguments.output)


def exhaustive_errors(prepared: Prepared, processes: int = 1) -> Errors:
    """Squared error of every architecture, in lexicographic order, per hold-out sample.

    Chunks that lie in the data directory are not walked again.
    """
    chunks = list(prefixes(prepared))
    missing = [prefix for prefix in chunks if not chunk_path(prepared, prefix).exists()]
    for number, prefix in enumerate(_walked(prepared, missing, processes), start=1):
        print(f"{number}/{len(missing)} networks that begin with {prefix}", file=sys.stderr, flush=True)
    return np.concatenate([np.load(chunk_path(prepared, prefix)) for prefix in chunks])


def prefixes(prepared: Prepared) -> Iterator[Codes]:
    """First choices that cut the space into at least `CHUNKS` pieces, or into single networks."""
    cardinalities, length = prepared.space.cardinalities, 0
    while length < len(cardinalities) and np.prod(cardinalities[:length]) < CHUNKS:
        length += 1
    return itertools.product(*(range(cardinality) for cardinality in cardinalities[:length]))


def chunk_path(prepared: Prepared, prefix: Codes) -> Path:
    """Where the errors of all networks that begin with a prefix are kept: a folder for each space and library."""
    key: str = prepared.spec.evolve(latency=None).digest[:16]
    return prepared.data / "truth" / key / f"{'-'.join(map(str, prefix))}.npy"


def walk_chunk(prepared: Prepared, walk: Walk, prefix: Codes) -> Codes:
    """Evaluate the networks that begin with a prefix and keep their errors, all or nothing."""
    path = chunk_path(prepared, prefix)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.save(file, torch.stack([errors for _, errors in walk.errors(prefix)]).numpy())
    partial.replace(path)
    return prefix


def whole_walk(prepared: Prepared) -> Walk:
    """The walk over a prepared space."""
    teacher = prepared.teacher()
    blocks = library_blocks(teacher, prepared.space, prepared.costs.library, prepared.workspace.artifacts)
    return Walk(teacher, blocks, prepared.features(), prepared.spec.fidelity.batch)


def check(prepared: Prepared, table: Path, count: int, seed: int) -> float:
    """Largest relative difference of `noise_mse` between the walk and the product's own evaluations.

    Args:
        prepared: The space and its library.
        table: The written table, which has to say the same to its six digits.
        count: How many random architectures.
        seed: Of the choice.
    """
    errors, rows, worst = exhaustive_errors(prepared), read_table(table), 0.0
    for number in random.Random(seed).sample(range(len(rows)), count):
        architecture = Architecture(
            choices=FrozenDict({s.stage: rows[number][s.stage] for s in prepared.space.stages})
        )
        evaluation = perform(evaluation_job(prepared.spec, prepared.costs.library, architecture), prepared.workspace)
        assert isinstance(evaluation, Evaluation)
        expected, found = evaluation.metrics[NOISE_MSE.name].mean, float(errors[number].mean())
        assert abs(float(rows[number][NOISE_MSE.name]) - expected) <= 1e-5 * expected
        worst = max(worst, abs(found - expected) / max(expected, 1e-12))
        print(
            f"{'/'.join(architecture.choices.values())}: evaluated {expected:.12g}, walked {found:.12g}", flush=True
        )
    return worst


def _walked(prepared: Prepared, missing: list[Codes], processes: int) -> Iterator[Codes]:
    if not missing:
        return
    if processes == 1:
        walk = whole_walk(prepared)
        yield from (walk_chunk(prepared, walk, prefix) for prefix in missing)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, initializer=_begin, initargs=(prepared,)) as pool:
        yield from pool.imap_unordered(_walk_in_process, missing)


_walk_here: list[Callable[[Codes], Codes]] = []
"""In a process of a pool: its own walk, made once."""


def _begin(prepared: Prepared) -> None:
    walk = whole_walk(prepared)
    _walk_here[:] = [lambda prefix: walk_chunk(prepared, walk, prefix)]


def _walk_in_process(prefix: Codes) -> Codes:
    return _walk_here[0](prefix)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".blocksmith"), help="blocks, features, chunks")
    parser.add_argument("--output", type=Path, default=TABLES)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--check", type=int, default=0, metavar="COUNT", help="compare instead of evaluating")
    parser.add_argument("--seed", type=int, default=0, help="which networks are compared")
    return parser.parse_args()


if __name__ == "__main__":
    main()
