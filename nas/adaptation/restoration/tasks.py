"""What is learned after the search: to restore in many steps, and then in one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.adaptation.compressed_unet import CompressedUNet2DConditionModel
from nas.adaptation.crops import stratified_timesteps
from nas.adaptation.noise_schedule import NoiseSchedule
from nas.adaptation.restoration.pairs import Pairs, PairSource
from nas.domain.adaptation import OneStepPath, OneStepTerms
from nas.space.teachers.codec import LatentCodec, from_bytes


class GuidedDenoiser:
    """A guided network under one fixed condition, as training and sampling call it.

    Args:
        network: Takes `B x 2C x H x W`: the noisy latent, then the guide.
        schedule: The teacher's.
        tokens: `L x D`; restoration has no text, so this is the teacher's empty condition. None without any.
    """

    def __init__(
        self, network: CompressedUNet2DConditionModel, schedule: NoiseSchedule, tokens: Tensor | None
    ) -> None:
        self.network, self.schedule, self._tokens = network, schedule, tokens

    def predict(self, noisy: Tensor, guide: Tensor, timesteps: Tensor) -> Tensor:
        """Noise, velocity or clean latent, as the teacher predicts."""
        tokens = None if self._tokens is None else self._tokens.expand(len(noisy), -1, -1)
        prediction: Tensor = self.network(torch.cat((noisy, guide), dim=1), timesteps, tokens).sample
        return prediction

    def in_one_step(self, guide: Tensor, noise: Tensor, start: int) -> Tensor:
        """The clean latent by a single call of the network, begun at timestep `start`. Differentiable.

        It begins with the guide at the signal level of that timestep, and with whatever noise is given: at the last
        timestep and with unit noise that is the paper's `z_T`. Without noise the prediction is a correction of the
        guide, as in OSEDiff (Wu et al., NeurIPS 2024): what the guide knows need not pass through the network.
        """
        timesteps = _all(start, guide)
        noisy = self.schedule.noised(guide, noise, timesteps)
        return self.schedule.clean(noisy, self.predict(noisy, guide, timesteps), timesteps)

    def in_many_steps(self, guide: Tensor, noise: Tensor, start: int, steps: int) -> Tensor:
        """The clean latent by a whole deterministic run from timestep `start`."""
        noisy = self.schedule.noised(guide, noise, _all(start, guide))
        return self.schedule.full_run(lambda at, when: self.predict(at, guide, when), noisy, steps, start)


def _all(timestep: int, like: Tensor) -> Tensor:
    return torch.full((len(like),), timestep, device=like.device)


class _PooledTask:
    """Draws its pairs from a pool that is made anew every so many steps."""

    def __init__(
        self, denoiser: GuidedDenoiser, source: PairSource, batch: int, pool: int, pool_steps: int, purpose: str
    ) -> None:
        self.denoiser, self.source, self.batch = denoiser, source, batch
        self._pool_size, self._pool_steps, self._purpose = pool, pool_steps, purpose
        self._pool: tuple[int, Pairs] | None = None

    @property
    def network(self) -> nn.Module:
        """What is trained."""
        return self.denoiser.network

    def parameter_groups(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Everything at one rate."""
        return [(1.0, list(self.network.parameters()))]

    def _drawn(self, step: int) -> tuple[Pairs, Tensor, torch.Generator]:
        number = step // self._pool_steps
        if self._pool is None or self._pool[0] != number:
            self._pool = (number, self.source.pool(number, self._pool_size))
        pairs = self._pool[1]
        generator = self.source.crops.noise_generator(self._purpose, step)
        chosen = torch.randint(len(pairs.truth), (self.batch,), generator=generator)
        return pairs, chosen.to(pairs.truth.device), generator


class AdaptationTask(_PooledTask):
    """Predict the noise in a good latent, guided by the poor one: `E‖ε − ε_φ(z_t, t, z_l)‖²` (TOC-SR, §3.3).

    Timesteps are stratified over a batch.
    """

    def __init__(
        self, denoiser: GuidedDenoiser, source: PairSource, batch: int, pool: int = 1024, pool_steps: int = 400
    ) -> None:
        super().__init__(denoiser, source, batch, pool, pool_steps, "adaptation")

    def loss(self, step: int) -> Tensor:
        """Mean squared error of the prediction."""
        pairs, chosen, generator = self._drawn(step)
        schedule, truth, guide = self.denoiser.schedule, pairs.truth[chosen], pairs.guide[chosen]
        timesteps = stratified_timesteps(self.batch, schedule.horizon, generator).to(truth.device)
        noise = torch.randn(truth.shape, generator=generator).to(truth.device)
        noisy = schedule.noised(truth, noise, timesteps)
        predicted = self.denoiser.predict(noisy, guide, timesteps)
        return functional.mse_loss(predicted, schedule.target(truth, noise, timesteps))


@torch.no_grad()
def visibility(codec: LatentCodec, latents: Tensor, step: float = 0.1) -> Tensor:
    """How much pixels change with each latent channel: `1 x C x 1 x 1`, mean 1.

    Latents of unit deviation differ by orders of magnitude in what they are worth: in the reference teacher the mean
    colour of a patch and its finest texture are one channel each. The squared change of the decoded pixels per unit
    makes squared distances of latents speak of pixels, at no cost while training.
    """
    before = codec.decode(latents)
    weights = []
    for channel in range(latents.shape[1]):
        moved = latents.clone()
        generator = torch.Generator().manual_seed(channel)
        moved[:, channel] += step * torch.randn(moved[:, channel].shape, generator=generator).to(moved.device)
        weights.append((codec.decode(moved) - before).square().mean())
    made = torch.stack(weights)
    return (made / made.mean())[None, :, None, None]


class OneStepTask(_PooledTask):
    """One step learns to end where the full run ends: `E‖G_ψ(z_T, z_l) − z_0^T‖²` (TOC-SR, §3.4).

    Args:
        student: Trained; usually begins as a copy of the teacher.
        teacher: Its full runs are the targets, made once per pool.
        source: Pairs.
        batch: Pairs per step.
        path: Where one step begins, and how the teacher runs.
        terms: Weights of the loss.
        pool: Pairs held at a time.
        pool_steps: Steps after which they are made anew.
    """

    def __init__(
        self,
        student: GuidedDenoiser,
        teacher: GuidedDenoiser,
        source: PairSource,
        batch: int,
        path: OneStepPath,
        terms: OneStepTerms,
        pool: int = 512,
        pool_steps: int = 400,
    ) -> None:
        super().__init__(student, source, batch, pool, pool_steps, "one step")
        self._teacher, self._path, self._terms = teacher, path, terms
        self._targets: tuple[int, Tensor] | None = None
        self._weights = torch.ones(1)
        if terms.by_visibility:
            self._weights = visibility(source.codec, source.pool(0, batch).truth)

    def loss(self, step: int) -> Tensor:
        """The weighted sum of the terms."""
        pairs, chosen, generator = self._drawn(step)
        guide = pairs.guide[chosen]
        noise = self._path.noise * torch.randn(guide.shape, generator=generator).to(guide.device)
        made = self.denoiser.in_one_step(guide, noise, self._path.start)
        terms, total = self._terms, made.new_zeros(())
        if terms.run:
            total = total + terms.run * self._distance(made, self._runs(step, pairs)[chosen])
        if terms.truth:
            total = total + terms.truth * self._distance(made, pairs.truth[chosen])
        if terms.pixels:
            truth = from_bytes(pairs.pixels[chosen.cpu().numpy()]).to(made.device)
            total = total + terms.pixels * functional.l1_loss(self.source.codec.decode(made), truth)
        return total

    def _distance(self, made: Tensor, wanted: Tensor) -> Tensor:
        return (self._weights * (made - wanted).square()).mean()

    def _runs(self, step: int, pairs: Pairs) -> Tensor:
        """The end of a full run for every pair of a pool."""
        number = step // self._pool_steps
        if self._targets is None or self._targets[0] != number:
            noise = torch.randn(pairs.truth.shape, generator=self.source.crops.noise_generator("runs", number))
            noise = noise.to(pairs.truth.device)
            parts = zip(torch.split(pairs.guide, self.batch), torch.split(noise, self.batch), strict=True)
            self._teacher.network.eval()
            path = self._path
            with torch.no_grad():
                ends = [self._teacher.in_many_steps(g, n, path.run_start, path.run_steps) for g, n in parts]
            self._targets = (number, torch.cat(ends))
        return self._targets[1]
