"""Which note: F0 of a voice on the latent clock, by SwiftF0 (MIT; its weights come with the package).

50 to 1100 Hz. Whisper and breath come out unvoiced; creak below 50 Hz too. Under an accompaniment the tracker follows
what is loudest: separate first.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from unisinger_cli.audio import resample
from unisinger_cli.types import Audio, Floats, Pitch

LOWEST, HIGHEST = 50.0, 1100.0  # Hz
_RATE = 16000  # Hz at which the tracker hears
_CONFIDENT = 0.5
_QUIET_DB = 45.0  # below the loudest: nothing there is called voiced


@lru_cache(maxsize=1)
def _tracker() -> Any:
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1, spin=False)


def track(samples: Floats, rate: int, frame_rate: float) -> Pitch:
    """F0 of mono samples [n] at each latent frame's centre: ceil(n / rate * frame_rate) frames, 0 where unvoiced.

    Octave jumps of one or two tracker frames are taken back; log-F0 is interpolated inside voiced stretches only.
    """
    frames = int(np.ceil(round(len(samples) / rate * frame_rate, 6)))
    heard = resample(Audio(samples[None], rate), _RATE).samples[0]
    if len(heard) < 512 or not np.any(heard):
        return Pitch(np.zeros(frames, dtype=np.float32), frame_rate)
    found = _tracker().detect(heard, _RATE, fmin=LOWEST, fmax=HIGHEST)
    voiced = found.confidence >= _CONFIDENT
    voiced &= found.loudness_db > np.max(found.loudness_db) - _QUIET_DB
    log_hz = np.log2(np.maximum(found.pitch_hz, 1.0))
    log_hz = _without_octave_jumps(log_hz, voiced)
    at = (np.arange(frames) + 0.5) / frame_rate
    nearest = np.clip(np.searchsorted(found.timestamps, at), 1, len(found.timestamps) - 1)
    left_is_nearer = at - found.timestamps[nearest - 1] < found.timestamps[nearest] - at
    nearest = nearest - left_is_nearer
    on = voiced[nearest]
    if not voiced.any():
        return Pitch(np.zeros(frames, dtype=np.float32), frame_rate)
    hz = 2 ** np.interp(at, found.timestamps[voiced], log_hz[voiced])
    return Pitch(np.where(on, hz, 0.0).astype(np.float32), frame_rate)


def _without_octave_jumps(log_hz: Any, voiced: Any) -> Any:
    """Take back lone jumps of about an octave against the median of five neighbours."""
    from scipy.ndimage import median_filter

    middle = median_filter(log_hz, 5, mode="nearest")
    jump = log_hz - middle
    return np.where(voiced & (np.abs(np.abs(jump) - 1) < 0.15), middle, log_hz)
