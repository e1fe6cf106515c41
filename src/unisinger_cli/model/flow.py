"""Conditional flow matching (Lipman et al. 2023, arXiv 2210.02747): the loss and the sampler's step, side by side.

Flow time runs from 0 (Gaussian noise) to 1 (latents): x_t = (1 - t) * noise + t * data, and the velocity is
data - noise everywhere on that straight line.

Shapes: b batch, s latent groups, n latent frames, c channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unisinger_cli.model.conditioning import Conditions
from unisinger_cli.model.config import ModelConfig
from unisinger_cli.model.mmdit import MMDiT, Prepared

_EARLY, _BEGINNING = 0.25, 0.2  # this share of flow times is drawn below that
_AT_ZERO = 1 / 6  # share of these that is 0 itself


def time_grid(steps: int, shift: float = 1.0) -> Tensor:
    """steps + 1 flow times from 0 to 1; a shift above 1 spends more of them near the noise (Esser et al. 2024,
    eq. 23)."""
    t = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    return (t / (shift - (shift - 1) * t)).float()


def draw_times(count: int, device: torch.device) -> Tensor:
    """Flow times to learn from, [count].

    Most are logit-normal (Esser et al. 2024, sec. 3.1): the middle is where there is most to learn. It leaves 8 in 100
    to the first fifth, where a sampler takes its first steps, and none to 0, where it begins, though who sings and
    which chord is played are settled there; so some more lie there, a sixth of them at 0 and the others evenly.
    """
    t = torch.sigmoid(torch.randn(count, device=device))
    early = torch.rand(count, device=device) < _EARLY
    beginning = _BEGINNING * ((torch.rand(count, device=device) - _AT_ZERO) / (1 - _AT_ZERO)).clamp_min(0)
    return torch.where(early, beginning, t)


class Flow(nn.Module):
    """The velocity network and what is done with it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.network = MMDiT(config)

    def loss(self, data: Tensor, conditions: Conditions, learned: Tensor | None = None) -> Tensor:
        """Mean squared velocity error of each example and group: data [b, s, n, c] -> [b, s], 0 in absent groups. Where
        only some frames are to be `learned`, bool [b, n], it is the mean over these.

        Flow times are those of `draw_times`.
        """
        b = data.shape[0]
        t = draw_times(b, data.device)
        noise = torch.randn_like(data)
        mixed = torch.lerp(noise, data, t.view(b, 1, 1, 1))
        error = (self.network(mixed, t, conditions).float() - (data - noise)).square().mean(3)
        counted = torch.ones_like(error) if learned is None else learned[:, None].float().expand_as(error)
        return (error * counted).sum(2) / counted.sum(2).clamp_min(1) * conditions.groups_on

    @torch.no_grad()
    def prepare(self, conditions: Conditions) -> Prepared:
        """Conditions for `velocity`, which at every flow time would else work them out again."""
        return self.network.prepare(conditions)

    @torch.no_grad()
    def velocity(
        self,
        latent: Tensor,
        t: float,
        conditions: Conditions | Prepared,
        guidance: Sequence[tuple[Conditions | Prepared, Sequence[float]]] = (),
    ) -> Tensor:
        """Velocity with guidance: [b, s, n, c] -> same.

        `guidance` are other conditions, each with its scales, one for each group. Scale 1 is the plain field of
        `conditions`, 0 that of the others, more pushes away from these. Without a modality (`Conditions.without`) it is
        classifier-free guidance (Ho and Salimans 2022), with another value of it a negative prompt.
        """
        times = torch.full((latent.shape[0],), t, device=latent.device)
        full: Tensor = self.network(latent, times, conditions)
        velocity = full
        for others, scales in guidance:
            if any(scale != 1.0 for scale in scales):
                more = torch.tensor(scales, device=latent.device)[:, None, None] - 1
                velocity = velocity + more * (full - self.network(latent, times, others))
        return velocity
