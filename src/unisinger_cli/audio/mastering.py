"""To a common loudness, with peaks under a ceiling, and the sum of the stems kept."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from unisinger_cli.audio.levels import envelopes, loudness, true_peak
from unisinger_cli.audio.shape import scaled
from unisinger_cli.audio.tape import BLOCK, blocks, record
from unisinger_cli.types import Floats, Sound, Stems

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
    parts = [stems.vocal] if stems.accomp is None else [stems.vocal, stems.accomp, stems.mix]
    together = zip(*(envelopes(part) for part in parts), strict=True)
    envelope = record((np.maximum.reduce(block)[None] for block in together), 1, stems.vocal.rate)
    highest = max(float(block.max()) for block in blocks(envelope))
    most = CEILING / highest * 10 ** (MAX_REDUCTION / 20)
    gain = min(10 ** ((target - start) / 20), most)
    out = _limited(stems, envelope, gain)
    for _ in range(8):
        missing = target - loudness(out.mix)
        if abs(missing) < 0.2 or (missing > 0 and gain >= most):
            break
        gain = min(gain * 10 ** (1.5 * missing / 20), most)  # 1.5: a part of each step is limited away
        out = _limited(stems, envelope, gain)
    over = max(true_peak(part) for part in (out.vocal, out.accomp, out.mix) if part is not None) / CEILING
    return out if over <= 1 else _scaled(out, None, 1 / over)  # the curve itself bends the wave a little


def _limited(stems: Stems, envelope: Sound, gain: float) -> Stems:
    """All stems times `gain`, which dips where envelope [1, n] times gain would go over the ceiling."""
    if max(float(block.max()) for block in blocks(envelope)) * gain <= CEILING:
        return _scaled(stems, None, gain)
    half = max(1, round(LOOK_AHEAD * envelope.rate))
    return _scaled(stems, record(_dips(envelope, gain, half), 1, envelope.rate), gain)


def _dips(envelope: Sound, gain: float, half: int) -> Iterator[Floats]:
    """The limiter's curve, 1 where nothing is to be done: [1, n], in blocks."""
    for start in range(0, envelope.length, BLOCK):
        stop = min(start + BLOCK, envelope.length)
        loud = envelope.read(start - 2 * half, stop + 2 * half)[0]
        yield _smooth(np.minimum(1.0, CEILING / np.maximum(loud * gain, 1e-9)), half)[None]


def smooth_dips(wanted: Floats, half: int) -> Floats:
    """A smooth curve of gains that is nowhere over the `wanted` ones [n], each of which is 1 or less."""
    return _smooth(np.pad(wanted, 2 * half, constant_values=1.0), half)


def _smooth(wanted: Floats, half: int) -> Floats:
    """The same without the 2 * `half` values at either end."""
    from scipy.signal import oaconvolve

    window = np.hanning(2 * half + 3)[1:-1]
    lowest = _sliding_minimum(wanted, half)[half:-half]
    return np.asarray(oaconvolve(lowest, window / window.sum(), mode="valid"), dtype=np.float32)


def _sliding_minimum(values: Floats, half: int) -> Floats:
    """Minimum over `half` samples to either side, by doubling windows (log steps, no loop over samples)."""
    width = 2 * half + 1
    lowest, reach = np.pad(values, half, constant_values=1.0), 1
    while reach < width:
        step = min(reach, width - reach)
        lowest = np.minimum(lowest[:-step], lowest[step:])
        reach += step
    return lowest


def _scaled(stems: Stems, curve: Sound | None, gain: float) -> Stems:
    accomp = None if stems.accomp is None else scaled(stems.accomp, gain, curve)
    return Stems(scaled(stems.vocal, gain, curve), accomp)
