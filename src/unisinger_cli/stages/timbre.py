"""Who sings: recordings of a voice -> a point of the one speaker space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unisinger_cli.audio import mono_at
from unisinger_cli.errors import InputError
from unisinger_cli.stages.content import voice_gain
from unisinger_cli.types import Audio, Floats, Timbre

if TYPE_CHECKING:
    from unisinger_cli.model.unisinger import UniSinger

WINDOW = 4.0  # s, as in training
SHORTEST = 0.5  # s of sounding voice that can be told from another


def without_silence(samples: Floats, rate: int) -> Floats:
    """The stretches that sound: 50 ms blocks within 40 dB of the loudest, each with its neighbours."""
    block = int(0.05 * rate)
    count = len(samples) // block
    if not count:
        return samples
    blocks = samples[: count * block].reshape(count, block)
    power = np.square(blocks, dtype=np.float64).mean(axis=1)
    sounds = power > power.max() * 1e-4
    sounds = sounds | np.roll(sounds, 1) | np.roll(sounds, -1)
    kept: Floats = blocks[sounds].reshape(-1)
    return kept


def timbre(model: UniSinger, recordings: Sequence[Audio]) -> Timbre:
    """Mean of the unit vectors of all 4 s windows of all recordings, brought back to unit length.

    Raises InputError where less than half a second sounds.
    """
    import torch

    codec = model.config.codec
    vectors = []
    for audio in recordings:
        mono = mono_at(audio, codec.rate)
        voiced = without_silence(mono * np.float32(voice_gain(mono)), codec.rate)
        if len(voiced) < SHORTEST * codec.rate:
            length = len(voiced) / codec.rate
            raise InputError(
                f"the reference sounds for {length:.2f} s, and must for {SHORTEST} s or more",
                "give a longer recording of the voice alone",
            )
        windows = max(1, round(len(voiced) / (WINDOW * codec.rate)))
        size = len(voiced) // windows // codec.hop * codec.hop
        pieces = voiced[: windows * size].reshape(windows, size)
        with torch.inference_mode():
            device = model.codec.latent_mean.device
            for start in range(0, windows, 8):
                batch = torch.from_numpy(pieces[start : start + 8].copy()).to(device)
                vectors.append(model.timbre(batch).cpu().numpy())
    mean = np.concatenate(vectors).mean(axis=0)
    return Timbre((mean / np.linalg.norm(mean)).astype(np.float32))
