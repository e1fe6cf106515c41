"""One optimisation step over one or more phases, replayed as a CUDA graph where that is possible.

The networks here are small: on a large GPU the launch of their many kernels costs more than their arithmetic, and a
captured graph of the whole step (data gathering, forward, backward, clipping, AdamW, average) runs several
times faster.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unisinger_cli.training.ema import Ema


@dataclass
class Phase:
    """Part of a step: a module whose `forward()` draws its own batch and returns named losses, "loss" to minimise."""

    name: str
    module: nn.Module
    parameters: list[nn.Parameter]
    rate: float = 6e-4  # peak learning rate
    betas: tuple[float, float] = (0.9, 0.95)
    decay: float = 0.01  # weight decay of matrices


def learning_rate(progress: float, step: int, warmup: int = 150, floor: float = 0.03) -> float:
    """Share of the peak rate: linear warm-up over steps, then a cosine over `progress` 0..1 down to `floor`."""
    cosine = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return cosine * min(1.0, (step + 1) / warmup)


def make_adamw(phase: Phase, device: torch.device) -> torch.optim.AdamW:
    matrices = [p for p in phase.parameters if p.ndim >= 2]
    vectors = [p for p in phase.parameters if p.ndim < 2]
    on_gpu = device.type == "cuda"
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": phase.decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=torch.tensor(phase.rate, device=device) if on_gpu else phase.rate,
        betas=phase.betas,
        fused=on_gpu,
        capturable=on_gpu,
    )


class Step:
    """Runs phases one after the other; `replay()` returns the losses of the last run as tensors."""

    def __init__(
        self, phases: list[Phase], device: torch.device, ema: Ema | None, graph: bool, clip: float = 5.0
    ) -> None:
        self.phases, self.device, self.ema, self.clip = phases, device, ema, clip
        self.optimisers = [make_adamw(phase, device) for phase in phases]
        self.graph = graph and device.type == "cuda"
        self._captured: torch.cuda.CUDAGraph | None = None
        self._warm = 0
        self._losses: dict[str, Tensor] = {}

    def set_rate(self, share: float) -> None:
        for phase, optimiser in zip(self.phases, self.optimisers, strict=True):
            for group in optimiser.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(phase.rate * share)
                else:
                    group["lr"] = phase.rate * share

    def _run(self) -> None:
        for phase, optimiser in zip(self.phases, self.optimisers, strict=True):
            optimiser.zero_grad(set_to_none=not self.graph)
            losses: dict[str, Tensor] = phase.module()
            losses["loss"].backward()
            norm = nn.utils.clip_grad_norm_(phase.parameters, self.clip)
            optimiser.step()
            for name, value in {**losses, "norm": norm}.items():
                self._losses[f"{phase.name}/{name}"] = value.detach()
        if self.ema is not None:
            self.ema.update()

    def replay(self) -> dict[str, Tensor]:
        if not self.graph:
            self._run()
        elif self._captured is not None:
            self._captured.replay()
        elif self._warm < 4:
            self._warm += 1
            self._on_side_stream(self._run)
        else:
            captured = torch.cuda.CUDAGraph()
            with torch.cuda.graph(captured):
                self._run()
            captured.replay()
            self._captured = captured
        return self._losses

    @staticmethod
    def _on_side_stream(run: Callable[[], None]) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            run()
        torch.cuda.current_stream().wait_stream(stream)
