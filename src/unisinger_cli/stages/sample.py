"""Condition -> latents: the flow is integrated from noise, in overlapping windows for any length.

Windows share every solver step: where they overlap, their velocities are averaged with ramps (MultiDiffusion,
Bar-Tal et al. 2023, arXiv 2302.08113), so that there is one latent path and no seam to hide.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from unisinger_cli.requests import SamplerConfig
from unisinger_cli.types import Condition, Floats

if TYPE_CHECKING:
    import torch

    from unisinger_cli.model.conditioning import Conditions
    from unisinger_cli.model.unisinger import UniSinger

OVERLAP = 96  # latent frames shared by neighbouring windows, 2.2 s
TOGETHER = 4  # windows in one pass of the network


def windows(frames: int, window: int, overlap: int) -> list[tuple[int, int]]:
    """(first, last) of evenly spaced windows that cover `frames` and share at least `overlap` with the next."""
    if frames <= window:
        return [(0, frames)]
    count = 1 + int(np.ceil((frames - window) / (window - overlap)))
    starts = np.linspace(0, frames - window, count).round().astype(int)
    starts -= starts % 2  # a token is two frames
    starts[-1] = frames - window
    return [(int(s), int(s) + window) for s in starts]


def ramp(window: int, overlap: int) -> Floats:
    """Weights of a window: a trapezoid that never quite reaches zero."""
    position = np.minimum(np.arange(window), np.arange(window)[::-1]) + 1
    return np.minimum(1.0, position / overlap).astype(np.float32)


def as_tensors(model: UniSinger, c: Condition, frames: int) -> Conditions:
    """One `Condition` as a batch of one, padded to `frames`; an absent modality is switched to its null."""
    import torch

    from unisinger_cli.model.conditioning import Conditions

    config, device = model.config, model.codec.latent_mean.device

    def clocked(value: np.ndarray | None, fill: float, dtype: torch.dtype, *shape: int) -> torch.Tensor:
        out = torch.full((1, frames, *shape), fill, dtype=dtype)
        if value is not None:
            out[0, : len(value)] = torch.from_numpy(np.asarray(value)).to(dtype)
        return out.to(device)

    def given(*values: object) -> torch.Tensor:
        return torch.tensor([all(v is not None for v in values)], device=device)

    tags = torch.zeros(1, len(config.tags))
    if c.tags is not None:
        tags[0, torch.from_numpy(c.tags)] = 1
    timbre = torch.zeros(1, config.timbre.dim) if c.timbre is None else torch.from_numpy(c.timbre)[None]
    return Conditions(
        task=torch.tensor([c.task], device=device),
        phonemes=clocked(c.phonemes, config.phonemes.index("_"), torch.long),
        content=clocked(c.content, 0, torch.long),
        timbre=timbre.to(device),
        pitch=clocked(c.pitch, 0.0, torch.float32),
        score=clocked(c.score, 0.0, torch.float32, config.score_dim),
        tags=tags.to(device),
        phoneme_on=given(c.phonemes),
        semantic_on=given(c.content),
        speaker_on=given(c.timbre),
        pitch_on=given(c.pitch),
        score_on=given(c.score),
        instruct_on=given(c.tags),
        groups_on=torch.tensor([[g in c.groups for g in config.flow.groups]], device=device),
    )


def guidance(c: Condition, sampler: SamplerConfig) -> dict[str, float]:
    """Scales by switch, for those conditions that are there to be followed."""
    scales = {}
    if c.phonemes is not None:
        scales["phoneme_on"] = sampler.words
    if c.content is not None:
        scales["semantic_on"] = sampler.words
    if c.timbre is not None:
        scales["speaker_on"] = sampler.voice
    if len(c.groups) > 1:
        scales["instruct_on+score_on"] = sampler.accomp
    return scales


def sample(
    model: UniSinger, condition: Condition, sampler: SamplerConfig, step: Callable[[int, int], None]
) -> dict[str, Floats]:
    """Normalised latents float32 [frames, channels] of each group of the condition.

    The noise comes from a CPU generator of its own, so that a seed means the same on every device.
    """
    import torch

    from unisinger_cli.model.flow import time_grid

    config, patch = model.config, model.config.flow.patch
    frames = condition.frames + condition.frames % patch
    conditions = as_tensors(model, condition, frames)
    scales = guidance(condition, sampler)
    spans = windows(frames, config.flow.window, min(OVERLAP, config.flow.window // 4))
    pieces = [
        _join([conditions.crop(a, b) for a, b in spans[i : i + TOGETHER]]) for i in range(0, len(spans), TOGETHER)
    ]
    length = spans[0][1] - spans[0][0]
    device = model.codec.latent_mean.device
    weight = torch.from_numpy(ramp(length, min(OVERLAP, length // 4 + 1))).to(device)[:, None]
    total = torch.zeros(frames, 1, device=device)
    for a, b in spans:
        total[a:b] += weight
    generator = torch.Generator().manual_seed(sampler.seed)
    shape = (len(config.flow.groups), frames, config.codec.channels)
    latent = torch.randn(shape, generator=generator).to(device)
    grid = time_grid(sampler.steps).tolist()
    with torch.inference_mode():
        for i, (t, following) in enumerate(pairwise(grid)):
            velocity = torch.zeros_like(latent)
            for j, piece in enumerate(pieces):
                mine = spans[j * TOGETHER : (j + 1) * TOGETHER]
                batch = torch.stack([latent[:, a:b] for a, b in mine])
                for (a, b), v in zip(mine, model.flow.velocity(batch, t, piece, scales), strict=True):
                    velocity[:, a:b] += weight * v
            latent = latent + (following - t) * velocity / total
            step(i + 1, sampler.steps)
    found = latent[:, : condition.frames].cpu().numpy()
    return {g: found[i] for i, g in enumerate(config.flow.groups) if g in condition.groups}


def _join(pieces: list[Conditions]) -> Conditions:
    import torch

    return pieces[0].map({name: torch.cat([getattr(p, name) for p in pieces]) for name in pieces[0].__dict__})
