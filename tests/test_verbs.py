"""`song` and `convert` from end to end through the real command, with the tiny random model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from conftest import RATE, Run, store, sung
from unisinger_cli import audio

DEBUG = ("--checkpoint", "debug", "--steps", "1")
FRAME = 1024  # samples


def wav(path: Path) -> np.ndarray:
    """24-bit integers, [n, channels]."""
    assert soundfile.info(str(path)).subtype == "PCM_24"
    whole: np.ndarray = soundfile.read(str(path), dtype="int32", always_2d=True)[0] >> 8
    return whole


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "lyrics.txt").write_text("the morning comes across the sea\n")
    store(tmp_path / "voice.wav", sung(2.0, hz=180.0).samples)
    store(tmp_path / "vocal.wav", sung(3.3, hz=300.0, rate=22050).samples, 22050)
    return tmp_path


def test_song(installed: Run, place: Path) -> None:
    done = installed("song", "--lyrics", "lyrics.txt", "--ref", "voice.wav", "-o", "my.song.wav", *DEBUG)
    assert done.code == 0, done.err
    assert done.out == "my.song.wav\n"  # and nothing else
    assert "\r" not in done.err
    assert "noise" in done.err  # the debug model announces itself
    mix, vocal, accomp = (wav(place / f"my.song{part}.wav") for part in ("", ".vocal", ".accomp"))
    assert np.array_equal(mix, vocal + accomp)
    sound = audio.read(place / "my.song.wav")
    assert (sound.rate, sound.samples.shape[0]) == (RATE, 2)
    assert sound.seconds > 3
    assert audio.decibels(audio.true_peak(sound)) <= -1
    assert -16 <= audio.loudness(sound) <= -12
    receipt = json.loads((place / "my.song.json").read_text())
    assert receipt["request"]["ref"] == [{"path": "voice.wav", "weight": 1.0}]
    assert receipt["model"]["name"] == "debug"
    assert receipt["plan"]["lines"]
    assert set(receipt["files"]) == {"mix", "vocal", "accomp", "receipt"}


def test_seeds_and_zeros(unisinger: Run, place: Path) -> None:
    """Same seed, same bytes; another seed, another song; and the forms of telling it."""
    flags = "song", "--lyrics", "lyrics.txt", "--bpm", 140, "--cfg", 0, *DEBUG
    first = unisinger(*flags, "-o", "a.wav", "--seed", 0)
    again = unisinger(*flags, "-o", "b.wav", "--json")
    other = unisinger(*flags, "-o", "c.wav", "--seed", 1, "--quiet")
    assert (first.code, again.code, other.code) == (0, 0, 0), first.err + again.err + other.err
    for part in ("", ".vocal", ".accomp"):
        assert (place / f"a{part}.wav").read_bytes() == (place / f"b{part}.wav").read_bytes()
        assert (place / f"a{part}.wav").read_bytes() != (place / f"c{part}.wav").read_bytes()
    assert (other.out, other.err) == ("c.wav\n", "")
    assert again.err == ""
    told: dict[str, Any] = again.json
    assert (told["schema"], told["output"], told["seed"]) == (2, "b.wav", 0)
    assert [told["request"]["sampler"][name] for name in ("words", "voice", "accomp")] == [0, 0, 0]
    assert told["request"]["ref"] == []
    assert told["audio"]["seconds"] == pytest.approx(audio.read(place / "b.wav").seconds, abs=0.001)


CONVERSIONS: dict[str, list[object]] = {  # task 1, task 3, and a default name
    "out": ["--target", "voice.wav", "-o", "out.wav"],
    "duo": ["--target", "phone.wav", "--with-accomp", "--style", "slow piano", "-o", "duo.wav"],
    "vocal.converted": ["--target", "six.wav", "--transpose", "-2"],
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_convert(installed: Run, place: Path, name: str) -> None:
    """A phone's recording (8 bit, 8 kHz, mono) and one of six channels are references, too."""
    store(place / "phone.wav", sung(1.2, rate=8000).samples, 8000, "PCM_U8")
    store(place / "six.wav", np.repeat(sung(1.2).samples, 6, axis=0))
    done = installed("convert", "vocal.wav", *CONVERSIONS[name], *DEBUG)
    assert done.code == 0, done.err
    assert done.out == f"{name}.wav\n"
    sound = audio.read(place / f"{name}.wav")
    assert abs(sound.seconds - 3.3) * RATE <= FRAME
    assert audio.decibels(audio.true_peak(sound)) <= -1
    assert (place / f"{name}.accomp.wav").exists() == (name == "duo")
    accomp = wav(place / f"{name}.accomp.wav") if name == "duo" else np.int32(0)
    assert np.array_equal(wav(place / f"{name}.wav"), wav(place / f"{name}.vocal.wav") + accomp)
    receipt = json.loads((place / f"{name}.json").read_text())
    assert set(receipt["inputs"]) == {"source", "target"}
    assert receipt["request"]["transpose"] == (-2 if name == "vocal.converted" else None)
