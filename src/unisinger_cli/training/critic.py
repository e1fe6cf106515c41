"""Tells latents of recordings from latents that a flow sang: what a listener would be pleased by, and nobody else,
it soon knows. It is told what is sung, and how high: what would be fine on another word is wrong on this one.

Shapes: b batch, n latent frames, c channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unisinger_cli.model.conditioning import PITCH_FEATURES, pitch_features
from unisinger_cli.training.listener import CODE, WIDTH, Ear, under_noise

_BLOCKS = 5


class LatentCritic(nn.Module):
    """Latents [b, n, c], the F0 at which they were sung, Hz [b, n], and their content codes [b, n] -> verdicts [b, n],
    above 0 for a recording."""

    def __init__(self, channels: int, codes: int) -> None:
        super().__init__()
        self.told = nn.Embedding(codes, CODE)
        self.ear = Ear(channels + PITCH_FEATURES + CODE, _BLOCKS)
        self.verdict = nn.Linear(WIDTH, 1)

    def forward(self, latents: Tensor, hz: Tensor, codes: Tensor) -> Tensor:
        noisy = under_noise(latents)  # without, all that is sung would soon be told apart
        with torch.autocast(latents.device.type, torch.bfloat16, enabled=latents.device.type == "cuda"):
            heard = self.ear(torch.cat([noisy, pitch_features(hz), self.told(codes)], dim=-1))
            verdicts: Tensor = self.verdict(heard)
        return verdicts[..., 0].float()


@dataclass
class Heard:
    """What was sung last and what was recorded, in this order, on the same content codes."""

    latents: Tensor  # [2, b, n, c]
    hz: Tensor  # [2, b, n]
    codes: Tensor  # int64 [b, n]

    @classmethod
    def nothing(cls, b: int, n: int, channels: int, device: torch.device) -> Heard:
        hz = torch.zeros(2, b, n, device=device)
        return cls(torch.zeros(2, b, n, channels, device=device), hz, torch.zeros_like(hz[0], dtype=torch.long))

    @torch.no_grad()
    def keep(self, latents: tuple[Tensor, Tensor], hz: tuple[Tensor, Tensor], codes: Tensor) -> None:
        """Take these in place of the last, without moving anything: a CUDA graph has the addresses."""
        for to, (sung, recorded) in ((self.latents, latents), (self.hz, hz)):
            to[0].copy_(sung)
            to[1].copy_(recorded)
        self.codes.copy_(codes)


class CriticLoss(nn.Module):
    """Hinge loss on what was heard last."""

    def __init__(self, critic: LatentCritic, heard: Heard) -> None:
        super().__init__()
        self.critic, self.heard = critic, heard

    def forward(self) -> dict[str, Tensor]:
        heard = self.heard
        verdicts = self.critic(heard.latents.flatten(0, 1), heard.hz.flatten(0, 1), heard.codes.repeat(2, 1))
        made, real = verdicts.chunk(2)
        return {
            "loss": (1 + made).relu().mean() + (1 - real).relu().mean(),
            "made": made.mean(),
            "real": real.mean(),
        }
