"""Which note: F0 of a voice on the latent clock, by SwiftF0 (MIT; its weights come with the package).

50 to 1100 Hz. Whisper and breath come out unvoiced; creak below 50 Hz too. Under an accompaniment the tracker follows
what is loudest: separate first.
"""

from __future__ import annotations

import os
from functools import lru_cache, partial
from typing import Any

import numpy as np

from unisinger_cli.audio import at_rate, mono
from unisinger_cli.backends.memory import give_back
from unisinger_cli.types import Pitch, Sound

LOWEST, HIGHEST = 50.0, 1100.0  # Hz
_RATE = 16000  # Hz at which the tracker hears
_HOP = 256  # samples, of the tracker
_STRETCH, _CONTEXT = _HOP * 3750, _HOP * 64  # samples: a minute, and a second
_CONFIDENT = 0.5
_QUIET_DB = 45.0  # below the loudest: nothing there is called voiced
# A pitch is held where it stays within so many semitones for so many seconds. Of recorded speech of 4 s and more, 90 %
# holds one for less than this share of the voiced time; of sung syllables none does, of ornamented makam singing 1.5 %.
_HELD_SEMITONES, _HELD_SECONDS, _HELD_SHARE = 0.6, 0.3, 0.005


@lru_cache(maxsize=1)
def _tracker() -> Any:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # onnxruntime would report home, and keep an identifier of the machine
    from onnxruntime import RunOptions
    from swift_f0 import SwiftF0

    tracker, options = SwiftF0(threads=1, spin=False), RunOptions()
    # it would keep what it worked in, 100 MiB and more for each length of stretch it met, until the program ends
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    tracker.session.run = partial(tracker.session.run, run_options=options)
    return tracker


def track(voice: Sound, frame_rate: float) -> Pitch:
    """F0 at each latent frame's centre: ceil(seconds * frame_rate) frames, 0 where unvoiced.

    Octave jumps of one or two tracker frames are taken back; log-F0 is interpolated inside voiced stretches only.
    It is heard in stretches, with a second of context on either side.
    """
    frames = int(np.ceil(round(voice.seconds * frame_rate, 6)))
    heard = at_rate(mono(voice), _RATE)
    found = [_detected(heard, start) for start in range(0, max(heard.length, 1), _STRETCH)]
    times, hz, confidence, level = (np.concatenate([part[i] for part in found]) for i in range(4))
    if not times.size:
        return Pitch(np.zeros(frames, dtype=np.float32), frame_rate)
    voiced = (confidence >= _CONFIDENT) & (level > np.max(level) - _QUIET_DB)
    if not voiced.any():
        return Pitch(np.zeros(frames, dtype=np.float32), frame_rate)
    log_hz = _without_octave_jumps(np.log2(np.maximum(hz, 1.0)), voiced)
    at = (np.arange(frames) + 0.5) / frame_rate
    nearest = np.clip(np.searchsorted(times, at), 1, len(times) - 1)
    nearest = nearest - (at - times[nearest - 1] < times[nearest] - at)
    smooth = 2 ** np.interp(at, times[voiced], log_hz[voiced])
    return Pitch(np.where(voiced[nearest], smooth, 0.0).astype(np.float32), frame_rate)


def is_spoken(pitch: Pitch) -> bool:
    """Whether a voice only speaks: it is voiced, and hardly ever holds a pitch."""
    length = round(_HELD_SECONDS * pitch.frame_rate)
    if len(pitch.hz) < length:
        return False
    semitones = np.where(pitch.voiced, 12 * np.log2(np.maximum(pitch.hz, 1.0)), np.nan)
    stretches = np.lib.stride_tricks.sliding_window_view(semitones, length)
    spread = np.ptp(stretches[~np.isnan(stretches).any(axis=1)], axis=1)
    return bool(spread.size) and float((spread < _HELD_SEMITONES).mean()) < _HELD_SHARE


def _detected(heard: Sound, start: int) -> tuple[Any, Any, Any, Any]:
    """Times in s, F0 in Hz, confidence and level in dB of the tracker's frames in one stretch, from sample `start`."""
    before = min(start, _CONTEXT)
    samples = heard.read(start - before, min(start + _STRETCH + _CONTEXT, heard.length))[0]
    if len(samples) < 512 or not np.any(samples):
        return (np.zeros(0),) * 4
    found = _tracker().detect(samples, _RATE, fmin=LOWEST, fmax=HIGHEST)
    give_back()
    times = found.timestamps + (start - before) / _RATE
    first, last = (start - _HOP / 2) / _RATE, (start + _STRETCH - _HOP / 2) / _RATE
    inside = (times >= first) & (times < last)
    return times[inside], found.pitch_hz[inside], found.confidence[inside], found.loudness_db[inside]


def _without_octave_jumps(log_hz: Any, voiced: Any) -> Any:
    """Take back lone jumps of about an octave against the median of five neighbours."""
    from scipy.ndimage import median_filter

    middle = median_filter(log_hz, 5, mode="nearest")
    jump = log_hz - middle
    return np.where(voiced & (np.abs(np.abs(jump) - 1) < 0.15), middle, log_hz)
