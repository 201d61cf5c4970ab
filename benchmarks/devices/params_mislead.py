"""Why params mislead: Stable Diffusion 1.5's stages, each alone at its real resolution.

    python -m benchmarks.devices.params_mislead

From the configuration alone (random weights; 64 x 64 latents, 77 tokens, batch 1): params, multiplications and
measured latency of every stage, and each one's share. Every stage is built and timed in a process of its own, one
thread, fp32, in turns with the canary; the whole network is never built. The same calls are told in processor time,
too: a stage takes seconds, in which a shared machine does much else.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.devices.clocks import by_both_clocks
from benchmarks.devices.shares import report
from benchmarks.report import RESULTS, markdown_table, write_results
from nas.domain.device import LatencyMeasurement, LatencyProtocol
from nas.estimation.cost import stage_borders
from nas.estimation.cost_report import floor_rows, stage_rows
from nas.estimation.devices import DEVICES
from nas.estimation.devices.base import Subject
from nas.estimation.latency import FlatBlock, flattened
from nas.space.stage import StageInput
from nas.space.teachers.base import StagedDenoiser
from nas.space.teachers.load import denoiser_from_config

CONFIG: dict[str, Any] = {
    "_class_name": "UNet2DConditionModel",
    "in_channels": 4,
    "out_channels": 4,
    "sample_size": 64,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    "norm_num_groups": 32,
}
LATENT, TOKENS = 64, 77
PROTOCOL = LatencyProtocol(warmup=1, repeats=5, seconds=0.0, timeout_s=900.0)
TIMEOUT_S = 3600.0


def main() -> None:
    """Measure stage by stage, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="host")
    parser.add_argument("--stage", help="measure this one alone and print it as JSON")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.stage:
        print(json.dumps(measured(options.stage, options.device)))
        return
    denoiser = _on_meta()
    rows = [*floor_rows(denoiser, CONFIG, LATENT), *stage_rows(denoiser, CONFIG, LATENT, TOKENS)]
    timed = {stage.name: _apart(stage.name, options.device) for stage in denoiser.stages}
    document, tables = report({row.name: row.cost for row in rows}, timed)
    setting = {"device": options.device, "protocol": PROTOCOL.model_dump(mode="json")}
    write_results("params-mislead", {**setting, **document}, tables, options.results)
    for title, table in tables.items():
        print(f"\n{title}\n", *markdown_table(table), sep="\n")


def measured(name: str, device: str) -> dict[str, Any]:
    """One stage: its latency and what the canary takes."""
    denoiser = _on_meta()
    stage = next(one for one in denoiser.stages if one.name == name)
    border = stage_borders(denoiser, CONFIG, LATENT, TOKENS)[name][0]
    block = denoiser.block(name).to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    filled = StageInput(
        hidden=_like(border.hidden, generator),
        temb=_like(border.temb, generator),
        context=None if border.context is None else _like(border.context, generator),
        skips=tuple(_like(skip, generator) for skip in border.skips),
        size=border.size,
    )
    subject = Subject(FlatBlock(block, filled.context is not None, filled.size).eval(), flattened(filled))
    wall, processor = by_both_clocks(device, DEVICES.get(device), subject, PROTOCOL)
    return {"stage": stage.name, "wall": _figures(wall), "processor": _figures(processor or wall)}


def _figures(one: LatencyMeasurement) -> dict[str, Any]:
    return {
        "median_ms": one.median_ms,
        "interval_ms": list(one.interval_ms),
        "samples_ms": list(one.samples_ms),
        "canary_ms": statistics.median(one.canary_ms) if one.canary_ms else 0.0,
        "relative": list(one.relative) if one.relative else None,
    }


def _apart(stage: str, device: str) -> dict[str, Any]:
    """A stage measured in a process of its own: its memory goes with it."""
    command = [sys.executable, "-m", "benchmarks.devices.params_mislead", "--stage", stage, "--device", device]
    # Its errors are shown as they come.
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT_S)
    found: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    print(f"{stage}: {found['processor']['median_ms']:.0f} ms", file=sys.stderr, flush=True)
    return found


def _on_meta() -> StagedDenoiser:
    return denoiser_from_config(CONFIG)


def _like(tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(tensor.shape, generator=generator)


if __name__ == "__main__":
    main()
