"""More singers and songs out of those there are: a recording played slower or faster is somebody else's voice, and a
song in another key.

Pitch, formants and tempo move together, as between large and small people (speed perturbation, Ko et al. 2015; as
further speakers, Yamamoto et al. 2019). A few hundred recorded voices leave a speaker space nearly empty, and a flow
that has seen only so many points of it learns them by heart; so it does with accompaniments. Moves are whole semitones,
for chords have names.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from unisinger_cli.notation.keys import moved
from unisinger_cli.training.dataset import Row, score_of, told

# What nobody can say of it any more: a voice that was moved by four semitones may be a man's or a woman's, and a song
# that is a quarter faster slow or fast.
_UNSURE = ("female", "male", "slow", "medium", "fast")


def resampled(audio: Tensor, length: int) -> Tensor:
    """Audio [b, l] stretched to [b, length] with its whole band, by its Fourier series."""
    spectrum = torch.fft.rfft(audio.float())
    bins = length // 2 + 1
    spectrum = torch.nn.functional.pad(spectrum[:, :bins], (0, max(0, bins - spectrum.shape[1])))
    return torch.fft.irfft(spectrum, n=length) * (length / audio.shape[1])


def warped(row: Row, stems: Tensor, hz: np.ndarray, semitones: int, hop: int) -> tuple[Row, Tensor, np.ndarray]:
    """A clip played so much faster that it is `semitones` higher (slower and lower, if negative): its row as another
    speaker's, its stems [s, l'] of whole frames, its F0 [n'].

    `hz` [n] is the F0 of the vocal of `stems` [s, l] in Hz, frame by frame. Raises ValueError for less than a frame.
    """
    speed = 2 ** (semitones / 12)
    frames = int(stems.shape[1] / speed) // hop
    if frames < 1:
        raise ValueError(f"{row['id']} is too short to be played {semitones:+d} semitones higher")
    kept = round(frames * hop * speed)  # what is left over is less than a frame
    at = ((np.arange(frames) + 0.5) * speed).astype(int)
    pitch = np.where(at < len(hz), hz[np.minimum(at, len(hz) - 1)], 0.0) * speed
    later = lambda time: None if time is None else time / speed  # noqa: E731
    score = score_of(row)
    kept_fields = {name: value for name, value in row.items() if name not in ("notes", "caption")}
    other = kept_fields | {
        "id": f"{row['id']}@{semitones:+d}",
        "speaker": f"{row['speaker']}@{semitones:+d}",
        "speed": speed,
        "seconds": row["seconds"] / speed,
        "phonemes": row["phonemes"] and [[symbol, later(start), later(end)] for symbol, start, end in row["phonemes"]],
        "score": None if score is None else told(moved(score, semitones, 1 / speed)),
        "tags": [tag for tag in row["tags"] if tag not in _UNSURE],
    }
    return other, resampled(stems[:, :kept], frames * hop), pitch.astype(np.float32)
