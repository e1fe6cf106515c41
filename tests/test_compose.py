"""Songs that somebody could sing: range, rate, form and harmony."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unisinger_cli.errors import InputError
from unisinger_cli.notation.keys import QUALITIES, read_key, tonic_and_mode
from unisinger_cli.pipeline.studio import bundled_composer
from unisinger_cli.stages.clock import pitch_frames
from unisinger_cli.stages.compose import compose
from unisinger_cli.stages.harmony import SCALES, detect_key, harmonise, score_from_pitch, tuning
from unisinger_cli.stages.lyrics import read_lyrics
from unisinger_cli.types import Chord, Note, Pitch, SongPlan

SONG = """[verse]
The morning comes across the sea
A silver line, a waking tree
The harbour bell begins to ring
And every window wants to sing
[chorus]
Oh, carry me over the water
Carry me home with the tide
[verse 2]
The morning comes across the sea
Somebody opens the door
[chorus]
Oh, carry me over the water
Carry me home with the tide
"""


def made(text: str = SONG, seed: int = 0, **given_: object) -> SongPlan:
    options = {"bpm": None, "key": None, "tags": (), "centre_midi": None} | given_
    lyrics = read_lyrics(text, "en")
    return compose(bundled_composer(), lyrics, rng=np.random.default_rng(seed), **options)  # type: ignore[arg-type]


def chord_at(plan: SongPlan, time: float) -> Chord:
    return next(chord for chord in plan.score.chords if chord.start <= time + 1e-6 < chord.end)


def tones(chord: Chord) -> set[int]:
    return {(chord.root + step) % 12 for step in QUALITIES[chord.quality]}


def notes_of(plan: SongPlan) -> list[Note]:
    return [note for line in plan.lines for syllable in line.syllables for note in syllable.notes]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000),
    st.one_of(st.none(), st.floats(40, 240)),
    st.one_of(st.none(), st.floats(50, 72)),
    st.lists(
        st.sampled_from(["oh", "la la la la", SONG.splitlines()[1], "sing " * 19, "so " * 40]), min_size=1, max_size=6
    ),
)
def test_any_song_can_be_sung(seed: int, bpm: float | None, centre: float | None, lines: list[str]) -> None:
    plan = made("\n".join(lines), seed, bpm=bpm, centre_midi=centre)
    notes = notes_of(plan)
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(notes))
    assert min(b.start - a.start for a, b in pairwise([*notes, Note(plan.seconds, plan.seconds, 0)])) > 0.199
    assert notes[0].start >= 0.3 and notes[-1].end <= plan.seconds
    middle = 62.0 if centre is None else centre
    assert all(abs(note.midi - middle) <= 8 for note in notes)
    tonic, mode = tonic_and_mode(plan.score.key)
    assert all((n.midi - tonic) % 12 in SCALES[mode] or n.midi % 12 in tones(chord_at(plan, n.start)) for n in notes)
    assert notes[-1].midi % 12 == tonic
    assert all(
        line.syllables[-1].notes[-1].end - line.syllables[-1].start > 1.49 * 60 / plan.score.bpm for line in plan.lines
    )
    chords = plan.score.chords
    assert chords[0].start == 0 and chords[-1].end == pytest.approx(plan.seconds)
    assert all(a.end == pytest.approx(b.start) for a, b in pairwise(chords))


def test_lines_take_whole_bars_and_leave_a_breath() -> None:
    plan = made()
    bar = 240 / plan.score.bpm
    gaps = [b.start - a.end for a, b in pairwise(plan.lines)]
    assert min(gaps) >= 0.25 * 60 / plan.score.bpm
    assert plan.seconds / bar == pytest.approx(round(plan.seconds / bar))


def test_stressed_syllables_find_strong_beats() -> None:
    strong = weak = 0
    for seed in range(10):
        plan = made(seed=seed)
        for line in plan.lines:
            for syllable in line.syllables:
                on_beat = abs((syllable.start * plan.score.bpm / 60 + 0.25) % 1 - 0.25) < 0.01
                if syllable.text in ("morning", "harbour", "bell", "window", "tide", "home"):
                    strong += on_beat
                    weak += not on_beat
    assert strong > 2.5 * weak


def test_melody_goes_mostly_by_step_over_the_chords() -> None:
    moves, fits = [], []
    for seed in range(20):
        plan = made(seed=seed)
        for line in plan.lines:
            moves += [abs(b.notes[0].midi - a.notes[-1].midi) for a, b in pairwise(line.syllables)]
        for note in notes_of(plan):
            chord = next(c for c in plan.score.chords if c.start <= note.start + 1e-6 < c.end)
            if note.end - note.start > 60 / plan.score.bpm:
                fits.append((note.midi - chord.root) % 12 in QUALITIES[chord.quality])
    assert np.mean(np.array(moves) <= 2) > 0.7
    assert np.mean(np.array(moves) > 7) < 0.02
    assert np.mean(np.array(moves) > 0) > 0.55
    assert np.mean(fits) > 0.8


def test_choruses_and_equal_lines_come_back() -> None:
    plan = made()
    tunes = [[s.notes[0].midi for s in line.syllables] for line in plan.lines]
    rhythms = [[round(s.start - line.start, 6) for s in line.syllables] for line in plan.lines]
    assert rhythms[4] == rhythms[8] and rhythms[0] == rhythms[6]
    assert tunes[4] == tunes[8] or tunes[4][1:] == tunes[8][1:]
    assert tunes[0] != tunes[4]


def test_the_song_ends_with_a_cadence() -> None:
    plan = made(key="D")
    roots = [chord.root for chord in plan.score.chords]
    assert roots[-3:] == [9, 2, 2] and plan.score.key == "D:maj"


def test_one_seed_one_song() -> None:
    assert made(seed=3) == made(seed=3)
    assert made(seed=3) != made(seed=4)


def test_tags_choose_tempo_and_mode() -> None:
    for seed in range(5):
        slow, fast = made(seed=seed, tags=("slow", "minor")), made(seed=seed, tags=("fast", "major"))
        assert slow.score.bpm < 80 < 110 < fast.score.bpm
        assert slow.score.key.endswith("min") and fast.score.key.endswith("maj")
    assert made(bpm=93.0, tags=("slow",)).score.bpm == 93


def test_time_stamps_are_kept() -> None:
    text = "[00:05.00]the morning comes across the sea\n[00:12.30]a silver line\n[00:13.60]a waking tree\n[00:20.00]"
    plan = made(text)
    assert [line.start for line in plan.lines] == pytest.approx([5.0, 12.3, 13.6], abs=0.13)
    assert plan.lines[1].end <= plan.lines[2].start <= 20
    assert 20 <= plan.seconds < 40


def test_time_stamps_without_time_are_refused() -> None:
    with pytest.raises(InputError, match="6 syllables"):
        made("[00:05.00]carry me over it\n[00:05.30]home")


def test_limits_are_named() -> None:
    with pytest.raises(InputError, match="2001 words, and at most 2000"):
        made("la " * 2001)
    with pytest.raises(InputError, match="at most 600 s"):
        made("sing a little song tonight\n" * 200, bpm=60.0)
    with pytest.raises(InputError, match="'H:maj'"):
        made(key="H:maj")


@pytest.mark.parametrize(
    ("text", "key"),
    [("C", "C:maj"), ("a minor", "A:min"), ("F#m", "F#:min"), ("Bb:maj", "Bb:maj"), ("Cb", "B:maj"), ("gis", "")],
)
def test_keys_are_read(text: str, key: str) -> None:
    if key:
        assert read_key(text) == key
    else:
        with pytest.raises(InputError, match=text):
            read_key(text)


def melody(midis: list[int], beat: float = 0.5) -> list[Note]:
    return [Note(i * beat, (i + 1) * beat, float(midi)) for i, midi in enumerate(midis)]


def test_key_of_a_tune_in_every_transposition() -> None:
    tune = [60, 62, 64, 65, 67, 67, 69, 67, 65, 64, 62, 60, 60, 67, 64, 60]
    for shift in range(12):
        assert read_key(detect_key(melody([m + shift for m in tune]))) == detect_key(melody([m + shift for m in tune]))
        assert tonic_and_mode(detect_key(melody([m + shift for m in tune]))) == (shift, "maj")


def test_harmony_follows_the_tune() -> None:
    tune = [60, 64, 67, 64, 65, 69, 72, 69, 67, 71, 74, 71, 72, 67, 64, 60]  # broken C, F, G and C
    score = harmonise(melody(tune), 120, 4, None, 0.0, 8.0)
    assert score.key == "C:maj"
    assert [chord.root for chord in score.chords] == [0, 5, 7, 0]
    assert score.chords[0].start == 0 and score.chords[-1].end == 8


@pytest.mark.parametrize("seed", range(4))
def test_a_sung_curve_gives_its_score_back(seed: int) -> None:
    rate = 44100 / 1024
    plan = made(seed=seed, bpm=96.0)
    frames = int(plan.seconds * rate)
    guess = score_from_pitch(Pitch(pitch_frames(plan, frames, rate, np.random.default_rng(seed)), rate))
    assert min(abs(guess.bpm / 96 - ratio) for ratio in (1, 0.75, 2 / 3, 4 / 3)) < 0.02
    wanted, got = (
        {(tonic + step) % 12 for step in SCALES[mode]}
        for tonic, mode in (tonic_and_mode(plan.score.key), tonic_and_mode(guess.key))
    )
    assert len(wanted & got) >= 6  # the key, its relative, or a neighbour
    assert guess.chords[-1].end == pytest.approx(plan.seconds, abs=0.1)


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.45, 0.45), st.integers(0, 100))
def test_the_tuning_of_a_singer_is_heard(off: float, seed: int) -> None:
    rate = 44100 / 1024
    plan = made(seed=seed % 5, bpm=96.0)
    hz = pitch_frames(plan, int(plan.seconds * rate), rate, np.random.default_rng(seed))
    assert tuning(Pitch(hz, rate).shifted(off)) == pytest.approx(off, abs=0.08)


def test_who_holds_no_pitch_has_no_tuning() -> None:
    rng = np.random.default_rng(0)
    glides = np.concatenate([np.linspace(*rng.uniform(100, 300, 2), 30) for _ in range(20)]).astype(np.float32)
    assert tuning(Pitch(glides, 43.0)) == 0
    assert tuning(Pitch(np.zeros(200, dtype=np.float32), 43.0)) == 0
    notes = np.repeat(220 * 2 ** ((np.arange(24) % 12 + np.arange(24) / 24) / 12), 20).astype(np.float32)
    assert tuning(Pitch(notes, 43.0)) == 0  # held, but between the keys each in its own way


def test_silence_has_a_score_too() -> None:
    score = score_from_pitch(Pitch(np.zeros(200, dtype=np.float32), 43.0))
    assert score.bpm == 90 and score.chords[-1].end == pytest.approx(200 / 43)
