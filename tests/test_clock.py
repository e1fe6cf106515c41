"""Plans on the latent clock: phonemes in order, a curve that is sung, and harmony where it belongs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unisinger_cli.model.config import PHONEMES, SCORE_DIM
from unisinger_cli.stages.clock import phoneme_frames, phoneme_spans, pitch_frames, score_frames
from unisinger_cli.stages.vocalise import sing_curve
from unisinger_cli.types import Chord, Note, PlanLine, Score, SongPlan, Syllable

RATE = 43.066
IDS = {symbol: i for i, symbol in enumerate(PHONEMES)}
SCORE = Score(100, 4, "C:maj", (Chord(0, 2, 0, "maj", 0),))


def plan_of(*lines: list[tuple[str, float, float]], seconds: float | None = None) -> SongPlan:
    """Lines of (phonemes, start, end), at A3."""
    made = tuple(PlanLine("", tuple(Syllable(s, tuple(s), (Note(a, b, 57),)) for s, a, b in line)) for line in lines)
    return SongPlan(made[-1].end + 1 if seconds is None else seconds, SCORE, made, "en")


@st.composite
def plans(draw: st.DrawFn) -> SongPlan:
    time = draw(st.floats(0, 2))
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        line = []
        for _ in range(draw(st.integers(1, 5))):
            symbols = draw(st.sampled_from(["a", "la", "stɹɛŋkθs", "aɪ", "maɪnd", "ns", "s", "hm", "jɛt", "kjut"]))
            length = draw(st.floats(0.05, 2))
            line.append((symbols, time, time + length))
            time += length + draw(st.sampled_from([0.0, 0.0, 0.01, 0.1, 0.5, 2.0]))
        lines.append(line)
    return plan_of(*lines)


@settings(max_examples=200, deadline=None)
@given(plans())
def test_spans_cover_the_song_once_and_say_every_word(plan: SongPlan) -> None:
    spans = phoneme_spans(plan)
    assert spans[0][1] == 0
    assert spans[-1][2] == pytest.approx(plan.seconds)
    for before, after in pairwise(spans):
        assert before[2] == pytest.approx(after[1], abs=1e-9)
    assert all(end > start for _, start, end in spans)
    sung = [symbol for symbol, _, _ in spans if symbol not in "_^"]
    assert sung == [symbol for line in plan.lines for s in line.syllables for symbol in s.phonemes]


def test_vowels_start_with_their_notes_and_consonants_before() -> None:
    spans = phoneme_spans(plan_of([("la", 1.0, 2.0), ("sta", 2.0, 3.0)]))
    starts = {(symbol, round(start, 6)) for symbol, start, _ in spans}
    assert ("a", 1.0) in starts and ("a", 2.0) in starts
    first_s = next(start for symbol, start, _ in spans if symbol == "s")
    assert 1.7 < first_s < 2.0


def test_consonants_take_the_time_they_are_given_where_there_is_any() -> None:
    plan = plan_of([("sta", 1.0, 2.0), ("nas", 2.0, 3.0)])
    spans = phoneme_spans(plan, [[0.2, 0.05, 9.0], [0.3, 9.0, 0.1]])
    sung = [span for span in spans if span[0] not in "_^"]
    assert [symbol for symbol, _, _ in sung] == list("stanas")
    lengths = [end - start for _, start, end in sung]
    assert lengths == pytest.approx([0.2, 0.05, 0.7, 0.3, 0.9, 0.1])
    assert phoneme_spans(plan) != spans  # they have usual lengths, too
    crowded = phoneme_spans(plan_of([("las", 1.0, 1.2)]), [[0.05, 9.0, 5.0]])
    vowel = next(end - start for symbol, start, end in crowded if symbol == "a")
    assert 0.07 < vowel < 0.09  # a vowel keeps its share of a note, however long its consonants would be


def test_a_diphthong_glides_at_the_end() -> None:
    spans = phoneme_spans(plan_of([("aɪ", 1.0, 2.0)]))
    lengths = {symbol: end - start for symbol, start, end in spans if symbol in "aɪ"}
    assert lengths["a"] == pytest.approx(0.88) and lengths["ɪ"] == pytest.approx(0.12)


def test_a_breath_comes_before_a_line_where_there_is_time() -> None:
    line = [("la", 1.0, 2.0), ("la", 2.6, 3.0)]
    spans = phoneme_spans(plan_of(line, [("la", 3.6, 4.0)], [("la", 4.1, 5.0)]))
    breaths = [(start, end) for symbol, start, end in spans if symbol == "^"]
    assert len(breaths) == 2  # not within a line, and not in a tenth of a second
    assert all(0.149 < end - start < 0.301 for start, end in breaths)


def test_frames_are_read_at_their_centres() -> None:
    ids = phoneme_frames((("_", 0.0, 0.11), ("a", 0.11, 0.3)), 40, 100.0, IDS)
    assert list(ids[:11]) == [0] * 11 and set(ids[11:30]) == {IDS["a"]} and not ids[30:].any()


def test_no_pitch_in_rests_and_voiceless_sounds() -> None:
    plan = plan_of([("sa", 1.0, 2.0)])
    frames = int(plan.seconds * RATE)
    hz = pitch_frames(plan, frames, RATE, np.random.default_rng(0))
    ids = phoneme_frames(phoneme_spans(plan), frames, RATE, IDS)
    assert np.array_equal(hz > 0, ids == IDS["a"])


@pytest.fixture
def leap() -> tuple[np.ndarray, np.ndarray]:
    """A fifth up, each note two seconds, without the share that chance has: the mean of 60 draws."""
    times = np.arange(0, 4, 0.005, dtype=np.float32)
    notes = [Note(0, 2, 57), Note(2, 4, 64)]
    curves = [69 + 12 * np.log2(sing_curve(notes, times, np.random.default_rng(i)) / 440) for i in range(60)]
    return times, np.array(curves)


def test_a_leap_is_a_glide_with_preparation_and_overshoot(leap: tuple[np.ndarray, np.ndarray]) -> None:
    times, curves = leap
    mean = curves.mean(axis=0)
    assert mean[(times > 1.7) & (times < 2)].min() < 57 - 0.05
    assert mean[(times > 2) & (times < 2.25)].max() > 64 + 0.15
    between = (mean > 57.7) & (mean < 63.3)
    assert 0.03 < between.sum() * 0.005 < 0.12


def test_vibrato_sets_in_late_at_a_singers_rate(leap: tuple[np.ndarray, np.ndarray]) -> None:
    times, curves = leap
    early, late = (times > 0.1) & (times < 0.3), (times > 1.0) & (times < 1.8)
    assert curves[:, early].std(axis=1).mean() < 0.6 * curves[:, late].std(axis=1).mean()
    held = curves[:, (times > 0.8) & (times < 1.8)]
    spectrum = np.abs(np.fft.rfft(held - held.mean(axis=1, keepdims=True), 4096)).mean(axis=0)
    assert 4.5 < np.fft.rfftfreq(4096, 0.005)[spectrum.argmax()] < 7


def test_short_notes_have_no_vibrato_and_stay_in_tune() -> None:
    notes = [Note(i * 0.3, (i + 1) * 0.3, 57 + i) for i in range(6)]
    times = np.array([n.start + 0.2 for n in notes], dtype=np.float32)
    midi = 69 + 12 * np.log2(sing_curve(notes, times, np.random.default_rng(1)) / 440)
    assert np.abs(midi - [n.midi for n in notes]).max() < 0.5


@settings(max_examples=60, deadline=None)
@given(plans(), st.integers(0, 5))
def test_the_curve_is_continuous_and_near_its_notes(plan: SongPlan, seed: int) -> None:
    notes = [note for line in plan.lines for s in line.syllables for note in s.notes]
    times = np.arange(0, plan.seconds, 0.002, dtype=np.float32)
    midi = 69 + 12 * np.log2(sing_curve(notes, times, np.random.default_rng(seed)) / 440)
    assert np.isfinite(midi).all()
    assert np.abs(midi - 57).max() < 2.5
    assert np.abs(np.diff(midi)).max() < 0.25


def test_one_seed_one_curve() -> None:
    plan = plan_of([("la", 0.5, 2.0)])
    a, b, c = (pitch_frames(plan, 100, RATE, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_score_frames_name_chord_bass_beat_and_bar() -> None:
    score = Score(120, 4, "A:min", (Chord(0.5, 1.5, 9, "min", 0),), downbeat=0.5)
    frames = score_frames(score, 200, 100.0)
    assert frames.shape == (200, SCORE_DIM) and frames.dtype == np.float32
    inside = frames[60]
    assert set(np.flatnonzero(inside[:12])) == {9, 0, 4}
    assert set(np.flatnonzero(inside[12:24])) == {0} and inside[28] == 1
    assert not frames[10, :24].any() and frames[10, 28] == 0
    at = np.arctan2(frames[:, 26], frames[:, 27]) / (2 * np.pi) % 1  # a bar of two seconds
    assert at[50] == pytest.approx(0.0025, abs=1e-3) and at[150] == pytest.approx(0.5025, abs=1e-3)
    beat = np.arctan2(frames[:, 24], frames[:, 25]) / (2 * np.pi) % 1
    assert beat[75] == pytest.approx(0.51, abs=1e-3)
