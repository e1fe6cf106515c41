"""Condition -> latents: the flow is integrated from noise, in overlapping windows for any length.

Windows share every solver step: where they overlap, their velocities are averaged with ramps (MultiDiffusion,
Bar-Tal et al. 2023, arXiv 2302.08113), so that there is one latent path and no seam to hide.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.audio import Tape
from unisinger_cli.requests import SamplerConfig
from unisinger_cli.stages.guidance import SOURCE, guidance
from unisinger_cli.types import Condition, Floats, Timbre

if TYPE_CHECKING:
    import torch

    from unisinger_cli.model.conditioning import Conditions
    from unisinger_cli.model.config import FlowConfig
    from unisinger_cli.model.mmdit import Prepared
    from unisinger_cli.model.unisinger import UniSinger

OVERLAP = 96  # latent frames shared by neighbouring windows, 2.2 s
TOGETHER = 4  # windows in one pass of the network
PREPARED = 64  # passes whose conditions are kept for the next solver step; of the mini model each takes 3.5 MiB at most


@dataclass(frozen=True)
class Known:
    """Normalised latents that are there already, float32 [groups, frames, channels], and where they stay: `kept`, bool
    [groups, frames]."""

    latents: Floats
    kept: NDArray[np.bool_]


def windows(frames: int, window: int, overlap: int) -> list[tuple[int, int]]:
    """(first, last) of evenly spaced windows that cover `frames` and share at least `overlap` with the next."""
    if frames <= window:
        return [(0, frames)]
    count = 1 + int(np.ceil((frames - window) / (window - overlap)))
    starts = np.linspace(0, frames - window, count).round().astype(int)
    starts -= starts % 2  # a token is two frames
    starts[-1] = frames - window
    return [(int(s), int(s) + window) for s in starts]


def windows_over(frames: int, flow: FlowConfig) -> list[tuple[int, int]]:
    """The windows in which a model of these sizes samples so many frames, filled up to whole tokens."""
    return windows(frames + frames % flow.patch, flow.window, min(OVERLAP, flow.window // 4))


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
    return Conditions(
        task=torch.tensor([c.task], device=device),
        phonemes=clocked(c.phonemes, config.phonemes.index("_"), torch.long),
        content=clocked(c.content, 0, torch.long),
        **_voice(model, c.timbre),
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


def _voice(model: UniSinger, voice: Timbre | None) -> dict[str, torch.Tensor]:
    """A voice as fields of `Conditions`, a batch of one; zeros for what is not known of it."""
    import torch

    config, device = model.config, model.codec.latent_mean.device
    vector = torch.zeros(1, config.timbre.dim)
    sounds = torch.zeros(1, len(config.phonemes), config.codec.channels)
    most = config.flow.moments
    moments, codes = torch.zeros(1, most, config.codec.channels), torch.zeros(1, most, dtype=torch.long)
    there = 0
    if voice is not None:
        vector[0] = torch.from_numpy(voice.vector)
    if voice is not None and voice.sounds is not None:
        sounds[0] = torch.from_numpy(voice.sounds)
    if voice is not None and voice.moments is not None:
        there = len(voice.moments.codes)
        moments[0, :there] = torch.from_numpy(voice.moments.latents)
        codes[0, :there] = torch.from_numpy(voice.moments.codes)
    fields = {
        "timbre": vector,
        "sounds": sounds,
        "moments": moments,
        "moment_codes": codes,
        "moments_there": (torch.arange(most) < there)[None],
    }
    return {name: value.to(device) for name, value in fields.items()}


def sample(
    model: UniSinger,
    condition: Condition,
    sampler: SamplerConfig,
    step: Callable[[int, int], None],
    known: Known | None = None,
) -> dict[str, Tape]:
    """Normalised latents [channels, frames] of each group of the condition.

    Memory does not grow with the length, but for the conditions of up to PREPARED passes: a solver step is a stream
    that takes latents in at one end and gives them out at the other as soon as all windows over them were seen, and the
    steps are put one after the other.
    The noise comes from a CPU generator of its own, so that a seed means the same on every device.
    What is `known` is held, at every step, where the straight line from the noise to it has come (replacement, as in
    Song et al. 2021, arXiv 2011.13456, app. I.2), so that the rest grows out of it.
    """
    import torch

    from unisinger_cli.model.flow import time_grid

    config, device = model.config, model.codec.latent_mean.device
    frames = condition.frames + condition.frames % config.flow.patch
    conditions = as_tensors(model, condition, frames)
    singer = _voice(model, condition.singer)
    spans = windows_over(frames, config.flow)
    pieces = [spans[i : i + TOGETHER] for i in range(0, len(spans), TOGETHER)]
    passes = itertools.count(1)

    @lru_cache(maxsize=PREPARED)
    def prepared(i: int, without: str) -> Prepared:
        here = _join([conditions.crop(a, b) for a, b in pieces[i]])
        if without == SOURCE:
            here = here.map(_times(singer, len(pieces[i])))
        elif without:
            here = here.without(without)
        return model.flow.prepare(here)

    def velocity(latent: torch.Tensor, t: float, piece: int) -> torch.Tensor:
        led = [(prepared(piece, name), scales) for name, scales in guidance(condition, sampler, t).items()]
        found = model.flow.velocity(latent, t, prepared(piece, ""), led)
        step(next(passes), sampler.steps * len(pieces))
        return found

    noise = partial(_noise, sampler, (len(config.flow.groups), config.codec.channels), pieces, frames, device)
    stream = noise()
    for t, following in pairwise(time_grid(sampler.steps).tolist()):
        stream = _solver_step(stream, partial(velocity, t=t), following - t, pieces)
        stream = stream if known is None else _held(stream, noise(), known, following)
    wanted = {i: group for i, group in enumerate(config.flow.groups) if group in condition.groups}
    tapes = {group: Tape(config.codec.channels, 1) for group in wanted.values()}
    with torch.inference_mode():
        for chunk in stream:
            left = condition.frames - next(iter(tapes.values())).length  # a token may reach over the end
            for i, group in wanted.items():
                tapes[group].append(chunk[i, :left].T.cpu().numpy())
    return tapes


def noise_seed(sampler: SamplerConfig) -> int:
    """Of the generator of the noise: the seed itself for take 0, another 63-bit number for every other take."""
    if sampler.take == 0:
        return sampler.seed
    return int(np.random.SeedSequence((sampler.seed, sampler.take)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _noise(
    sampler: SamplerConfig, shape: tuple[int, int], pieces: list[list[tuple[int, int]]], frames: int, device: Any
) -> Iterator[torch.Tensor]:
    """Noise [groups, n, channels] of the sampler's temperature, from where a piece begins to where the next does."""
    import torch

    generator = torch.Generator().manual_seed(noise_seed(sampler))
    for start, end in pairwise([*(piece[0][0] for piece in pieces), frames]):
        drawn = torch.randn((end - start, *shape), generator=generator)
        yield (sampler.temperature * drawn).transpose(0, 1).to(device)


def _solver_step(
    stream: Iterator[torch.Tensor],
    velocity: Callable[..., torch.Tensor],
    dt: float,
    pieces: list[list[tuple[int, int]]],
) -> Iterator[torch.Tensor]:
    """One Euler step over a stream of latents [groups, n, channels], cut as `_noise` cuts them.

    A piece needs what lies up to the end of its last window, and finishes what lies before the next piece.
    """
    import torch

    begins = [piece[0][0] for piece in pieces]
    latent = next(stream)
    done, total = torch.zeros_like(latent), torch.zeros(latent.shape[1], 1, device=latent.device)
    for i, piece in enumerate(pieces):
        start, end = begins[i], piece[-1][1]
        if end > start + latent.shape[1]:
            latent = torch.cat([latent, next(stream)], dim=1)
        grown = latent.shape[1] - done.shape[1]
        done = torch.nn.functional.pad(done, (0, 0, 0, grown))
        total = torch.nn.functional.pad(total, (0, 0, 0, grown))
        length = piece[0][1] - piece[0][0]
        weight = torch.from_numpy(ramp(length, min(OVERLAP, length // 4 + 1))).to(latent.device)[:, None]
        batch = torch.stack([latent[:, a - start : b - start] for a, b in piece])
        for (a, b), found in zip(piece, velocity(batch, piece=i), strict=True):
            done[:, a - start : b - start] += weight * found
            total[a - start : b - start] += weight
        final = begins[i + 1] - start if i + 1 < len(pieces) else latent.shape[1]
        yield latent[:, :final] + dt * done[:, :final] / total[:final]
        latent, done, total = latent[:, final:], done[:, final:], total[final:]


def _held(
    stream: Iterator[torch.Tensor], noise: Iterator[torch.Tensor], known: Known, t: float
) -> Iterator[torch.Tensor]:
    """Latents at flow time t, with what is known put where its own way from the noise has come."""
    import torch

    at = 0
    for latent, start in zip(stream, noise, strict=True):
        here = slice(at, at + latent.shape[1])
        there = torch.from_numpy(known.latents[:, here]).to(latent.device)
        kept = torch.from_numpy(known.kept[:, here]).to(latent.device)[..., None]
        n = there.shape[1]  # a token may reach over the end
        held = torch.where(kept, torch.lerp(start[:, :n], there, t), latent[:, :n])
        yield torch.cat([held, latent[:, n:]], dim=1)
        at = here.stop


def _join(pieces: list[Conditions]) -> Conditions:
    import torch

    return pieces[0].map({name: torch.cat([getattr(p, name) for p in pieces]) for name in pieces[0].__dict__})


def _times(fields: dict[str, torch.Tensor], count: int) -> dict[str, torch.Tensor]:
    return {name: value.expand(count, *value.shape[1:]) for name, value in fields.items()}
