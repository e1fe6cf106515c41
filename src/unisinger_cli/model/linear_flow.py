"""What a linear map of a single frame knows of the flow: the network beside it says the rest.

Velocity is data minus noise, so that a network which makes all of it has to carry the noise of every channel through
its width: two frames of two groups are 288 numbers, and the mini model is 320 wide. Where latents scarcely vary, what
is noise can be told from the flow time alone. For a Gaussian of mean m and variance v along each principal direction of
the latents, the best flow is

    E[data - noise | x_t] = m + (x_t - t m) (t v - (1 - t)) / (t^2 v + (1 - t)^2)

(the preconditioning of Karras et al. 2022, arXiv 2206.00364, sec. 5, direction by direction; that a narrow network
should not have to predict noise: Li and He 2025, arXiv 2511.13720).

Shapes: b batch, s latent groups, n latent frames, c channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unisinger_cli.model.config import ModelConfig

_LEAST = 1e-3  # variance of any direction: int8 features are no more exact
_FRAMES = 200_000  # that directions are found from, at most


class LinearFlow(nn.Module):
    """The best linear flow of single frames, of each group by itself: noisy latents [b, s, n, c] at flow times t [b] ->
    velocity [b, s, n, c].

    `share` [s, c] is how much of each direction is taken, which is learned: none before there was anything to `fit` it
    to, all at first after that.
    """

    directions: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        groups, channels = len(config.flow.groups), config.codec.channels
        self.levels = config.codec.levels
        self.share = nn.Parameter(torch.zeros(groups, channels))
        self.register_buffer("directions", torch.eye(channels).repeat(groups, 1, 1))  # in columns
        self.register_buffer("mean", torch.zeros(groups, channels))  # along these
        self.register_buffer("variance", torch.ones(groups, channels))

    @torch.no_grad()
    def fit(self, latents: Sequence[Tensor]) -> None:
        """Set directions, and means and variances along them, of each group from latents [frames, c] of it; from fewer
        frames than channels, none. Levels have directions of their own, which other channels are not in."""
        for group, found in enumerate(latents):
            if len(found) < found.shape[1]:
                continue
            sample = found[:: -(-len(found) // _FRAMES)].double()
            parts = [torch.linalg.eigh(torch.cov(part.T)) for part in self._parted(sample)]
            directions = torch.block_diag(*(part.eigenvectors for part in parts))
            self.directions[group] = directions
            self.mean[group] = sample.mean(0) @ directions
            self.share[group] = 1
            self.variance[group] = torch.cat([part.eigenvalues for part in parts]).clamp_min(_LEAST)

    def _parted(self, sample: Tensor) -> list[Tensor]:
        return [part for part in sample.tensor_split([self.levels], dim=1) if part.shape[1]]

    def forward(self, latent: Tensor, t: Tensor) -> Tensor:
        with torch.autocast(latent.device.type, enabled=False):  # gains of ten times what they are wrong by
            t = t.float()[:, None, None]
            gain = (t * self.variance - (1 - t)) / (t.square() * self.variance + (1 - t).square())
            away = latent.float() @ self.directions - (t * self.mean)[:, :, None]
            velocity = self.mean[:, None] + gain[:, :, None] * away
            return (self.share[:, None] * velocity) @ self.directions.mT
