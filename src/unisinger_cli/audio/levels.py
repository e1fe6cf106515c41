"""How loud a sound is: loudness and true peak after ITU-R BS.1770 (gated; four-fold oversampled)."""

from __future__ import annotations

import math

import numpy as np

from unisinger_cli.types import Audio, Floats


def decibels(value: float) -> float:
    """20 log10(value), and -inf for zero."""
    return 20 * math.log10(value) if value > 0 else -math.inf


def loudness(audio: Audio) -> float:
    """Integrated loudness in LUFS (ITU-R BS.1770-4); -inf where all is below the gate of -70 LUFS."""
    import pyloudnorm

    samples = audio.samples.T.astype(np.float64)
    short = math.ceil(0.4 * audio.rate) + 1 - samples.shape[0]  # the meter needs one block of 400 ms
    if short > 0:
        samples = np.pad(samples, ((0, short), (0, 0)))
    with np.errstate(divide="ignore"):
        return float(pyloudnorm.Meter(audio.rate).integrated_loudness(samples))


def envelope(samples: Floats, rate: int) -> Floats:
    """The largest true magnitude at each sample, over the channels: float32 [channels, n] -> [n]."""
    import soxr

    n = samples.shape[1]
    fine = np.abs(soxr.resample(samples.T, rate, 4 * rate, quality="HQ")).max(axis=1)
    fine = np.pad(fine, (0, max(0, 4 * n - fine.size)))[: 4 * n].reshape(n, 4).max(axis=1)
    between = np.maximum(fine, np.concatenate([fine[1:], fine[-1:]]))  # a peak may lie between two samples
    return np.asarray(np.maximum(between, np.abs(samples).max(axis=0)), dtype=np.float32)


def true_peak(audio: Audio) -> float:
    """Largest magnitude of the four-fold oversampled sound (linear, 1 = full scale)."""
    return float(envelope(audio.samples, audio.rate).max())
