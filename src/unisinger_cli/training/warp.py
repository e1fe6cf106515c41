"""More singers out of those there are: a recording played slower or faster is somebody else's voice.

Pitch, formants and tempo move together, as between large and small people (speed perturbation, Ko et al. 2015; as
further speakers, Yamamoto et al. 2019). A few hundred recorded voices leave a speaker space nearly empty, and a flow
that has seen only so many points of it learns them by heart.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from unisinger_cli.training.dataset import Row

_SEXES = ("female", "male")  # a voice that was moved by four semitones may be either


def resampled(audio: Tensor, length: int) -> Tensor:
    """Audio [b, l] stretched to [b, length] with its whole band, by its Fourier series."""
    spectrum = torch.fft.rfft(audio.float())
    bins = length // 2 + 1
    spectrum = torch.nn.functional.pad(spectrum[:, :bins], (0, max(0, bins - spectrum.shape[1])))
    return torch.fft.irfft(spectrum, n=length) * (length / audio.shape[1])


def warped(row: Row, audio: Tensor, hz: np.ndarray, speed: float, hop: int) -> tuple[Row, Tensor, np.ndarray]:
    """A clip played at `speed`: its row as another speaker's, its audio [1, l'] of whole frames, its F0 [n'].

    `hz` [n] is the F0 of `audio` [1, l] in Hz, frame by frame.
    """
    frames = int(audio.shape[1] / speed) // hop
    if frames < 1:
        raise ValueError(f"{row['id']} is too short to be played at {speed:g} times its speed")
    kept = round(frames * hop * speed)  # what is left over is less than a frame
    at = ((np.arange(frames) + 0.5) * speed).astype(int)
    pitch = np.where(at < len(hz), hz[np.minimum(at, len(hz) - 1)], 0.0) * speed
    phonemes = row["phonemes"]
    if phonemes:
        later = lambda time: None if time is None else time / speed  # noqa: E731
        phonemes = [[symbol, later(start), later(end)] for symbol, start, end in phonemes]
    other = row | {
        "id": f"{row['id']}@{speed:g}",
        "speaker": f"{row['speaker']}@{speed:g}",
        "speed": speed,
        "seconds": row["seconds"] / speed,
        "phonemes": phonemes,
        "tags": [tag for tag in row["tags"] if tag not in _SEXES],
    }
    return other, resampled(audio[:, :kept], frames * hop), pitch.astype(np.float32)
