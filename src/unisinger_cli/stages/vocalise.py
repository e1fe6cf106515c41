"""How a voice moves through notes: glides, overshoot, vibrato and drift, so that F0 is sung and not played.

Shapes and constants follow Saitou, Unoki and Akagi, "Development of an F0 control model based on F0 dynamic
characteristics for singing-voice synthesis", Speech Communication 46 (2005): overshoot and preparation are
responses of a damped second-order system. Rate and extent of the vibrato are about what Prame measured
("Measurements of the vibrato rate of ten singers", JASA 96, 1994; "Vibrato extent and intonation", JASA 102, 1997).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.types import Floats, Note

Curve: TypeAlias = NDArray[np.float64]  # one value for each of some times

_OVERSHOOT, _PREPARATION = 0.5422, 0.6681  # damping of the two responses (Saitou et al.)
_GLIDE = (0.06, 0.12)  # seconds from pitch to pitch
_AHEAD = 0.6  # share of a glide that lies before the note's start
_PHRASE_GAP = 0.15  # seconds of rest after which a note begins anew
_VIBRATO_FROM = 0.4  # seconds; a shorter note has none
_VIBRATO_DELAY = 0.25
_VIBRATO_RATE = (5.0, 6.5)  # Hz
_VIBRATO_EXTENT = (0.30, 0.80)  # semitones to either side


def _response(seconds: Curve, rise: float, damping: float) -> Curve:
    """Unit step response of a damped second-order system that first reaches 1 after `rise` seconds; 0 before 0."""
    root = np.sqrt(1 - damping**2)
    omega = (np.pi - np.arccos(damping)) / (root * rise)
    t = np.maximum(seconds, 0.0)
    ringing = np.cos(omega * root * t) + damping / root * np.sin(omega * root * t)
    return np.asarray(1 - np.exp(-damping * omega * t) * ringing, dtype=np.float64)


def _step(times: Curve, start: float, length: float) -> Curve:
    """From 0 to 1 over start..start + length: a small move the other way before, an overshoot after."""
    after = _response(times - start, length, _OVERSHOOT)
    before = 1 - _response(start + length - times, length, _PREPARATION)
    return (after + before) / 2


def _wander(times: Curve, rate: float, deviation: float, rng: np.random.Generator) -> Curve:
    """Smooth noise with about `rate` turns a second and the given standard deviation, in semitones."""
    first, last = float(times.min()), float(times.max())
    knots = np.arange(first, last + 2 / rate, 1 / rate)
    values = np.interp(times, knots, rng.normal(0.0, deviation, len(knots)))
    return np.asarray(values, dtype=np.float64)


def _vibrato(times: Curve, note: Note, rng: np.random.Generator) -> Curve:
    """Semitones about the note at `times` within it: sets in late, grows, and settles before the end."""
    rate, extent = rng.uniform(*_VIBRATO_RATE), rng.uniform(*_VIBRATO_EXTENT)
    extent *= min(1.0, note.end - note.start)  # a short note has little
    drift = rng.uniform(-0.3, 0.5)  # Hz a second: vibrato quickens towards a note's end
    t = times - note.start - _VIBRATO_DELAY
    swell = np.clip(t / 0.35, 0, 1) * np.clip((note.end - times) / 0.12, 0, 1)
    t = np.maximum(t, 0.0)
    wave = np.sin(2 * np.pi * (rate * t + drift * np.minimum(t, 1.0) ** 2 / 2))
    return np.asarray(extent * swell * wave, dtype=np.float64)


def sing_curve(notes: Sequence[Note], times: Floats, rng: np.random.Generator) -> Floats:
    """F0 in Hz at `times` (seconds, ascending, float32 [n]), float32 [n]: continuous, through rests too.

    `notes` are in time order and do not overlap. Raises ValueError without notes.
    """
    if not notes:
        raise ValueError("no notes to sing")
    t = times.astype(np.float64)
    if t.size == 0:
        return np.zeros(0, dtype=np.float32)
    midi = np.full(len(t), float(notes[0].midi))
    for i, note in enumerate(notes):
        anew = i == 0 or note.start - notes[i - 1].end > _PHRASE_GAP
        if i > 0:
            before = notes[i - 1]
            shorter = min(before.end - before.start, note.end - note.start)
            length = max(0.01, min(rng.uniform(*_GLIDE), 0.5 * shorter))
            gap = note.start - before.end
            start = note.start - min(0.25, gap / 2) - length if anew else note.start - _AHEAD * length
            near = (t > start - 0.6) & (t < start + 0.6)
            midi[t >= start + 0.6] += note.midi - before.midi
            midi[near] += (note.midi - before.midi) * _step(t[near], start, length)
        if anew:  # a phrase is approached from below
            scoop = -rng.uniform(0.2, 0.9)
            near = (t > note.start - _PHRASE_GAP) & (t < note.start + 0.4)
            sunk = np.minimum(1.0, (t[near] - note.start + _PHRASE_GAP) / 0.05)
            midi[near] += scoop * sunk * np.exp(-np.maximum(0, t[near] - note.start + 0.06) / 0.05)
        if note.end - note.start > _VIBRATO_FROM:
            held = (t >= note.start) & (t < note.end)
            midi[held] += _vibrato(t[held], note, rng)
        if i + 1 == len(notes) or notes[i + 1].start - note.end > _PHRASE_GAP:  # and left with a small fall
            fall = (t > note.end - 0.08) & (t < note.end + _PHRASE_GAP)
            down, back = (t[fall] - note.end + 0.08) / 0.08, (note.end + _PHRASE_GAP - t[fall]) / _PHRASE_GAP
            midi[fall] -= rng.uniform(0.0, 0.5) * np.minimum(np.minimum(down, back), 1)
    midi += _wander(t, 2.5, 0.07, rng) + _wander(t, 20.0, 0.025, rng)
    return np.asarray(440 * 2 ** ((midi - 69) / 12), dtype=np.float32)
