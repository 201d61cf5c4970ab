"""The analytic NPU against published latencies: `python -m benchmarks.devices.published`.

Stable Diffusion 1.5's U-Net and its VAE decoder, from their configurations alone: 512 x 512 pixels, 77 tokens. The
published figures are of 8-bit weights and 16-bit activations, between the model's int8 and fp16; both are shown.
`npu-hexagon` was set by the first two figures: that it meets them is no prediction; that one set of rates meets two
networks so different is what there is to see.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from benchmarks.report import RESULTS, markdown_table, write_results
from nas.estimation.devices.analytic.graph import Graph, read_graph
from nas.estimation.devices.analytic.roofline import plan, rates_of
from nas.estimation.devices.analytic.target import Target, load_target
from nas.estimation.devices.analytic.work import macs

TARGET = Path(__file__).parents[2] / "nas/estimation/devices/analytic/targets/npu-hexagon.yaml"
POINTS = (
    {"network": "SD 1.5 U-Net", "device": "Snapdragon 8 Gen 2", "published_ms": 258.0},
    {"network": "SD VAE decoder", "device": "Snapdragon 8 Gen 2", "published_ms": 398.0},
    {"network": "SD 1.5 U-Net", "device": "Snapdragon 8 Gen 3", "published_ms": 198.0},
    {"network": "SD 1.5 U-Net", "device": "Snapdragon 8 Elite", "published_ms": 116.0},
)
OPSET = 20


class _Denoiser(nn.Module):
    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, sample: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
        denoised: Tensor = self.unet(sample, timestep, context, return_dict=False)[0]
        return denoised


class _Decoder(nn.Module):
    def __init__(self, autoencoder: Any) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, latent: Tensor) -> Tensor:
        picture: Tensor = self.autoencoder.decode(latent, return_dict=False)[0]
        return picture


def unet() -> Graph:
    """Stable Diffusion 1.5's U-Net."""
    from diffusers import UNet2DConditionModel

    inputs = {
        "sample": torch.zeros(1, 4, 64, 64),
        "timestep": torch.tensor([500]),
        "context": torch.zeros(1, 77, 768),
    }
    return graph_of(lambda: _Denoiser(UNet2DConditionModel(sample_size=64, cross_attention_dim=768)), inputs)


def decoder() -> Graph:
    """Its VAE's decoder."""
    from diffusers import AutoencoderKL

    def make() -> nn.Module:
        return _Decoder(
            AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
            )
        )

    return graph_of(make, {"latent": torch.zeros(1, 4, 64, 64)})


def graph_of(make: Callable[[], nn.Module], inputs: dict[str, Tensor]) -> Graph:
    """Trace a network whose weights take no memory, and declare them weights again.

    The exporter runs the network once, which a meta device would not survive; every weight is one zero, repeated.
    """
    with torch.device("meta"):
        network = make().eval().requires_grad_(False)
    for owner in network.modules():
        for name, weight in owner.named_parameters(recurse=False):
            owner.register_parameter(name, nn.Parameter(torch.zeros(()).expand(weight.shape), requires_grad=False))
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            network,
            tuple(inputs.values()),
            str(path),
            dynamo=False,
            export_params=False,
            do_constant_folding=False,
            opset_version=OPSET,
            input_names=list(inputs),
        )
        model = onnx.load(path)
        for value in model.graph.input[len(inputs) :]:
            kind = value.type.tensor_type
            weight = model.graph.initializer.add(name=value.name, data_type=kind.elem_type)
            weight.dims.extend(one.dim_value for one in kind.shape.dim)
            weight.data_location = onnx.TensorProto.EXTERNAL
            weight.external_data.add(key="location", value="nowhere")
        path.write_bytes(model.SerializeToString())
        return read_graph(path)


def rows(graphs: dict[str, Graph], target: Target) -> list[dict[str, Any]]:
    """Published and estimated, point by point."""
    found = []
    for point in POINTS:
        graph = graphs[str(point["network"])]
        row: dict[str, Any] = {**point, "gmacs": macs(graph) / 1e9, "params_m": graph.weight_elements / 1e6}
        for precision in target.precisions:
            laid_out = plan(graph, target, precision)
            row[f"{precision}_ms"] = laid_out.seconds(rates_of(target, precision)) * 1e3
        found.append(row)
    return found


def main() -> None:
    """Trace, estimate, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=Path, default=TARGET)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = rows({"SD 1.5 U-Net": unet(), "SD VAE decoder": decoder()}, load_target(options.target))
    write_results("analytic-published", {"rows": found}, {"Published and estimated": found}, options.results)
    print("\n".join(markdown_table(found)))


if __name__ == "__main__":
    main()
