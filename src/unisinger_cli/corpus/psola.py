"""A recording's own periods, set at other times: TD-PSOLA (Moulines, Charpentier, Speech Communication 9, 1990).

A vocoder describes a voice and speaks from the description; here its waveform itself is kept, period by period. That is
nearer to the speaker (resemblyzer: 0.024 nearer at two semitones up), and no vocoder has to be analysed for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
HOP = 0.005  # seconds between two grains of noise
_PERIODS = (1 / 600, 1 / 60)  # seconds
_NEAR = 0.12  # seconds over which the place of the pulse within a period is the same


@dataclass(frozen=True)
class Grains:
    """Where grains come from and go to, each [n]: centres in the recording and in the song, and half widths, in s.

    A grain falls to nothing, as a Hann window does, one half width before and after its centre.
    """

    source: Doubles
    target: Doubles
    half: Doubles


def pulses(samples: Doubles, hz: Doubles, frame: float, rate: int) -> Doubles:
    """Times (s, ascending) of one point in each period, near to where the voice's pulse is.

    The phase of the fundamental tells periods apart without jitter, and the centre of the energy's rise within them
    tells where the pulse is. Voiceless stretches get points too, at the pace of the voiced ones around them.

    Args:
        samples: the recording, [n].
        hz: F0 of its frames, centred at (i + 0.5) * frame seconds; 0 where unvoiced.
    """
    from scipy.signal import fftconvolve

    frames = (np.arange(len(hz)) + 0.5) * frame
    voiced = hz > 0
    if not voiced.any():
        return np.arange(0, len(samples) / rate, HOP)
    times = np.arange(len(samples)) / rate
    phase = np.cumsum(np.interp(times, frames[voiced], hz[voiced])) / rate  # in periods
    base = samples * np.exp(-2j * np.pi * phase)
    base = fftconvolve(base, np.hanning(int(2 * rate / np.median(hz[voiced])) | 1), mode="same")
    phase += np.unwrap(np.angle(base)) / (2 * np.pi)
    sounding = voiced[np.minimum((times / frame).astype(int), len(hz) - 1)]
    rise = np.diff(samples, prepend=0) ** 2 * sounding
    centre = fftconvolve(rise * np.exp(2j * np.pi * phase), np.hanning(int(_NEAR * rate) | 1), mode="same")
    phase -= np.unwrap(np.angle(centre)) / (2 * np.pi)
    before = np.flatnonzero(np.diff(np.floor(phase)) > 0)
    step = phase[before + 1] - phase[before]
    return np.asarray((before + (np.floor(phase[before + 1]) - phase[before]) / step) / rate, dtype=np.float64)


def voiceless_part(hz: Doubles, frame: float, start: float, end: float) -> tuple[float, float]:
    """The longest stretch of `start`..`end` (s) without a pitch; of no length where all has one.

    Its neighbours' voicing reaches into a voiceless consonant, by nature or by a boundary that is a little off. Laid
    into a song as it is, it would keep the pitch of the speech where the song's labels say that there is none.

    Args:
        hz: F0 of the recording's frames, centred at (i + 0.5) * frame seconds; 0 where unvoiced.
    """
    first = round(start / frame)
    voiced = np.concatenate([[True], hz[first : round(end / frame)] > 0, [True]])
    runs = first + np.flatnonzero(np.diff(voiced)).reshape(-1, 2)
    if not len(runs):
        return start, start
    a, b = runs[np.diff(runs)[:, 0].argmax()] * frame
    return float(a), float(b)


def voiced_grains(places: Doubles, target: Doubles, marks: Doubles) -> Grains:
    """At the song's pulses `target`, the recording's periods that lie nearest to `places`."""
    right = np.clip(np.searchsorted(marks, places), 1, len(marks) - 1)
    nearest = right - (places - marks[right - 1] < marks[right] - places)
    after, before = np.minimum(nearest + 1, len(marks) - 1), np.maximum(nearest - 1, 0)
    period = np.clip((marks[after] - marks[before]) / np.maximum(after - before, 1), *_PERIODS)
    return Grains(marks[nearest], target, period)


def lay(out: Doubles, samples: Doubles, rate: int, grains: Grains, warp: float = 1.0) -> None:
    """Add grains of `samples` to `out`, both [n] at `rate` Hz. Read `warp` times as fast, they have other formants."""
    rows = (grains.source * rate, grains.target * rate, grains.half * rate / warp)
    for source, target, half in zip(*rows, strict=True):
        first, last = max(0, int(np.ceil(target - half))), min(len(out), int(target + half) + 1)
        away = np.arange(first, last) - target
        window = 0.5 + 0.5 * np.cos(np.pi * away / half)
        out[first:last] += window * _read(samples, source + away * warp)


def _read(samples: Doubles, places: Doubles) -> Doubles:
    """Samples between samples, by the cubic of Catmull and Rom; a line between two would take the treble away."""
    at = np.clip(places, 1, len(samples) - 3)
    left = at.astype(int)
    t = at - left
    a, b, c, d = (samples[left + k] for k in (-1, 0, 1, 2))
    found = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.asarray(found, dtype=np.float64)
