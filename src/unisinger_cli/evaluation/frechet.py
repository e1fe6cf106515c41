"""Fréchet distance of two collections of sounds, on an embedding that anyone can compute without weights.

Kilgour et al. ("Fréchet audio distance", Interspeech 2019) put Gaussians through embeddings of a trained network. None
can be bundled here, so each window is told by the means and deviations of its mel bands: how loud, how bright and how
lively it is. The number compares to others of this embedding alone; the distance between two halves of what is real is
the floor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unisinger_cli.audio import mono_at
from unisinger_cli.evaluation.spectra import log_mel
from unisinger_cli.types import Audio, Floats

RATE, BANDS, HOP = 32000, 32, 800
SECONDS = 1.0  # of a window, half of which the next one shares
LEVEL = -20.0  # dBFS, to which every sound is brought
_RIDGE = 1e-3  # dB squared, so that a handful of windows has a covariance


def embedding(audio: Audio) -> Floats:
    """Windows of a sound -> means and deviations of its mel bands in dB, float32 [windows, 2 * BANDS]; no window of a
    sound that is shorter than one, or silent."""
    mono = mono_at(audio, RATE)
    power = float(np.mean(np.square(mono, dtype=np.float64))) if len(mono) else 0.0
    frames = round(SECONDS * RATE / HOP)
    if power == 0 or len(mono) < SECONDS * RATE:
        return np.zeros((0, 2 * BANDS), dtype=np.float32)
    mel = log_mel(mono * np.float32(10 ** (LEVEL / 20) / power**0.5), RATE, BANDS, n_fft=2048, hop=HOP)
    cut = np.lib.stride_tricks.sliding_window_view(mel, frames, axis=0)[:: frames // 2]
    return np.concatenate([cut.mean(-1), cut.std(-1)], axis=1).astype(np.float32)


def distance(one: Sequence[Floats], other: Sequence[Floats]) -> float | None:
    """Squared Fréchet distance of the Gaussians of two collections of embeddings; None where one has under two windows.

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2) (Dowson, Landau, Journal of Multivariate Analysis 12, 1982).
    """
    a, b = (np.concatenate(list(found)).astype(np.float64) if found else None for found in (one, other))
    if a is None or b is None or min(len(a), len(b)) < 2:
        return None
    s1, s2 = (np.cov(x, rowvar=False) + _RIDGE * np.eye(x.shape[1]) for x in (a, b))
    root = _root(s1)
    middle = np.linalg.eigvalsh(root @ s2 @ root).clip(0)  # of the same eigenvalues as S1 S2, and symmetric
    apart = np.square(a.mean(0) - b.mean(0)).sum()
    return float(apart + np.trace(s1) + np.trace(s2) - 2 * np.sqrt(middle).sum())


def _root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(values.clip(0))) @ vectors.T)
