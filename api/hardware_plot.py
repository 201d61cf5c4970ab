"""The picture of a hardware report: who agrees with whom, and what each stage weighs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from api.plots import label, require_picture
from api.schemas.hardware import HardwareReport


def plot_hardware(report: HardwareReport, path: Path) -> None:
    """Draw agreement in order and the stages' shares; write PNG, SVG or PDF by suffix.

    Raises:
        SpecError: If the suffix is no picture's.
    """
    require_picture(path)
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5), layout="constrained", width_ratios=(1, 1.4))
    names = list(report.stages[0].share) if report.stages else []
    tau = np.eye(len(names))
    for one in report.agreement:
        if one.over == "space" and {one.first, one.second} <= set(names):
            i, j = names.index(one.first), names.index(one.second)
            tau[i, j] = tau[j, i] = np.nan if one.kendall_tau is None else one.kendall_tau
    labels = [label(name) for name in names]
    left.imshow(tau, vmin=-1, vmax=1, cmap="RdBu")
    left.set_xticks(range(len(names)), labels, rotation=30, ha="right")
    left.set_yticks(range(len(names)), labels)
    for (i, j), value in np.ndenumerate(tau):
        left.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if abs(value) > 0.6 else "black")
    left.set_title(f"Kendall's tau over {report.architectures:,} architectures", loc="left")
    stages = [one.stage for one in report.stages]
    width = 0.8 / max(1, len(names))
    for place, name in enumerate(names):
        shares = [100 * one.share[name] for one in report.stages]
        right.bar(np.arange(len(stages)) + place * width, shares, width, label=labels[place])
    right.set_xticks(np.arange(len(stages)) + 0.4 - width / 2, stages)
    right.set_ylabel("share of the teacher [%]")
    right.set_title(f"{report.search}: what each stage weighs", loc="left")
    right.legend(fontsize=8)
    right.grid(alpha=0.3, axis="y")
    figure.savefig(path, dpi=150)
    plt.close(figure)
