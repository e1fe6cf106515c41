"""What is sung: a recording's phonetic content as tokens on the latent clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unisinger_cli.audio import mono_at
from unisinger_cli.types import Audio, Content, Floats

if TYPE_CHECKING:
    from unisinger_cli.model.unisinger import UniSinger

LEVEL = 0.08  # RMS, -22 dBFS, that voices are brought to before any encoder hears them


def whole_frames(model: UniSinger, audio: Audio) -> Floats:
    """Mono samples at the model's rate, padded with silence to whole latent frames."""
    codec = model.config.codec
    mono = mono_at(audio, codec.rate)
    return np.pad(mono, (0, -len(mono) % codec.hop))


def voice_gain(samples: Floats) -> float:
    """The factor that brings the sounding part of a voice [n] to LEVEL; 1 for silence."""
    blocks = samples[: len(samples) // 1024 * 1024].reshape(-1, 1024)
    power = np.square(blocks, dtype=np.float64).mean(axis=1)
    if not power.size or power.max() <= 0:
        return 1.0
    return float(LEVEL / np.sqrt(power[power > power.max() * 1e-3].mean()))


def content(model: UniSinger, audio: Audio) -> Content:
    """Codebook indices of a solo voice, one for each latent frame.

    Long recordings are read in stretches with more context on either side than the encoder's layers reach, so that
    the result is the same as in one piece.
    """
    import torch

    codec = model.config.codec
    samples = whole_frames(model, audio)
    samples = samples * np.float32(voice_gain(samples))
    stretch, context = 2048, 256  # latent frames
    tokens = []
    with torch.inference_mode():
        for first in range(0, len(samples) // codec.hop, stretch):
            left = max(0, first - context)
            piece = samples[left * codec.hop : (first + stretch + context) * codec.hop]
            device = model.codec.latent_mean.device
            found = model.content(torch.from_numpy(piece)[None].to(device))[0].cpu().numpy()
            tokens.append(found[first - left : first - left + stretch])
    return Content(np.concatenate(tokens), codec.frame_rate)
