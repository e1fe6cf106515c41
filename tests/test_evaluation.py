"""The evaluation: that its measures measure, and that its choice of voices is fair."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import RATE
from unisinger_cli.errors import InputError
from unisinger_cli.evaluation import metrics, report, spectra
from unisinger_cli.evaluation.clips import Clip, choose_pairs
from unisinger_cli.evaluation.findings import Part, Score, mean
from unisinger_cli.notation.keys import QUALITIES
from unisinger_cli.pipeline.scores import pitch_agreement
from unisinger_cli.pipeline.studio import bundled_composer
from unisinger_cli.stages.compose import compose
from unisinger_cli.stages.lyrics import read_lyrics
from unisinger_cli.types import Audio, Chord, Floats, Pitch

FRAME_RATE = RATE / 1024
CHORDS = [Chord(2.0 * i, 2.0 * i + 2, root, quality, root) for i, (root, quality) in enumerate(
    [(0, "maj"), (9, "min"), (5, "maj"), (7, "maj")])]  # fmt: skip


def play(chords: list[Chord], rng: np.random.Generator) -> Audio:
    """Chords plucked in arpeggios of three harmonics, in an order and rhythm of their own."""
    sound = np.zeros(round(chords[-1].end * RATE), dtype=np.float32)
    for chord in chords:
        for start in np.sort(rng.uniform(chord.start, chord.end - 0.3, 8)):
            midi = 60 + (chord.root + rng.choice(QUALITIES[chord.quality])) % 12
            t = np.arange(RATE // 2) / RATE
            hz = 440 * 2 ** ((midi - 69) / 12)
            tone = sum(np.sin(2 * np.pi * k * hz * t) / k for k in (1, 2, 3)) * np.exp(-5 * t)
            at = round(start * RATE)
            sound[at : at + len(tone)] += (0.2 * tone)[: len(sound) - at].astype(np.float32)
    return Audio(sound[None], RATE)


# ---------------------------------------------------------------- measures
def test_chords_are_heard() -> None:
    found = spectra.chroma(play(CHORDS, np.random.default_rng(0)).samples[0], RATE)
    right = metrics.chord_agreement(*found, CHORDS)
    others = [replace(chord, root=(chord.root + 1) % 12) for chord in CHORDS]
    wrong = metrics.chord_agreement(*found, others)
    assert right is not None and wrong is not None
    assert right > 0.5 > 0.1 > wrong
    key = metrics.key_shares(found[0], "C:maj")
    assert key is not None
    assert key[0] > 0.9 > 0.7 > key[1]
    assert metrics.in_key(*found, CHORDS) is True and metrics.in_key(*found, others) is False


def test_silence_has_no_harmony() -> None:
    chroma, times = spectra.chroma(np.zeros(4 * RATE, dtype=np.float32), RATE)
    assert metrics.chord_agreement(chroma, times, CHORDS) is None
    assert metrics.key_shares(chroma, "C:maj") is None
    assert metrics.in_key(chroma, times, CHORDS) is None


@pytest.mark.parametrize("midi", [45, 57, 60, 71, 80])
def test_chroma_names_the_note(midi: int) -> None:
    tone = np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * np.arange(RATE) / RATE).astype(np.float32)
    assert spectra.chroma(tone, RATE)[0].sum(axis=0).argmax() == midi % 12


def test_copies_are_found_and_others_are_not() -> None:
    """The same chords on the same instrument, played anew, are no copy; a late, quiet and noisy copy is one."""
    one, other = (play(CHORDS, np.random.default_rng(seed)) for seed in (1, 2))
    alike = [metrics.likeness(one, x) for x in (one, metrics.copied(one, np.random.default_rng(3)), other)]
    assert alike[0] == pytest.approx(1.0)
    assert alike[1] is not None and alike[2] is not None
    assert alike[1] > 0.8 > 0.5 > alike[2]
    assert metrics.likeness(one, Audio(np.zeros_like(one.samples), RATE)) is None


def test_sounding_share() -> None:
    half = np.concatenate([np.full(2 * RATE, 0.1), np.full(2 * RATE, 0.001)]).astype(np.float32)
    assert metrics.sounding_share(Audio(half[None], RATE)) == 0.5


def test_nearer_and_recognised() -> None:
    assert metrics.nearer_share([0.9, 0.4, 0.8, 0.7], [0.5, 0.6, 0.2, 0.1]) == 0.75
    assert metrics.nearer_share([], []) is None
    references = np.eye(4, dtype=np.float32)
    assert metrics.recognised_share(references, references) == 1
    assert metrics.recognised_share(np.roll(references, 1, axis=0), references) == 0


def test_pitch_of_a_plan() -> None:
    """Sung exactly as written, all is right; another plan's notes do not fit."""
    lyrics = read_lyrics("the morning comes across the sea\na silver line a waking tree", "en")
    one, other = (
        compose(
            bundled_composer(), lyrics, rng=np.random.default_rng(seed), bpm=90.0, key=key, tags=(), centre_midi=60.0
        )
        for seed, key in ((0, "C:maj"), (5, "Eb:min"))
    )
    frames = int(one.seconds * FRAME_RATE)
    wanted: Floats = metrics.note_pitch(one, frames, FRAME_RATE)
    first = one.lines[0].syllables[0].notes[0]
    middle = int((first.start + first.end) / 2 * FRAME_RATE)
    assert wanted[middle] == pytest.approx(440 * 2 ** ((first.midi - 69) / 12))
    assert wanted[-1] == 0 and not wanted[: int(first.start * FRAME_RATE) - 1].any()
    made = Pitch(wanted * np.float32(2 ** (10 / 1200)), FRAME_RATE)
    right = pitch_agreement(made, wanted)
    wrong = pitch_agreement(made, metrics.note_pitch(other, frames, FRAME_RATE))
    assert right["pitch_correlation"] == pytest.approx(1.0)
    assert right["pitch_error_cents"] == pytest.approx(10, abs=0.5)
    assert wrong["pitch_correlation"] is not None and wrong["pitch_correlation"] < 0.7


def test_scores_meet_their_bars() -> None:
    assert Score("a", 0.9, at_least=0.85).met is True
    assert Score("a", 0.8, at_least=0.85).met is False
    assert Score("a", None, at_least=0.85).met is False  # what could not be measured meets nothing
    assert Score("a", 1.2, at_most=1.0).met is False
    assert Score("a", 1.2).met is None
    assert mean([1.0, None, 0.0]) == 0.5
    assert mean([1.0, None], missing=0.0) == 0.5
    assert mean([None]) is None


def test_the_page_escapes_what_it_shows() -> None:
    part = Part("convert", (Score("<b>", 1.0, 0.5, "a & b", at_least=2),), (), ("x <script>",))
    text = report.page("t", {"model": "<i>"}, [part], {})
    assert "<script>" not in text and "&lt;b&gt;" in text and "a &amp; b" in text and "missed" in text


# ---------------------------------------------------------------- who is heard
def clip(i: int, speaker: int, kind: str = "speech", seconds: float = 8.0) -> Clip:
    return Clip(f"c{i}", Path(f"c{i}.wav"), f"s{speaker}", kind, seconds)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["speech", "song", "factory"]), st.floats(1, 40)), max_size=40
    ),
    st.integers(1, 20),
    st.integers(0, 2**31),
)
def test_pairs_are_fair(given_clips: list[tuple[int, str, float]], count: int, seed: int) -> None:
    clips = [clip(i, *rest) for i, rest in enumerate(given_clips)]
    try:
        pairs = choose_pairs(clips, count, seed)
    except InputError:
        usable = [one for one in clips if one.kind != "factory" and 4 <= one.seconds <= 30]
        possible = {a.name for a in usable if a.seconds <= 12 for b in usable if a.speaker != b.speaker}
        assert not possible
        return
    assert pairs == choose_pairs(clips, count, seed)
    assert 0 < len(pairs) <= count
    assert all(pair.source.speaker != pair.reference.speaker for pair in pairs)
    assert len({pair.source for pair in pairs}) == len({pair.reference for pair in pairs}) == len(pairs)
    assert all(pair.source.seconds <= 12 and "factory" not in (pair.source.kind, pair.reference.kind) for pair in pairs)


@pytest.mark.parametrize("bpm", [70.0, 96.0, 125.0])
def test_a_tempo_is_told_from_others(bpm: float) -> None:
    pytest.importorskip("librosa")
    rng, rate = np.random.default_rng(0), 22050
    clicks = np.zeros(20 * rate, dtype=np.float32)
    for i, time in enumerate(np.arange(0, 19.5, 60 / bpm)):
        start, length = int(time * rate), rate // 20
        clicks[start : start + length] += (
            (1.0 if i % 4 == 0 else 0.5) * rng.standard_normal(length) * np.hanning(length)
        )
    audio = Audio(clicks[None], rate)
    assert metrics.tempo_fits(audio, bpm) is True
    assert metrics.tempo_fits(audio, 2 * bpm) is True  # half the tempo is the same song
    assert metrics.tempo_fits(audio, 1.3 * bpm) is False
    assert metrics.tempo_fits(Audio(np.zeros((1, rate), dtype=np.float32), rate), bpm) is None


def test_twenty_pairs_of_twenty_voices() -> None:
    clips = [clip(i, i % 25) for i in range(50)] + [clip(50 + i, 99, "song") for i in range(15)]
    pairs = choose_pairs(clips, 20, 0)
    assert len(pairs) == 20
    assert len({pair.reference.speaker for pair in pairs}) == 20
    assert sum(pair.source.kind == "song" for pair in pairs) == 10
    assert choose_pairs(clips, 20, 1) != pairs
