"""To a common loudness, with peaks under a ceiling, and the sum of the stems kept."""

from __future__ import annotations

import math

import numpy as np

from unisinger_cli.audio.levels import envelope as envelope_of
from unisinger_cli.audio.levels import loudness, true_peak
from unisinger_cli.types import Audio, Floats, Stems

TARGET_LUFS = -14.0
CEILING = 10 ** (-1.1 / 20)  # true peak of what we write: -1 dBFS and a hair for the quantiser
LOOK_AHEAD = 0.008  # s; half the width of the limiter's smoothing window
MAX_REDUCTION = 20.0  # dB that the limiter may take off the loudest peak


def master(stems: Stems, target: float = TARGET_LUFS) -> Stems:
    """Bring the mix to `target` LUFS with every true peak under -1 dBFS, and keep the stems' sum.

    One gain curve goes over all stems alike, so that mix = vocal + accompaniment still holds: a constant, and
    where that lifts peaks over the ceiling, dips around them (a look-ahead limiter whose curve is a sliding
    minimum smoothed over the same width, and so never lets a peak through). What the dips cost in loudness
    is made up for in a few rounds, as long as no peak is taken down by more than 20 dB.
    """
    start = loudness(stems.mix)
    if math.isinf(start):
        return stems
    rate = stems.vocal.rate
    parts = [stems.vocal] if stems.accomp is None else [stems.vocal, stems.accomp, stems.mix]
    envelope = np.maximum.reduce([envelope_of(part.samples, rate) for part in parts])
    most = CEILING / float(envelope.max()) * 10 ** (MAX_REDUCTION / 20)
    gain = min(10 ** ((target - start) / 20), most)
    out = _scaled(stems, _curve(envelope, gain, rate))
    for _ in range(8):
        missing = target - loudness(out.mix)
        if abs(missing) < 0.2 or (missing > 0 and gain >= most):
            break
        gain = min(gain * 10 ** (1.5 * missing / 20), most)  # 1.5: a part of each step is limited away
        out = _scaled(stems, _curve(envelope, gain, rate))
    over = max(true_peak(part) for part in (out.vocal, out.accomp, out.mix) if part is not None) / CEILING
    return _scaled(out, np.float32(1 / over)) if over > 1 else out  # the curve itself bends the wave a little


def _curve(envelope: Floats, gain: float, rate: int) -> Floats:
    """Gain over time, float32 [n]: `gain`, dipping so that gain times envelope stays under the ceiling."""
    wanted = np.minimum(1.0, CEILING / np.maximum(envelope * gain, 1e-9))
    if wanted.min() >= 1:
        return np.full(envelope.shape, gain, dtype=np.float32)
    half = max(1, round(LOOK_AHEAD * rate))
    lowest = _sliding_minimum(wanted, half)
    window = np.hanning(2 * half + 3)[1:-1]
    smooth = np.convolve(np.pad(lowest, half, mode="edge"), window / window.sum(), mode="valid")
    return np.asarray(smooth * gain, dtype=np.float32)


def _sliding_minimum(values: Floats, half: int) -> Floats:
    """Minimum over `half` samples to either side, by doubling windows (log steps, no loop over samples)."""
    width = 2 * half + 1
    lowest, reach = np.pad(values, half, constant_values=1.0), 1
    while reach < width:
        step = min(reach, width - reach)
        lowest = np.minimum(lowest[:-step], lowest[step:])
        reach += step
    return lowest


def _scaled(stems: Stems, curve: Floats | np.float32) -> Stems:
    accomp = stems.accomp and Audio(stems.accomp.samples * curve, stems.accomp.rate)
    return Stems(Audio(stems.vocal.samples * curve, stems.vocal.rate), accomp)
