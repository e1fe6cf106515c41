"""Tells latents of recordings from latents that a flow sang: what a listener would be pleased by, and nobody else,
it soon knows.

Shapes: b batch, n latent frames, c channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unisinger_cli.model.conditioning import PITCH_FEATURES, pitch_features
from unisinger_cli.model.ops import ConvNeXtBlock

_WIDTH, _BLOCKS = 256, 5
_NOISE = (
    0.7  # at most, in standard deviations of a latent: both sides are heard under noise, or all would be told apart
)


class LatentCritic(nn.Module):
    """Latents [b, n, c] and the F0 they were sung at, Hz [b, n] -> verdicts [b, n], above 0 for a recording."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.into = nn.Linear(channels + PITCH_FEATURES, _WIDTH)
        self.blocks = nn.ModuleList(ConvNeXtBlock(_WIDTH, 3 * _WIDTH, dilation=1 + i % 2) for i in range(_BLOCKS))
        self.verdict = nn.Sequential(nn.LayerNorm(_WIDTH), nn.Linear(_WIDTH, 1))

    def forward(self, latents: Tensor, hz: Tensor) -> Tensor:
        level = _NOISE * torch.rand(len(latents), 1, 1, device=latents.device)
        noisy = latents + level * torch.randn_like(latents)
        with torch.autocast(latents.device.type, torch.bfloat16, enabled=latents.device.type == "cuda"):
            x = self.into(torch.cat([noisy, pitch_features(hz)], dim=-1))
            for block in self.blocks:
                x = block(x)
            verdicts: Tensor = self.verdict(x)
        return verdicts[..., 0].float()


class CriticLoss(nn.Module):
    """Hinge loss on what was sung last and what was recorded; `heard` is (latents, hz) of both, [2, b, n, ...]."""

    def __init__(self, critic: LatentCritic, heard: tuple[Tensor, Tensor]) -> None:
        super().__init__()
        self.critic, self.heard = critic, heard

    def forward(self) -> dict[str, Tensor]:
        latents, hz = self.heard
        made, real = self.critic(latents.flatten(0, 1), hz.flatten(0, 1)).chunk(2)
        return {
            "loss": (1 + made).relu().mean() + (1 - real).relu().mean(),
            "made": made.mean(),
            "real": real.mean(),
        }
