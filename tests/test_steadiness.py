"""Measures of held notes, of seams and of collections, on sounds of which they are known."""

from __future__ import annotations

import numpy as np
import pytest

from unisinger_cli.evaluation.frechet import distance, embedding
from unisinger_cli.evaluation.long import BARS, HELD, slow_song
from unisinger_cli.evaluation.steadiness import broken_share, deviation, held_notes, seam, shuffled
from unisinger_cli.types import Audio

FRAME_RATE, RATE = 43.066, 44100


def track(cents: np.ndarray) -> np.ndarray:
    return (440 * 2 ** (cents / 1200)).astype(np.float32)


def at(seconds: float = 2.0) -> np.ndarray:
    return np.arange(int(seconds * FRAME_RATE)) / FRAME_RATE


def test_vibrato_is_no_deviation_and_a_wrong_height_is() -> None:
    vibrato = 40 * np.sin(2 * np.pi * 5.5 * at())
    assert deviation(track(vibrato), 69, FRAME_RATE) < 4
    assert deviation(track(vibrato + 25), 69, FRAME_RATE) == pytest.approx(25, abs=2)
    drift = np.linspace(-30, 30, len(at()))
    assert deviation(track(drift), 69, FRAME_RATE) == pytest.approx(30 / 3**0.5, rel=0.1)
    assert deviation(track(np.zeros(len(at()))), 70, FRAME_RATE) == pytest.approx(100)


def test_unvoiced_frames_are_bridged() -> None:
    hz = track(np.full(len(at()), 10.0))
    hz[20:24] = 0
    assert deviation(hz, 69, FRAME_RATE) == pytest.approx(10, abs=0.1)
    assert np.isnan(deviation(np.zeros(40, dtype=np.float32), 69, FRAME_RATE))


def partials(gap: bool) -> Audio:
    """Two seconds of six partials of 220 Hz, of which the fourth may be missing for a tenth of a second."""
    t = np.arange(2 * RATE) / RATE
    parts = [np.sin(2 * np.pi * 220 * k * t) / k for k in range(1, 7)]
    if gap:
        parts[3] = parts[3] * ~((t > 1.0) & (t < 1.1))
    return Audio(0.1 * np.sum(parts, axis=0, dtype=np.float32)[None], RATE)


def test_a_partial_that_falls_away_is_broken() -> None:
    last = int(2 * FRAME_RATE)
    assert broken_share(partials(gap=False), 0, last, 220.0, FRAME_RATE) == 0
    assert 0.002 < broken_share(partials(gap=True), 0, last, 220.0, FRAME_RATE) < 0.02  # a sixth of five hundredths


def test_held_notes_are_found_where_the_pitch_stays() -> None:
    moving, still = np.linspace(-1200, 0, 100), np.zeros(100)
    hz = np.concatenate([track(moving), track(still), np.zeros(60, dtype=np.float32)])
    found = held_notes(hz, FRAME_RATE)
    assert found and all(a >= 85 and b <= 200 for a, b in found)


def test_cuts_show_and_a_whole_sound_has_none() -> None:
    t = np.arange(20 * RATE) / RATE
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(len(t)) * 0.003
    sound = np.sin(2 * np.pi * np.cumsum(200 + 15 * t) / RATE) + noise  # a glide: no two places sound alike
    audio = Audio((0.3 * sound).astype(np.float32)[None], RATE)
    borders = [100, 230, 360, 520, 700]
    assert seam(audio, borders, 1024) == pytest.approx(1.0, abs=0.15)
    assert seam(shuffled(audio, borders, 1024), borders, 1024) > 2
    assert shuffled(audio, borders, 1024).samples.shape[1] == audio.samples.shape[1] // 1024 * 1024
    assert seam(audio, [], 1024) == 1.0


def test_the_slow_song_holds_every_note_over_its_chord() -> None:
    plan = slow_song(60.0)
    notes = [note for line in plan.lines for syllable in line.syllables for note in syllable.notes]
    assert plan.seconds == 180 and len(notes) == BARS
    assert all(note.end - note.start == pytest.approx(HELD) for note in notes)
    thirds = {"maj": (0, 4, 7), "min": (0, 3, 7)}
    for note, chord in zip(notes, plan.score.chords, strict=True):
        assert chord.start <= note.start < note.end <= chord.end
        assert (note.midi - chord.root) % 12 in thirds[chord.quality]
    assert abs(np.median([note.midi for note in notes]) - 60) <= 2


# ---------------------------------------------------------------- Fréchet distance
def test_the_distance_of_gaussians() -> None:
    """Against the closed form of axes that do not depend on each other."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((40000, 3)) * [1.0, 2.0, 0.5]
    b = rng.standard_normal((40000, 3)) * [1.5, 1.0, 0.5] + [0.0, 1.0, -2.0]
    expected = (0.5**2 + 1.0**2 + 0.0) + (1.0 + 4.0)
    assert distance([a], [b]) == pytest.approx(expected, rel=0.05)
    assert distance([b], [a]) == pytest.approx(distance([a], [b]) or 0)
    assert distance([a[:20000]], [a[20000:]]) == pytest.approx(0, abs=0.01)
    assert distance([], [a]) is None and distance([a[:1]], [b]) is None


def test_brightness_and_liveliness_are_told_apart_and_loudness_is_not() -> None:
    rng = np.random.default_rng(0)
    white = rng.standard_normal(5 * 32000)
    dark = np.convolve(white, np.ones(24) / 24, mode="same")
    beating = white * (np.sin(2 * np.pi * 4 * np.arange(len(white)) / 32000) > 0)
    of = lambda x, gain=0.1: [embedding(Audio((gain * x).astype(np.float32)[None], 32000))]  # noqa: E731
    near = distance(of(white), of(rng.standard_normal(5 * 32000), 0.02))
    assert near is not None
    for other in (dark, beating):
        far = distance(of(white), of(other))
        assert far is not None and far > 20 * near
    assert len(embedding(Audio(np.zeros((1, 64000), dtype=np.float32), 32000))) == 0
    assert len(embedding(Audio(np.ones((1, 100), dtype=np.float32), 32000))) == 0
