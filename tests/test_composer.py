"""The learned composer: what it learns and from whom, its file, and what its songs keep to."""

from __future__ import annotations

import json
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from conftest import Run
from test_compose import SONG, made, notes_of
from test_corpus_scores import SIGNATURE, chord, musicxml, mxl, note, pop_zip
from unisinger_cli.corpus import events as scores
from unisinger_cli.corpus.scores import entries
from unisinger_cli.corpus.splits import split_of_composer, split_of_song
from unisinger_cli.errors import ModelError
from unisinger_cli.model.composer import CLASSES, FEATURES, NO_CHORD, OCTAVE, chord_class, load_composer, save_composer
from unisinger_cli.pipeline import studio
from unisinger_cli.stages.harmony import SCALES
from unisinger_cli.stages.melody import altered
from unisinger_cli.training.composer import learn
from unisinger_cli.types import Chord, SongPlan

TRAIN_COMPOSER = next(n for n in (f"Train {k}" for k in range(99)) if split_of_composer(n) == "train")
TEST_COMPOSER = next(n for n in (f"Test {k}" for k in range(99)) if split_of_composer(n) == "test")
LINE = [  # each syllable a quarter, a step up and a step down; a rest after eight of them
    note("C5", 1, text="sing") + note("D5", 1, text="and") + note("C5", 1, text="sing") + note("D5", 1, text="and"),
    note("C5", 1, text="sing") + note("D5", 1, text="and") + note("C5", 1, text="sing") + note(None, 1),
]


def corpus(folder: Path) -> tuple[Path, Path]:
    """Two composers of four bars each, one for training; a damaged score by the other; and POP909 with one song."""
    voice = [SIGNATURE + LINE[0], LINE[1], *LINE]
    piano = [SIGNATURE + chord("C4", "E4", "G4"), *[chord("C4", "E4", "G4")] * 3]
    mxl(folder, musicxml(voice, piano), "learned.mxl")
    (folder / "met.mxl").write_bytes(b"never to be read")
    rows = [
        {"file": file, "composer": who, "title": file, "language": "en", "lyric_line_languages": {"1": "en"}}
        for file, who in (("learned.mxl", TRAIN_COMPOSER), ("met.mxl", TEST_COMPOSER))
    ]
    (folder / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder, pop_zip(folder)


# ---------------------------------------------------------------- what is learned
def test_events_of_a_score_are_what_is_written(tmp_path: Path) -> None:
    lieder, _ = corpus(tmp_path)
    (entry,) = [each for each in entries(lieder, None) if each.split == "train"]
    found = scores.events([entry])
    assert {name: len(rows) for name, rows in found.items()} == {"chord": 8, "onset": 2, "value": 12, "step": 13}
    assert found["chord"][0].tolist() == [0, scores.LIED, 0, NO_CHORD, NO_CHORD, chord_class(0, "maj")]
    assert set(found["value"][:, -1]) == {3}  # quarters
    assert set(found["onset"][:, -1]) == {0}  # on the downbeat
    assert found["step"][:6, -1].tolist() == [OCTAVE + 1, OCTAVE - 1] * 3
    for name, rows in found.items():
        sizes = [*FEATURES[name].values(), CLASSES[name]]
        assert (rows >= 0).all() and (rows < sizes).all(), name


def test_what_stands_in_the_scores_is_learned(tmp_path: Path) -> None:
    lieder, _ = corpus(tmp_path)
    rows = scores.events([each for each in entries(lieder, None) if each.split == "train"])
    rows = {name: np.repeat(found, 200, axis=0) for name, found in rows.items()}
    composer = learn(rows, {}, seed=0, report=lambda text: None)
    for name, found in rows.items():
        chance = np.exp(composer.log_probabilities(name, found[:, :-1]))[np.arange(len(found)), found[:, -1]]
        assert chance.mean() > 0.85, name
    again = learn(rows, {}, seed=0, report=lambda text: None)
    assert all(np.array_equal(composer.choices[n].embed, again.choices[n].embed) for n in FEATURES)


def test_melodies_of_pop_songs_are_never_read(tmp_path: Path) -> None:
    """Without its MIDI files the archive teaches the same."""
    whole = pop_zip(tmp_path)
    bare = tmp_path / "bare.zip"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(bare, "w") as kept:
        for name in source.namelist():
            kept.writestr(name, b"no MIDI" if name.endswith(".mid") else source.read(name))
    one, other = (scores.events(entries(None, path)) for path in (whole, bare))
    assert len(one["chord"]) and np.array_equal(one["chord"], other["chord"])
    assert not len(one["step"]) and not len(one["value"])


def test_train_composer_reads_no_test_score_and_measure_does(unisinger: Run, tmp_path: Path) -> None:
    corpus(tmp_path)
    given_ = ("--lieder", ".", "--pop909", "pop.zip", "--out", "made")
    done = unisinger("train", "composer", *given_)
    assert done.code == 0, done.err
    learned = 1 + (split_of_song("007") == "train")
    assert load_composer(tmp_path / "made" / "composer.safetensors").about["scores"] == learned
    assert (tmp_path / "made" / "composer.safetensors").stat().st_size < 300_000
    done = unisinger("train", "composer", "--measure", *given_)
    assert done.code == 3 and "met.mxl" in done.err
    voice = [SIGNATURE + LINE[0], LINE[1], *LINE]
    mxl(tmp_path, musicxml(voice, [SIGNATURE + chord("C4", "E4", "G4"), *[chord("C4", "E4", "G4")] * 3]), "met.mxl")
    done = unisinger("train", "composer", "--measure", *given_)
    assert done.code == 0, done.err
    assert [line.split()[0] for line in done.out.splitlines()] == ["choice", *FEATURES]
    done = unisinger("train", "composer", "--out", "made")
    assert done.code == 2 and "--lieder" in done.err


# ---------------------------------------------------------------- its file
def test_the_bundled_composer_is_small_and_was_made_by_many() -> None:
    path = studio.bundled_checkpoint(studio.COMPOSER)
    assert path.stat().st_size < 300_000
    about = load_composer(path).about
    assert about["scores"] > 1000 and about["events"]["step"] > 100_000


@pytest.mark.parametrize("damage", ["missing", "cut", "format", "tensor", "shape", "nan", "pickle"])
def test_a_damaged_composer_is_one_clear_error(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = studio.bundled_checkpoint(studio.COMPOSER)
    path = tmp_path / "composer.safetensors"
    tensors = load_file(good)
    metadata = {"format": "1", "about": "{}"}
    if damage == "tensor":
        del tensors["step.bias"]
    elif damage == "shape":
        tensors["step.bias"] = tensors["step.bias"][:-1].copy()
    elif damage == "nan":
        tensors["step.bias"] = tensors["step.bias"] * np.float16(np.nan)
    elif damage == "format":
        metadata["format"] = "2"
    if damage == "cut":
        path.write_bytes(good.read_bytes()[:-100])
    elif damage == "pickle":
        path.write_bytes(b"\x80\x04K\x01.")
    elif damage != "missing":
        save_file(tensors, path, metadata=metadata)
    monkeypatch.setattr(studio, "bundled_checkpoint", lambda name: path)
    studio.bundled_composer.cache_clear()
    try:
        with pytest.raises(ModelError, match=r"composer\.safetensors"):
            studio.bundled_composer()
    finally:
        studio.bundled_composer.cache_clear()


def test_a_composer_is_saved_and_read_back(tmp_path: Path) -> None:
    composer = studio.bundled_composer()
    save_composer(composer, tmp_path / "c.safetensors")
    again = load_composer(tmp_path / "c.safetensors")
    assert again.about == composer.about
    assert all(np.array_equal(again.choices[n].out, composer.choices[n].out) for n in FEATURES)


# ---------------------------------------------------------------- its songs
LINES = st.lists(st.sampled_from([*SONG.splitlines()[1:5], "oh", "la la la", "hold on to me"]), min_size=1, max_size=4)


def line_of(plan: SongPlan, number: int) -> list[tuple[float, float]]:
    line = plan.lines[number]
    return [(round(s.start - line.start, 5), s.notes[0].midi) for s in line.syllables]


@settings(max_examples=25, deadline=None)
@given(LINES, st.integers(0, 10**6), st.sampled_from([None, 50.0, 72.0, 100.0, 180.0]))
def test_every_syllable_has_a_note_and_sections_share_their_tune(lines: list[str], seed: int, bpm: float) -> None:
    words = "\n".join(lines)
    plan = made(
        f"[verse]\n{words}\n[chorus]\nsing it again\n[verse 2]\n{words}\n[chorus]\nsing it again\n", seed, bpm=bpm
    )
    assert plan == made(
        f"[verse]\n{words}\n[chorus]\nsing it again\n[verse 2]\n{words}\n[chorus]\nsing it again\n", seed, bpm=bpm
    )
    assert all(len(syllable.notes) == 1 for line in plan.lines for syllable in line.syllables)
    assert bpm is None or plan.score.bpm == bpm
    for number in range(len(lines)):
        assert line_of(plan, number) == line_of(plan, len(lines) + 1 + number)
    rest = [b.start - a.end for a, b in pairwise(plan.lines)]
    assert min(rest) > 0  # room for a breath


def test_style_chooses_whose_harmony() -> None:
    """The harmony of the Lieder has more dominant sevenths; that of pop songs goes IV to V, and down to vi."""
    sevenths = [
        np.mean([chord.quality == "7" for seed in range(25) for chord in made(seed=seed, tags=tags).score.chords])
        for tags in ((), ("classical",))
    ]
    assert sevenths[1] > 3 * sevenths[0]


def test_a_key_only_moves_a_song() -> None:
    one, other = (made(seed=5, key=key, centre_midi=centre) for key, centre in (("C:maj", 60.0), ("D:maj", 62.0)))
    assert [note.midi + 2 for note in notes_of(one)] == [note.midi for note in notes_of(other)]


def test_the_leading_note_is_sung_over_the_dominant() -> None:
    dominant = Chord(0.0, 1.0, 4, "maj", 4)  # E in A minor
    assert [altered(midi, dominant, "A:min") for midi in (67, 64, 69, 65)] == [68, 64, 69, 65]
    assert altered(65, Chord(0.0, 1.0, 0, "maj", 0), "C:maj") == 65  # not to E: that is another note of the scale


def test_most_chords_are_of_the_key() -> None:
    roots = []
    for seed in range(20):
        plan = made(seed=seed, key="C:maj")
        roots += [chord.root in SCALES["maj"] for chord in plan.score.chords]
    assert np.mean(roots) == 1.0
