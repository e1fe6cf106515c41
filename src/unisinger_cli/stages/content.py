"""What is sung: a recording's phonetic content as tokens on the latent clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unisinger_cli.audio import at_rate, blocks, mono, mono_at
from unisinger_cli.backends.memory import give_back
from unisinger_cli.types import Audio, Content, Floats, Sound

if TYPE_CHECKING:
    from unisinger_cli.model.unisinger import UniSinger

_STRETCH, _CONTEXT = 2048, 256  # latent frames
_BLOCK = 1024  # samples whose power is measured together
LEVEL = 0.08  # RMS, -22 dBFS, that voices are brought to before any encoder hears them


def whole_frames(model: UniSinger, audio: Audio) -> Floats:
    """Mono samples at the model's rate, padded with silence to whole latent frames."""
    codec = model.config.codec
    mono = mono_at(audio, codec.rate)
    return np.pad(mono, (0, -len(mono) % codec.hop))


def voice_gain(samples: Floats) -> float:
    """The factor that brings the sounding part of a voice [n] to LEVEL; 1 for silence."""
    return gain_of(Audio(samples[None], 1))


def gain_of(voice: Sound) -> float:
    """The same for a sound of one channel and any length."""
    powers = [
        np.square(block[0, : block.shape[1] // _BLOCK * _BLOCK].reshape(-1, _BLOCK), dtype=np.float64).mean(axis=1)
        for block in blocks(voice)
    ]
    power = np.concatenate(powers) if powers else np.zeros(0)
    if not power.size or power.max() <= 0:
        return 1.0
    return float(LEVEL / np.sqrt(power[power > power.max() * 1e-3].mean()))


def content(model: UniSinger, voice: Sound) -> Content:
    """Codebook indices of a solo voice, one for each latent frame.

    It is read in stretches with more context on either side than the encoder's layers reach, so that the result is the
    same as in one piece.
    """
    import torch

    codec = model.config.codec
    heard = mono(at_rate(voice, codec.rate))
    gain = np.float32(gain_of(heard))
    frames = -(-heard.length // codec.hop)
    tokens = []
    with torch.inference_mode():
        for first in range(0, frames, _STRETCH):
            left, right = max(0, first - _CONTEXT), min(frames, first + _STRETCH + _CONTEXT)
            piece = torch.from_numpy(heard.read(left * codec.hop, right * codec.hop) * gain)
            found = model.content(piece.to(model.codec.latent_mean.device))[0].cpu().numpy()
            tokens.append(found[first - left : first - left + _STRETCH])
            give_back()
    return Content(np.concatenate(tokens), codec.frame_rate)
