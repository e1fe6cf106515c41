"""How loud a sound is: loudness and true peak after ITU-R BS.1770 (gated; four-fold oversampled)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce

import numpy as np

from unisinger_cli.audio.tape import BLOCK, blocks
from unisinger_cli.types import Floats, Sound

_GATE, _STEPS = 0.4, 4  # s of a gating block, and how many begin within one
_CONTEXT = 512  # samples on either side of a block that its oversampled peaks depend on


def decibels(value: float) -> float:
    """20 log10(value), and -inf for zero."""
    return 20 * math.log10(value) if value > 0 else -math.inf


def loudness(sound: Sound) -> float:
    """Integrated loudness in LUFS (ITU-R BS.1770-4); -inf where all is below the gate of -70 LUFS.

    As `pyloudnorm.Meter` has it, whose filters these are, but block by block.
    """
    power = _weighted_power(sound)
    if power.shape[1] < _STEPS:  # the meter needs one block of 400 ms
        power = np.pad(power, ((0, 0), (0, _STEPS - power.shape[1])))
    inside = np.cumsum(np.pad(power, ((0, 0), (1, 0))), axis=1)
    block = (inside[:, _STEPS:] - inside[:, :-_STEPS]) / (_GATE * sound.rate)
    with np.errstate(divide="ignore"):
        level = -0.691 + 10 * np.log10(np.maximum(block.sum(axis=0), 0))
        heard = level >= -70
        if not heard.any():
            return -math.inf
        relative = -0.691 + 10 * math.log10(block[:, heard].mean(axis=1).sum()) - 10
        heard = (level > relative) & (level > -70)
        return float(-0.691 + 10 * np.log10(block[:, heard].mean(axis=1).sum())) if heard.any() else -math.inf


def _weighted_power(sound: Sound) -> np.ndarray:
    """Sums of K-weighted squares of each tenth of a second, float64 [channels, tenths]."""
    from pyloudnorm import IIRfilter
    from scipy.signal import lfilter

    shelf = IIRfilter(4.0, 1 / math.sqrt(2), 1500.0, sound.rate, "high_shelf")
    high = IIRfilter(0.0, 0.5, 38.0, sound.rate, "high_pass")
    state = [np.zeros((sound.channels, 2)), np.zeros((sound.channels, 2))]
    tenth = _GATE / _STEPS * sound.rate  # samples
    tenths = round(sound.length / tenth)
    total, at = np.zeros((sound.channels, tenths)), 0
    for samples in blocks(sound):
        x = samples.astype(np.float64)
        for i, one in enumerate((shelf, high)):
            x, state[i] = lfilter(one.b, one.a, x, zi=state[i])
            x = x * one.passband_gain
        number = ((np.arange(at, at + x.shape[1]) + 1e-6) / tenth).astype(np.int64)
        inside = number < tenths
        for channel, values in enumerate(x):
            total[channel] += np.bincount(number[inside], np.square(values[inside]), minlength=tenths)
        at += x.shape[1]
    return total


def envelopes(sound: Sound) -> Iterator[Floats]:
    """The largest true magnitude at each sample, over the channels: float32 [n], in blocks."""
    for start in range(0, sound.length, BLOCK):
        stop = min(start + BLOCK, sound.length)
        yield _envelope(sound.read(start - _CONTEXT, stop + _CONTEXT), sound.rate)[_CONTEXT:-_CONTEXT]


def _envelope(samples: Floats, rate: int) -> Floats:
    import soxr

    n = samples.shape[1]
    # maxima over an axis of two or four are slow: over rows, and over every fourth value, they are not
    fine = reduce(np.maximum, np.abs(soxr.resample(samples.T, rate, 4 * rate, quality="HQ")).T)
    fine = np.pad(fine, (0, max(0, 4 * n - fine.size)))[: 4 * n]
    fine = reduce(np.maximum, (fine[i::4] for i in range(4)))
    between = np.maximum(fine, np.concatenate([fine[1:], fine[-1:]]))  # a peak may lie between two samples
    return np.asarray(np.maximum(between, np.abs(samples).max(axis=0)), dtype=np.float32)


def true_peak(sound: Sound) -> float:
    """Largest magnitude of the four-fold oversampled sound (linear, 1 = full scale)."""
    return max((float(block.max()) for block in envelopes(sound)), default=0.0)
