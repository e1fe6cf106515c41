"""Words set to tunes, tunes heard from humming, and what is checked before anything is sung."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import RATE
from notation_files import notes_of, song
from unisinger_cli.errors import InputError
from unisinger_cli.stages.arrange import arranged, plan_of
from unisinger_cli.stages.hum import hummed
from unisinger_cli.stages.lyrics import read_lyrics
from unisinger_cli.stages.preflight import preflight
from unisinger_cli.stages.setting import set_lyrics, set_written
from unisinger_cli.types import Audio, Chord, Note, PlanLine, Score, Tune

PHRASES = ((60, 62, 64, 65, 67), (67, 65, 64, 62), (60, 64, 67, 72, 71, 67))  # half a second a note, a second of rest


def tune(phrases: tuple[tuple[int, ...], ...] = PHRASES, texts: list[str | None] | None = None) -> Tune:
    notes: list[Note] = []
    now = 1.0
    for phrase in phrases:
        for pitch in phrase:
            notes.append(Note(now, now + 0.5, float(pitch)))
            now += 0.5
        now += 1.0
    return Tune(tuple(notes), tuple(texts or [None] * len(notes)), Score(120, 4, "", ()), now)


def shape(lines: tuple[PlanLine, ...]) -> list[list[int]]:
    """How many notes each syllable has, by line."""
    return [[len(syllable.notes) for syllable in line.syllables] for line in lines]


def set_to(text: str, given_: Tune | None = None) -> tuple[PlanLine, ...]:
    return set_lyrics(given_ or tune(), read_lyrics(text, "en"))


def test_lines_take_phrases_and_syllables_take_notes() -> None:
    lines = set_to("the sea will sing now\nand we will dance\noh carry me over it\n")
    assert shape(lines) == [[1] * 5, [1] * 4, [1] * 6] or [len(line.syllables) for line in lines] == [5, 4, 7]
    assert [line.start for line in lines] == [1.0, 4.5, 7.5]


def test_notes_that_are_left_over_prolong_a_syllable() -> None:
    lines = set_to("the sea will\nand we dance\noh, sing to me\n")
    assert [sum(each) for each in shape(lines)] == [5, 4, 6]
    assert [len(each) for each in shape(lines)] == [3, 3, 4]


def test_notes_that_are_missing_are_cut_from_the_longest() -> None:
    given_ = tune(((60, 62), (64, 65, 67, 69)))
    given_ = replace(given_, notes=(replace(given_.notes[0], end=1.4), *given_.notes[1:]))
    lines = set_to("we will sing\nand we will dance\n", given_)
    first = [syllable.notes[0] for syllable in lines[0].syllables]
    assert [note.midi for note in first] == [60, 62, 62]
    assert first[1].end == first[2].start == pytest.approx(1.75)


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(55, 75), min_size=1, max_size=9), min_size=1, max_size=5), st.data())
def test_whatever_is_set_can_be_sung(phrases: list[list[int]], data: st.DataObject) -> None:
    """All notes are sung, in order and without overlaps, whatever the words are; or they are refused in one line."""
    text = "\n".join("la " * n for n in data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=6)))
    given_ = tune(tuple(map(tuple, phrases)))
    try:
        lines = set_to(text, given_)
    except InputError as error:
        assert "syllables" in error.message and "notes" in error.message and "\n" not in error.message
        return
    plan = plan_of(given_, lines, "en", ())
    notes = notes_of(plan)
    assert [line.text.split() for line in lines] == [line.split() for line in text.splitlines()]
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(notes))
    assert sum(note.end - note.start for note in notes) == pytest.approx(0.5 * len(given_.notes))
    assert plan.score.chords[-1].end == pytest.approx(plan.seconds)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("la " * 40, "40 syllables in one line, the tune has 15 notes, too few"),
        ("la\n" * 16, "16 syllables in 16 lines, the tune has 15 notes, too few"),
        ("la la", "2 syllables in one line, the tune has 15 notes, too many"),
    ],
)
def test_hopeless_words_are_counted(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        set_to(text)


def test_words_under_the_notes_are_used() -> None:
    texts = [None, "Mor-", None, "ning", "sun", "!!", "shines", None, "on", "now", "you", "and", "me", "too", None]
    lines = set_written(tune(texts=texts), "en", "a.mid")
    assert [line.text for line in lines] == ["Morning sun", "shines on", "now you and me too"]
    assert shape(lines) == [[2, 1, 1], [2, 1], [1, 1, 1, 1, 2]]
    assert lines[0].syllables[0].notes[0].midi == 62  # nothing is sung before the first word
    with pytest.raises(InputError, match="pronounceable"):
        set_written(tune(texts=["???"] * 15), "en", "a.mid")


# ---------------------------------------------------------------- key, octave, tempo
def test_tune_moves_by_octaves_to_the_voice_and_to_the_key_that_is_asked_for() -> None:
    given_ = replace(tune(), score=Score(120, 4, "C:maj", (Chord(0, 9, 0, "maj", 0),)))
    down = arranged(given_, bpm=None, key=None, centre_midi=53.0)
    assert [a.midi - b.midi for a, b in zip(down.notes, given_.notes, strict=True)] == [-12] * 15
    assert down.score == given_.score and "-12 semitones" in down.remarks[0]
    up = arranged(given_, bpm=None, key="E", centre_midi=None)
    assert up.notes[0].midi == 64 and up.score.key == "E:maj" and up.score.chords[0].root == 4
    assert arranged(given_, bpm=None, key=None, centre_midi=None) == given_
    deep = replace(given_, notes=tuple(replace(note, midi=note.midi - 36) for note in given_.notes))
    assert arranged(deep, bpm=None, key=None, centre_midi=None).notes[0].midi >= 40


def test_tune_takes_another_tempo() -> None:
    slow = arranged(tune(), bpm=60.0, key=None, centre_midi=None)
    assert slow.notes[1] == Note(3.0, 4.0, 62.0) and slow.seconds == 2 * tune().seconds and slow.score.bpm == 60


# ---------------------------------------------------------------- humming
def hum(notes: list[tuple[float, float, float]], seconds: float, seed: int = 0) -> Audio:
    """A voice on "na": harmonics that swell and fade with each note, with a little vibrato and noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    samples = rng.normal(0, 1e-4, len(time))
    for start, end, midi in notes:
        inside = (time >= start) & (time < end)
        t = time[inside] - start
        wave = 440 * 2 ** ((midi + 0.15 * np.sin(2 * np.pi * 5 * t) - 69) / 12)
        phase = 2 * np.pi * np.cumsum(wave) / RATE
        swell = np.clip(t / 0.05, 0, 1) * np.clip((end - start - t) / 0.06, 0, 1)
        samples[inside] += 0.2 * (0.03 + 0.97 * swell) * sum(np.sin(k * phase) / k**2 for k in range(1, 8))
    return Audio(samples[None].astype(np.float32), RATE)


@pytest.mark.parametrize("tuning", [0.0, 0.3])
def test_hummed_notes_are_heard(tuning: float) -> None:
    melody = [57, 59, 61, 61, 62, 64, 64, 61, 59, 57, 57]  # two of the same pitch are struck twice
    starts = np.cumsum([1.0, *[0.5] * 4, 1.0, 0.5, 0.5, 0.5, 1.0, 0.5])
    given_ = [(float(a), float(a) + 0.5, midi + tuning) for a, midi in zip(starts, melody, strict=True)]
    heard = hummed(hum(given_, 9.0), "hum.wav")
    assert [note.midi for note in heard.notes] == melody
    assert np.abs(np.array([note.start for note in heard.notes]) - starts).max() < 0.09
    assert min(abs(heard.score.bpm / 120 - ratio) for ratio in (0.5, 1)) < 0.03
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(heard.notes))
    assert f"{100 * tuning:+.0f}"[:2] in heard.remarks[0] or tuning == 0


def test_noise_is_no_tune() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 3 * RATE)).astype(np.float32)
    with pytest.raises(InputError, match=r"noise\.wav has 0 notes"):
        hummed(Audio(noise, RATE), "noise.wav")


# ---------------------------------------------------------------- before it is sung
def test_preflight_says_what_a_singer_would() -> None:
    plan = song(bpm=100.0)
    notes = notes_of(plan)
    middle = float(np.average([note.midi for note in notes], weights=[note.end - note.start for note in notes]))
    assert preflight(plan, None) == preflight(plan, middle) == ()
    (high,) = preflight(plan, middle - 12)
    assert "12 semitones above" in high
    first = plan.lines[0].syllables[0]
    leap = replace(first, notes=(replace(first.notes[0], midi=middle + 15),))
    line = replace(plan.lines[0], syllables=(leap, *plan.lines[0].syllables[1:]))
    (far,) = preflight(replace(plan, lines=(line, *plan.lines[1:])), middle)
    assert "goes 15 semitones away" in far


def quick(rate: float) -> object:
    plan = song("one two three four five six", bpm=100.0)
    line = plan.lines[0]
    sung = [replace(s, notes=(Note(1 + i / rate, 1 + (i + 1) / rate, 60.0),)) for i, s in enumerate(line.syllables)]
    return replace(plan, lines=(replace(line, syllables=tuple(sung)),))


def test_preflight_names_the_line_its_rate_and_the_limit() -> None:
    (fast,) = preflight(quick(9.0), None)  # type: ignore[arg-type]
    assert "'one two three four five six' has 9.0 syllables a second; above 7" in fast
    with pytest.raises(InputError, match=r"'one two .* has 13\.0 syllables a second, and at most 12"):
        preflight(quick(13.0), None)  # type: ignore[arg-type]


def test_preflight_refuses_what_no_voice_reaches() -> None:
    plan = song("oh")
    syllable = plan.lines[0].syllables[0]
    for midi in (25.0, 95.0):
        shrill = replace(syllable, notes=(replace(syllable.notes[0], midi=midi),))
        with pytest.raises(InputError, match=f"MIDI {midi:g}"):
            preflight(replace(plan, lines=(replace(plan.lines[0], syllables=(shrill,)),)), None)
    with pytest.raises(InputError, match="700 s"):
        preflight(replace(plan, seconds=700.0), None)
