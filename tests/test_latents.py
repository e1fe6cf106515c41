"""The coordinates of latents: variances that fall from direction to direction, and the same sound."""

from __future__ import annotations

from dataclasses import replace

import torch

from unisinger_cli.model.codec import Codec
from unisinger_cli.model.config import PRESETS
from unisinger_cli.training.latents import arrange_latents, measure_latents

SMALL = replace(PRESETS["debug"].codec, channels=20)  # fewer than an untrained encoder can tell apart
LEVELS, HOP = SMALL.levels, SMALL.hop


def sounds(count: int = 6, frames: int = 40) -> torch.Tensor:
    """Noises and tones, of levels that change."""
    generator = torch.Generator().manual_seed(4)
    time = torch.arange(frames * HOP) / SMALL.rate
    hz = 100 * 2 ** (4 * torch.rand(count, 1, generator=generator))
    tones = torch.sin(2 * torch.pi * hz * time) * (1 + torch.sin(9 * time))
    noises = torch.randn(count, frames * HOP, generator=generator) * torch.sin(3 * time)
    return 0.1 * torch.cat([tones, noises, tones + 0.3 * noises])


def a_codec() -> Codec:
    torch.manual_seed(2)
    codec = Codec(SMALL).eval()
    measure_latents(codec, sounds, draws=1)
    return codec


def variances(codec: Codec) -> torch.Tensor:
    """Along the principal directions of what is no level, the largest first."""
    with torch.inference_mode():
        latents = codec.encode(sounds())[..., LEVELS:].flatten(0, 1)
    return torch.linalg.eigvalsh(torch.cov(latents.double().T)).flip(0)


def test_arranged_latents_make_the_same_sound_and_tell_the_same_levels() -> None:
    codec = a_codec()
    with torch.inference_mode():
        levels, before = codec.encode(sounds())[..., :LEVELS], codec.decode(codec.encode(sounds()))
        arrange_latents(codec, sounds, draws=1)
        torch.testing.assert_close(codec.encode(sounds())[..., :LEVELS], levels)
        torch.testing.assert_close(codec.decode(codec.encode(sounds())), before, atol=1e-4, rtol=1e-3)


def test_variances_fall_by_the_same_factor_from_direction_to_direction() -> None:
    codec = a_codec()
    uneven = variances(codec)
    arrange_latents(codec, sounds, draws=1)
    even = variances(codec)
    steps = even[:-1] / even[1:]
    torch.testing.assert_close(even.mean(), torch.ones_like(even.mean()), atol=0.02, rtol=0)
    assert steps.max() / steps.min() < 1.05
    assert (uneven[:-1] / uneven[1:]).max() > 1.5 * steps.max()


def test_what_is_arranged_stays_as_it_is() -> None:
    codec = a_codec()
    arrange_latents(codec, sounds, draws=1)
    with torch.inference_mode():
        once = codec.encode(sounds())
        arrange_latents(codec, sounds, draws=1)
        torch.testing.assert_close(codec.encode(sounds()), once, atol=2e-3, rtol=0)
