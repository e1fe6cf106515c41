"""`plan`, and `song` by a plan or a melody, through the real command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import RATE, Run, store, sung
from notation_files import notes_of, plan_from, song
from test_hostile import refused
from unisinger_cli.audio import read
from unisinger_cli.notation.write import encoded

DEBUG = ("--checkpoint", "debug", "--steps", "1")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "words.txt").write_text("the morning comes across the sea\n")
    store(tmp_path / "voice.wav", sung(2.0, hz=180.0).samples)
    return tmp_path


def test_plan_writes_every_form_and_they_lead_back(unisinger: Run, place: Path) -> None:
    names = ["p.json", "p.mid", "p.musicxml", "p.lrc", "p.srt"]
    outputs = [part for name in names for part in ("-o", name)]
    done = unisinger("plan", "words.txt", "--seed", 3, "--bpm", 120, *outputs)
    assert done.code == 0, done.err
    assert done.out.splitlines() == names
    plan = plan_from((place / "p.json").read_bytes())
    assert plan.score.bpm == 120
    again = unisinger("plan", "p.json", "-o", "q.json", "--json")
    assert again.json["files"] == ["q.json"] and again.json["syllables"] == 8
    assert (place / "q.json").read_bytes() == (place / "p.json").read_bytes()
    for name in ("p.mid", "p.musicxml"):
        done = unisinger("plan", "--melody", name, "-o", f"{name}.json")
        assert done.code == 0, done.err
        read = plan_from((place / f"{name}.json").read_bytes())
        assert [note.midi for note in notes_of(read)] == [note.midi for note in notes_of(plan)]
        assert read.lines[0].text == plan.lines[0].text


def test_plan_needs_no_torch(place: Path) -> None:
    code = "import sys; from unisinger_cli.cli.app import main; sys.argv = ['unisinger', 'plan', 'words.txt']; main(); "
    done = subprocess.run([sys.executable, "-c", code + "sys.exit('torch' in sys.modules)"], cwd=place)
    assert done.returncode == 0 and (place / "plan.json").exists()


def test_song_by_a_plan_is_the_song(unisinger: Run, place: Path) -> None:
    """The same samples, whether the lyrics are sung, or the plan that stands in the song's own receipt."""
    voice = ("--ref", "voice.wav", "--seed", 3, *DEBUG)
    whole = unisinger("song", "--lyrics", "words.txt", "-o", "a.wav", "--export", "mid,lrc,srt,musicxml,plan", *voice)
    assert whole.code == 0, whole.err
    assert unisinger("plan", "words.txt", "-o", "p.json", *voice[:4], "--checkpoint", "debug").code == 0
    assert (place / "a.plan.json").read_bytes() == (place / "p.json").read_bytes()
    assert plan_from((place / "a.json").read_bytes()) == plan_from((place / "p.json").read_bytes())
    done = unisinger("song", "--plan", "a.json", "-o", "b.wav", *voice)
    assert done.code == 0, done.err
    for part in ("", ".accomp"):
        one, other = (read(place / f"{name}{part}.wav").samples for name in "ab")
        assert np.array_equal(one, other)
    receipt = json.loads((place / "a.json").read_text())
    assert receipt["files"]["musicxml"]["path"] == "a.musicxml"
    assert all((place / file["path"]).stat().st_size for file in receipt["files"].values())
    assert "plan" in json.loads((place / "b.json").read_text())["inputs"]


def test_words_to_a_hum(unisinger: Run, place: Path) -> None:
    time = np.arange(RATE // 2) / RATE
    swell = np.clip(np.minimum(time / 0.05, (0.5 - time) / 0.05), 0.03, 1)
    tones = [2 ** ((midi - 69) / 12) * 440 for midi in (57, 59, 61, 62, 64, 62, 61, 57)]
    samples = [swell * sum(np.sin(2 * np.pi * hz * k * time) / k**2 for k in range(1, 7)) for hz in tones]
    store(place / "hum.wav", 0.2 * np.concatenate([np.zeros(RATE // 2), *samples])[None])
    done = unisinger("song", "-l", "words.txt", "--melody", "hum.wav", "-o", "h.wav", "--export", "plan", *DEBUG)
    assert done.code == 0, done.err
    assert "heard 8 notes" in done.err
    plan = plan_from((place / "h.plan.json").read_bytes())
    assert [note.midi for note in notes_of(plan)] == [57, 59, 61, 62, 64, 62, 61, 57]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["plan"], 2, "nothing to plan"),
        (["plan", "words.txt", "-o", "p.txt"], 2, "must end in .json"),
        (["plan", "words.txt", "-o", "p.mid", "-o", "./p.mid"], 2, "twice"),
        (["plan", "words.txt", "-o", "words.txt.json", "-o", "there.json"], 3, "there.json exists"),
        (["plan", "there.json", "-o", "there.json", "--force"], 2, "is an input"),
        (["plan", "there.json", "-o", "p.mid"], 3, "there.json is neither a plan"),
        (["plan", "good.json", "--bpm", "90", "-o", "p.mid"], 2, "--plan has its own"),
        (["plan", "wordless.mid", "-o", "p.json"], 2, "--melody"),
        (["plan", "missing.json", "-o", "p.mid"], 3, "missing.json does not exist"),
        (["plan", "words.txt", "--melody", "voiceless.mid"], 3, "voiceless.mid has no note"),
        (["plan", "--melody", "wordless.mid"], 3, "wordless.mid has no words"),
        (["plan", "--melody", "."], 3, "is a folder"),
        (["song"], 2, "nothing to sing"),
        (["song", "--plan", "there.json"], 3, "neither a plan"),
        (["song", "--plan", "good.json", "--lyrics", "words.txt"], 2, "--plan has its own"),
        (["song", "--lyrics", "words.txt", "--export", "mid,pdf"], 2, "'pdf'"),
        (["song", "--lyrics", "words.txt", "--export", "mid", "-o", "voiceless.wav"], 3, "voiceless.mid exists"),
        (["song", "--lyrics", "long.txt", "--melody", "wordless.mid"], 3, "too few"),
    ],
)
def test_refused_before_anything_is_written(
    unisinger: Run, place: Path, arguments: list[str], code: int, says: str
) -> None:
    import mido

    (place / "there.json").write_text("{}")
    (place / "long.txt").write_text("la " * 100)
    (place / "good.json").write_bytes(encoded(song("oh"), "plan"))
    mido.MidiFile(tracks=[mido.MidiTrack()]).save(str(place / "voiceless.mid"))
    notes = [mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=480)]
    mido.MidiFile(tracks=[mido.MidiTrack(notes)]).save(str(place / "wordless.mid"))
    before = {path: path.read_bytes() for path in place.iterdir()}
    refused(unisinger(*arguments, *(DEBUG if arguments[0] == "song" else ())), code, says)
    assert {path: path.read_bytes() for path in place.iterdir()} == before
