"""Songs out of scores and voices: what moves together, what is held out, and that a run can go on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus_voice import FRAME_RATE, RATE, say
from unisinger_cli.audio import read
from unisinger_cli.corpus import factory
from unisinger_cli.corpus.arrange import Arrangement
from unisinger_cli.corpus.factory import Recipe, make_song, make_songs, plan_of, sung_groups, transposed
from unisinger_cli.corpus.opus import write_opus
from unisinger_cli.corpus.pack import Row, read_index, write_pack
from unisinger_cli.corpus.scores import Entry, ScoreSong
from unisinger_cli.corpus.singers import roster
from unisinger_cli.corpus.song import AccompNote, Bar
from unisinger_cli.corpus.songfile import Further, caption
from unisinger_cli.corpus.units import Unit
from unisinger_cli.errors import InputError
from unisinger_cli.notation.keys import tonic_and_mode
from unisinger_cli.stages.style import bpm_of, key_of, tags_of
from unisinger_cli.types import Audio, Chord, Note, Score

pytest.importorskip("pyworld")


def score_song(bars: int = 12, words: bool = True) -> ScoreSong:
    """A scale up and down at 120 beats a minute, every fourth note sung on the syllable before it."""
    beats = [i * 0.5 for i in range(4 * bars)]
    pitches = [60, 62, 64, 65, 67, 65, 64, 62]
    return ScoreSong(
        id="s", set="lieder", composer="", title="", language="en", split_key="",
        notes=tuple(Note(b, b + 0.45, float(pitches[i % 8])) for i, b in enumerate(beats)),
        syllables=tuple(None if not words or i % 4 == 3 else "la" for i in range(len(beats))),
        accompaniment=tuple(AccompNote(b, b + 0.5, 48, 70, "piano") for b in beats),
        score=Score(120.0, 4, "C:maj", tuple(Chord(2.0 * i, 2.0 * i + 2, 0, "maj", 7) for i in range(bars))),
        seconds=2.0 * bars,
        bars=tuple(Bar(tuple(2.0 * i + 0.5 * k for k in range(4)), 2.0 * i + 2, "C:maj") for i in range(bars)),
    )  # fmt: skip


@settings(deadline=None)
@given(st.integers(-30, 30))
def test_everything_moves_together(semitones: int) -> None:
    song = score_song()
    moved = transposed(song, semitones)
    assert all(b.midi - a.midi == semitones for a, b in zip(song.notes, moved.notes, strict=True))
    near = moved.accompaniment[0].midi - song.accompaniment[0].midi
    assert -6 <= near < 6 and (near - semitones) % 12 == 0
    assert all(
        (b.root - a.root - near) % 12 == 0 and (b.bass - a.bass - near) % 12 == 0
        for a, b in zip(song.score.chords, moved.score.chords, strict=True)
    )
    assert tonic_and_mode(moved.score.key) == (near % 12, "maj")


def test_a_note_without_syllable_is_a_melisma() -> None:
    song = score_song(1)
    assert [len(group) for group in sung_groups(song)] == [1, 1, 2]
    assert [len(group) for group in sung_groups(score_song(1, words=False))] == [1, 1, 1, 1]
    rest = replace(song, notes=(*song.notes[:3], Note(5.0, 5.4, 60.0)))
    assert len(sung_groups(rest)) == 4  # after a rest it is sung anew


# ---------------------------------------------------------------- whole songs
def a_pack(folder: Path) -> Path:
    (folder / "audio").mkdir(parents=True)
    rows: list[Row] = []
    for speaker, split, hz in (("eve", "train", 200.0), ("bob", "test", 110.0)):
        audio, spans = say("sa si sa si sa si sa si", hz=hz)
        write_opus(folder / f"audio/{speaker}.opus", audio)
        rows.append(
            {
                "id": speaker, "kind": "speech", "speaker": speaker, "split": split, "set": "kathleen_en",
                "language": "en", "licence": "CC0-1.0", "seconds": audio.seconds, "source_rate": RATE,
                "vocal": f"audio/{speaker}.opus", "accomp": None, "phonemes": spans, "text": None, "score": None,
                "notes": None, "tags": ["speech", "narrowband", "female"],
            }
        )  # fmt: skip
    write_pack(folder, rows, {})
    return folder


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A voice and a score of our own; a tone in place of the synthesiser."""

    def tone(band: Arrangement, soundfont: Path, rate: int) -> Audio:
        time = np.arange(round(band.seconds * rate)) / rate
        return Audio(np.asarray([0.1 * np.sin(2 * np.pi * 110 * time)] * 2, dtype=np.float32), rate)

    monkeypatch.setattr(factory, "render", tone)
    monkeypatch.setattr(factory, "_scores", lambda lieder, pop909, split: (Entry("s", tmp_path, "lieder", "s"),))
    monkeypatch.setattr(Entry, "load", lambda self: score_song())
    return Recipe(a_pack(tmp_path / "pack"), None, None, (Path("font.sf2"),), tmp_path / "out", 3, RATE, FRAME_RATE)


def test_a_song(recipe: Recipe) -> None:
    for folder in ("audio", "parts"):
        (recipe.out / folder).mkdir(parents=True)
    make_song(recipe, 0)
    assert make_songs(recipe, 1, workers=1, report=print) == 1  # it is there: only collected
    (row,) = read_index(recipe.out)
    assert row["speaker"].split("~w")[0] == "eve" and row["split"] == "train"
    assert {"singing", "narrowband"} <= set(row["tags"]) and row["kind"] == "factory"
    vocal, accomp = read(recipe.out / row["vocal"]), read(recipe.out / row["accomp"])
    assert vocal.seconds == pytest.approx(row["seconds"], abs=1e-3) == accomp.seconds
    assert np.abs(vocal.mono() + accomp.mono()).max() <= 1.0
    hz = np.load(recipe.out / "f0.npz")[row["id"]].astype(float)
    assert len(hz) == int(np.ceil(row["seconds"] * FRAME_RATE - 1e-6))
    voiced = [s not in ("_", "^", "s") for s, _, _ in row["phonemes"]]
    assert any(voiced) and row["phonemes"][-1][2] == pytest.approx(row["seconds"], abs=1e-3)
    for start, end, midi in row["notes"]:
        middle = hz[int((start + end) / 2 * FRAME_RATE)]
        assert middle == 0 or 69 + 12 * np.log2(middle / 440) == pytest.approx(midi, abs=1.2)


def test_song_i_is_always_the_same(recipe: Recipe) -> None:
    made = []
    for name in ("one", "two"):
        own = replace(recipe, out=recipe.out / name)
        for folder in ("audio", "parts"):
            (own.out / folder).mkdir(parents=True)
        make_song(own, 7)
        part = json.loads(next((own.out / "parts").glob("*.json")).read_text(encoding="utf-8"))
        sounds = [(own.out / part["row"][kind]).read_bytes() for kind in ("vocal", "accomp")]
        made.append((part, sounds))
    assert made[0] == made[1]
    assert not list(recipe.out.rglob(".*.part"))


def test_a_run_that_was_cut_ends_the_same(recipe: Recipe) -> None:
    """Killed between a song's sounds and its row, and run again: the files of an undisturbed run."""
    packs = []
    for name in ("cut", "whole"):
        own = replace(recipe, out=recipe.out / name)
        for folder in ("audio", "parts"):
            (own.out / folder).mkdir(parents=True)
        for i in (0, 1):
            make_song(own, i)
        if name == "cut":
            next((own.out / "parts").glob("*-00001.json")).unlink()
            next((own.out / "audio").glob("*-00001.opus")).write_bytes(b"half a file")
            make_song(own, 1)
        assert make_songs(own, 2, workers=1, report=print) == 2
        files = [path for path in sorted(own.out.rglob("*")) if path.suffix in (".opus", ".json", ".jsonl")]
        packs.append([(path.name, path.read_bytes()) for path in files])
    assert packs[0] == packs[1] and len(packs[0]) == 2 * 3 + 1


def test_songs_for_tests_are_of_nothing_that_is_trained_on(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def scores(lieder: object, pop909: object, split: str) -> tuple[Entry, ...]:
        asked.append(split)
        return (Entry("s", recipe.pack, "lieder", "s"),)

    monkeypatch.setattr(factory, "_scores", scores)
    for test, folder in ((True, "test"), (False, "train")):
        own = replace(recipe, out=recipe.out / folder, test=test)
        for name in ("audio", "parts"):
            (own.out / name).mkdir(parents=True)
        make_song(own, 0)
        make_songs(own, 1, workers=1, report=print)
        (row,) = read_index(own.out)
        assert row["split"] == folder == asked[-1]
        assert row["speaker"].split("~")[0] == {"test": "bob", "train": "eve"}[folder]
        assert row["clips"] == [row["speaker"].split("~")[0]] and row["soundfont"] == "font"


def test_a_song_far_from_the_voice_is_not_sung() -> None:
    song = score_song()
    assert factory._singable(song)
    assert not factory._singable(replace(song, notes=(*song.notes[:-1], replace(song.notes[-1], midi=80.0))))
    few = slice(0, 12)
    assert not factory._singable(replace(song, notes=song.notes[few], syllables=song.syllables[few]))


def test_captions_say_what_the_tags_say() -> None:
    tags = ["singing", "fullband", "female", "electronic", "energetic", "synth", "bass", "drums", "fast", "minor"]
    said = caption(replace(score_song().score, bpm=128.0, key="F#:min"), tags)
    assert list(said) == ["genre", "instrumentation", "singer", "tempo and key", "mood"]
    assert set(tags_of(", ".join(said.values()))) == set(tags) - {"singing", "fullband"}
    assert key_of(said["tempo and key"]) == "F#:min" and bpm_of(said["tempo and key"]) == 128


def test_a_changed_voice_has_another_name() -> None:
    assert Further().label == "" and Further(1.1, -2.0).label == "~w1.10e-2"


def test_whoever_is_tested_does_not_sing(recipe: Recipe) -> None:
    rows = read_index(recipe.pack)
    assert [singer.name for singer in roster(rows, "train")] == ["eve"]
    rows[0]["split"] = "test"
    write_pack(recipe.pack, rows, {})
    factory._singers.cache_clear()
    with pytest.raises(InputError, match="no voice to sing with"):
        make_songs(replace(recipe, out=recipe.out / "none"), 1, workers=1, report=print)


def test_a_voice_without_words_sings_unlabelled(recipe: Recipe) -> None:
    rows = read_index(recipe.pack)
    rows[0]["phonemes"] = None
    write_pack(recipe.pack, rows, {})
    factory._singers.cache_clear()
    for folder in ("audio", "parts"):
        (recipe.out / folder).mkdir(parents=True)
    make_song(recipe, 0)
    make_songs(recipe, 1, workers=1, report=print)
    (row,) = read_index(recipe.out)
    assert row["phonemes"] is None and row["notes"]
    assert np.load(recipe.out / "f0.npz")[row["id"]].any()


def test_lines_end_at_rests() -> None:
    song = replace(score_song(1), notes=(Note(0, 0.5, 60), Note(0.5, 1, 62), Note(1.5, 2, 64)), syllables=("a",) * 3)
    groups = sung_groups(song)
    plan = plan_of(song, groups, [Unit((), after_pause=False)] * 3, "en")
    assert [len(line.syllables) for line in plan.lines] == [2, 1]
