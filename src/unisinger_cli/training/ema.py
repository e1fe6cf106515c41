"""Exponential moving average of weights: what is evaluated and shipped."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Ema:
    """Shadow copies of a module's floating-point parameters, moved towards them after every step.

    `decay` is the share that stays per step; during the first steps it is warmed up, so that the random start is
    forgotten quickly.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.names = [name for name, p in module.named_parameters() if p.requires_grad]
        parameters = dict(module.named_parameters())
        self.live = [parameters[name] for name in self.names]
        self.shadow = [p.detach().clone() for p in self.live]
        self.decay = decay
        device = self.live[0].device if self.live else "cpu"
        self.rate = torch.ones((), device=device)  # a tensor, so that a captured graph reads its new value

    def schedule(self, step: int) -> None:
        self.rate.fill_(1 - min(self.decay, (1 + step) / (10 + step)))

    @torch.no_grad()
    def update(self) -> None:
        differences = torch._foreach_sub(self.live, self.shadow)
        torch._foreach_mul_(differences, self.rate)
        torch._foreach_add_(self.shadow, differences)

    def state(self) -> dict[str, Tensor]:
        return dict(zip(self.names, self.shadow, strict=True))

    def load(self, state: dict[str, Tensor]) -> None:
        for name, shadow in zip(self.names, self.shadow, strict=True):
            shadow.copy_(state[name])
