"""The loop that all phases share: AdamW, cosine rate, moving average, checkpoints, news."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from nas.reference.checkpoints import TrainingState, load_checkpoint, save_checkpoint
from nas.reference.settings import Phase, PhasePlan, TrainingProgress

OnProgress = Callable[[TrainingProgress], None]
NEWS_EVERY_S = 1.0
AVERAGE_DECAY = 0.998
CALIBRATION_STEPS = 8


class Task(Protocol):
    """What is learned in one phase."""

    @property
    def network(self) -> nn.Module:
        """What is trained, on its device."""
        ...

    def parameter_groups(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Return disjoint groups of parameters, each with its share of the learning rate."""
        ...

    def loss(self, step: int) -> Tensor:
        """Return the loss of one step; must depend on the step and the network only."""


def run_phase(
    task: Task,
    phase: Phase,
    plan: PhasePlan,
    file: Path,
    on_progress: OnProgress,
    checkpoint_s: float,
    budget_s: float | None = None,
) -> nn.Module:
    """Train to the end and return the averaged network.

    Args:
        task: Network and loss.
        phase: Named in the news.
        plan: Steps and rates.
        file: Checkpoint; read if it exists, so delete it for a fresh start. A number of steps once fitted to a budget
            stays; otherwise the plan's counts, also when it has changed since.
        on_progress: Called about once a second and after the last step.
        checkpoint_s: Seconds between checkpoints.
        budget_s: Replace the plan's number of steps by what fits into this time, from a few timed steps.
    """
    network = task.network
    groups = [{"params": values, "share": share} for share, values in task.parameter_groups()]
    optimiser = torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    average = copy.deepcopy(network).requires_grad_(False)
    state = TrainingState(network, average, optimiser, 0, plan.steps, 0.0)
    if file.is_file():
        load_checkpoint(state, file)
        if budget_s is None:
            state.steps = plan.steps
    elif budget_s is not None:
        state.steps = max(1, int(budget_s / _time_step(task)))
    started = time.monotonic() - state.elapsed_s
    last_news = last_save = time.monotonic()
    losses: list[float] = []
    while state.step < state.steps:
        losses.append(_advance(task, plan, state))
        now = time.monotonic()
        state.elapsed_s = now - started
        finished = state.step == state.steps
        if finished or now - last_save >= checkpoint_s:
            save_checkpoint(state, file)
            last_save = time.monotonic()
        if finished or now - last_news >= NEWS_EVERY_S:
            mean = sum(losses) / len(losses)
            on_progress(TrainingProgress(phase, state.step, state.steps, mean, state.elapsed_s))
            last_news = now
            losses.clear()
    return average


def rate_at(step: int, steps: int, plan: PhasePlan) -> float:
    """Return the learning rate of a step: linear warm-up, constant, cosine."""
    constant = steps * (1.0 - plan.decay_share)
    decayed = max(0.0, step - constant) / max(1.0, steps - constant)
    cosine = 0.5 * (1.0 + math.cos(math.pi * decayed))
    rate = plan.final_learning_rate + (plan.learning_rate - plan.final_learning_rate) * cosine
    return rate * min(1.0, (step + 1) / max(1, plan.warmup))


def _advance(task: Task, plan: PhasePlan, state: TrainingState) -> float:
    """Take one optimiser step and follow it with the average."""
    for group in state.optimiser.param_groups:
        group["lr"] = group["share"] * rate_at(state.step, state.steps, plan)
    state.network.train()
    loss = task.loss(state.step)
    loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.optimiser.step()
    state.optimiser.zero_grad(set_to_none=True)
    state.step += 1
    decay = min(AVERAGE_DECAY, state.step / (state.step + 20))
    with torch.no_grad():
        for average, weight in zip(state.average.parameters(), state.network.parameters(), strict=True):
            average.lerp_(weight, 1.0 - decay)
    return float(loss.detach())


def _time_step(task: Task) -> float:
    """Return the seconds of one step without taking it; the first step warms the kernels up."""
    task.network.train()
    for index in range(CALIBRATION_STEPS):
        if index == 1:
            started = time.monotonic()
        task.loss(0).backward()  # type: ignore[no-untyped-call]  # untyped in torch
        task.network.zero_grad(set_to_none=True)
    return (time.monotonic() - started) / (CALIBRATION_STEPS - 1) * 1.08
