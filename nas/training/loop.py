"""The loop: AdamW, cosine rate, moving average, checkpoints, news."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from nas.errors import EvaluationError
from nas.training.checkpoint import Curve, TrainingState, is_readable, load_checkpoint, save_checkpoint
from nas.training.plan import Progress, TrainingPlan

OnProgress = Callable[[Progress], None]
NEWS_EVERY_S = 1.0
CALIBRATION_STEPS = 8
CURVE_POINTS = 100
LARGEST_GRADIENT_NORM = 1.0


class Task(Protocol):
    """What is learned in one training."""

    @property
    def network(self) -> nn.Module:
        """What is trained, on its device."""
        ...

    def parameter_groups(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Return disjoint groups of parameters, each with its share of the learning rate."""
        ...

    def loss(self, step: int) -> Tensor:
        """Return the loss of one step; must depend on the step and the network only."""


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        network: The averaged weights.
        curve: `(step, mean loss since the point before)`.
        seconds: Spent, earlier runs included.
    """

    network: nn.Module
    curve: Curve
    seconds: float


def train(
    task: Task,
    plan: TrainingPlan,
    file: Path,
    on_progress: OnProgress = lambda _: None,
    checkpoint_s: float = 30.0,
    budget_s: float | None = None,
) -> Trained:
    """Train to the end.

    Args:
        task: Network and loss.
        plan: Steps and rates.
        file: Checkpoint; read if it exists, so delete it for a fresh start. A number of steps once fitted to a budget
            stays; otherwise the plan's counts, also when it has changed since.
        on_progress: Called about once a second and after the last step.
        checkpoint_s: Seconds between checkpoints.
        budget_s: Replace the plan's number of steps by what fits into this time, from a few timed steps.

    Raises:
        EvaluationError: If the loss is no longer finite; train slower.
    """
    state = _state(task, plan, file, budget_s)
    started = time.monotonic() - state.elapsed_s
    last_news = last_save = time.monotonic()
    fresh: list[float] = []
    while state.step < state.steps:
        loss = _advance(task, plan, state)
        fresh.append(loss)
        state.window.append(loss)
        now = time.monotonic()
        state.elapsed_s = now - started
        finished = state.step == state.steps
        if finished or state.step * CURVE_POINTS // state.steps > (state.step - 1) * CURVE_POINTS // state.steps:
            state.curve.append((state.step, sum(state.window) / len(state.window)))
            state.window.clear()
        if finished or now - last_save >= checkpoint_s:
            save_checkpoint(state, file)
            last_save = time.monotonic()
        if finished or now - last_news >= NEWS_EVERY_S:
            on_progress(Progress(state.step, state.steps, sum(fresh) / len(fresh), state.elapsed_s))
            last_news = now
            fresh.clear()
    return Trained(state.average, state.curve, state.elapsed_s)


def _state(task: Task, plan: TrainingPlan, file: Path, budget_s: float | None) -> TrainingState:
    """Where to go on, or the beginning."""
    network = task.network
    groups = [{"params": values, "share": share} for share, values in task.parameter_groups()]
    optimiser = torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    average = copy.deepcopy(network).requires_grad_(False)
    state = TrainingState(network, average, optimiser, 0, plan.steps, 0.0)
    if is_readable(file):
        load_checkpoint(state, file)
        if budget_s is None:
            state.steps = plan.steps
    elif budget_s is not None:
        state.steps = max(1, int(budget_s / _time_step(task)))
    return state


def _advance(task: Task, plan: TrainingPlan, state: TrainingState) -> float:
    """Take one optimiser step and follow it with the average."""
    for group in state.optimiser.param_groups:
        group["lr"] = group["share"] * plan.rate(state.step, state.steps)
    state.network.train()
    loss = task.loss(state.step)
    value = float(loss.detach())
    if not torch.isfinite(loss.detach()):
        raise EvaluationError(
            f"The training diverged: its loss is {value} at step {state.step}.", "Lower the learning rate."
        )
    loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), LARGEST_GRADIENT_NORM)
    state.optimiser.step()
    state.optimiser.zero_grad(set_to_none=True)
    state.step += 1
    decay = min(plan.average_decay, state.step / (state.step + 20))
    with torch.no_grad():
        for average, weight in zip(state.average.parameters(), state.network.parameters(), strict=True):
            average.lerp_(weight, 1.0 - decay)
    return value


def _time_step(task: Task) -> float:
    """Return the seconds of one step without taking it; the first step warms the kernels up."""
    task.network.train()
    for index in range(CALIBRATION_STEPS):
        if index == 1:
            started = time.monotonic()
        task.loss(0).backward()  # type: ignore[no-untyped-call]  # untyped in torch
        task.network.zero_grad(set_to_none=True)
    return (time.monotonic() - started) / (CALIBRATION_STEPS - 1) * 1.08
