"""Bad input, through the real command: one line, the documented exit code, and nothing half-written."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import Ran, Run, store, sung

DEBUG = ("--checkpoint", "debug")
LYRICS = "the morning comes\n"


def refused(done: Ran, code: int, *said: str) -> None:
    """One `error:` line that says it, at most one `hint:` line, no result and no traceback."""
    lines = done.err.splitlines()
    assert done.code == code, done.err
    assert lines[0].startswith("error: ")
    assert len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("hint: ")), done.err
    assert not [text for text in said if text not in lines[0]], lines[0]
    assert done.out == ""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "lyrics.txt").write_text(LYRICS)
    store(tmp_path / "voice.wav", sung(2.0).samples)
    return tmp_path


def make(path: Path, what: str) -> None:
    voice = sung(2.0).samples
    match what:
        case "missing":
            pass
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "text":
            path.write_text(LYRICS)
        case "no samples":
            store(path, np.zeros((1, 0), np.float32))
        case "NaN":
            store(path, np.full_like(voice, np.nan))
        case "silence":
            store(path, 0 * voice)
        case "short":
            store(path, voice[:, :40000])
        case "long":
            store(path, np.zeros((1, 250 * 60 * 8000), np.int16), 8000, "PCM_U8")
        case "truncated":
            store(path, voice)
            path.write_bytes(path.read_bytes()[:30])
        case "device":
            path.symlink_to(os.devnull)


SOUNDS = {
    "missing": "does not exist",
    "folder": "is a folder",
    "empty": "0 bytes",
    "text": "not an audio file",
    "no samples": "no samples",
    "NaN": "NaN",
    "silence": "silent",
    "short": "0.91 s",
    "long": "250.0 minutes",
    "truncated": "bad.wav",
    "device": "not a regular file",
}


@pytest.mark.parametrize("what", SOUNDS)
def test_reference_that_is_none(unisinger: Run, place: Path, what: str) -> None:
    make(place / "bad.wav", what)
    before = sorted(place.iterdir())
    done = unisinger("song", "--lyrics", "lyrics.txt", "--ref", "bad.wav", "-o", "out.wav", *DEBUG)
    refused(done, 3, "bad.wav", SOUNDS[what])
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize("what", [what for what in SOUNDS if what != "short"])
def test_recording_that_is_none(unisinger: Run, place: Path, what: str) -> None:
    make(place / "bad.wav", what)
    before = sorted(place.iterdir())
    done = unisinger("convert", "bad.wav", "--target", "voice.wav", "-o", "out.wav", *DEBUG)
    refused(done, 3, "bad.wav", SOUNDS[what])
    assert sorted(place.iterdir()) == before


TEXTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\t\n\r\n", "is empty"),
    "byte order mark alone": (b"\xef\xbb\xbf\n", "is empty"),
    "nothing to pronounce": (b"!!! ... ---\n??\n", ""),
    "headers alone": (b"[verse]\n\n[chorus]\n", ""),
    "10,000 words": (b"sing a little song tonight\n" * 2000, "10000 words, and at most 2000"),
    "a megabyte": (b"la " * 400_000, "over 1048576 bytes"),
    "binary": (bytes(range(256)) * 8, "not UTF-8 text"),
    "control characters": (b"RIFF\0\0\0\0WAVE", "control characters"),
    "UTF-16": ("sing".encode("utf-16"), "not UTF-8 text"),
}


@pytest.mark.parametrize("what", TEXTS)
def test_lyrics_that_are_none(unisinger: Run, place: Path, what: str) -> None:
    data, said = TEXTS[what]
    (place / "bad.txt").write_bytes(data)
    before = sorted(place.iterdir())
    done = unisinger("song", "--lyrics", "bad.txt", "-o", "out.wav", *DEBUG)
    refused(done, 3, said)
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_lyrics_that_are_no_file(unisinger: Run, place: Path, name: str) -> None:
    refused(unisinger("song", "--lyrics", name, "-o", "out.wav"), 3, name)


@pytest.mark.parametrize("output", ["none/out.wav", "voice.wav/out.wav", "/proc/out.wav", "folder.wav"])
def test_output_that_cannot_be_written(unisinger: Run, place: Path, output: str) -> None:
    (place / "folder.wav").mkdir()
    refused(unisinger("song", "--lyrics", "lyrics.txt", "-o", output, *DEBUG), 3)


@pytest.mark.parametrize("name", ["out.wav", "out.vocal.wav", "out.accomp.wav", "out.json"])
def test_output_that_exists(unisinger: Run, place: Path, name: str) -> None:
    (place / name).write_text("precious")
    before = sorted(place.iterdir())
    done = unisinger("song", "--lyrics", "lyrics.txt", "-o", "out.wav", *DEBUG)
    refused(done, 3, f"{name} exists")
    assert "--force" in done.err
    assert (place / name).read_text() == "precious"
    assert sorted(place.iterdir()) == before


def spoil(path: Path, what: str) -> None:
    """A checkpoint that must not be loaded; `path` holds a good one where `what` needs it."""
    match what:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("weights")
        case "truncated":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        case "pickle":
            path.write_bytes(pickle.dumps({"weights": [1.0]}))
        case "zipped pickle":
            import torch

            torch.save({"weights": torch.zeros(3)}, path)
        case "other version":
            from safetensors import safe_open
            from safetensors.numpy import load_file, save_file

            with safe_open(path, framework="numpy") as file:
                about = file.metadata()
            assert about["format"] == "1"
            save_file(load_file(path), path, metadata=about | {"format": "999"})
        case "other program":
            from safetensors.numpy import save_file

            save_file({"weights": np.zeros(3, np.float32)}, path)


@pytest.mark.parametrize(
    "what",
    ["missing", "empty", "text", "truncated", "pickle", "zipped pickle", "other version", "other program"],
)
def test_checkpoint_that_is_none(unisinger: Run, place: Path, good_checkpoint: Path, what: str) -> None:
    model = place / "bad.safetensors"
    shutil.copy(good_checkpoint, model)
    spoil(model, what)
    before = sorted(place.iterdir())
    done = unisinger("song", "--lyrics", "lyrics.txt", "-o", "out.wav", "--checkpoint", "bad.safetensors")
    refused(done, 4, "bad.safetensors")
    assert sorted(place.iterdir()) == before


@pytest.fixture(scope="module")
def good_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from unisinger_cli.model.checkpoint import save_checkpoint
    from unisinger_cli.model.config import PRESETS
    from unisinger_cli.model.unisinger import UniSinger

    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_checkpoint(UniSinger.random(PRESETS["debug"]), path, {}, int8=True)
    return path


def test_good_checkpoint_is_one(unisinger: Run, place: Path, good_checkpoint: Path) -> None:
    """So that the refusals above mean something."""
    flags = "--lyrics", "lyrics.txt", "-o", "out.wav", "--steps", 1, "--checkpoint", good_checkpoint
    done = unisinger("song", *flags)
    assert done.code == 0, done.err


@pytest.mark.parametrize("device", ["toaster", "cuda:99"])
def test_device_that_is_none(unisinger: Run, place: Path, device: str) -> None:
    done = unisinger("song", "--lyrics", "lyrics.txt", "-o", "o.wav", *DEBUG, "--device", device)
    refused(done, 6, device)


@pytest.mark.parametrize("key", ["H:maj", "C:happy"])
def test_key_that_is_none(unisinger: Run, place: Path, key: str) -> None:
    done = unisinger("song", "--lyrics", "lyrics.txt", "-o", "o.wav", *DEBUG, "--key", key)
    assert done.code in (2, 3)
    refused(done, done.code, key)


def test_language_that_is_none(unisinger: Run, place: Path) -> None:
    done = unisinger("song", "--lyrics", "lyrics.txt", "-o", "o.wav", *DEBUG, "--language", "tlh")
    assert done.code in (2, 3)
    refused(done, done.code, "tlh")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no device without an end")
@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (3, "song --lyrics /dev/zero"),
        (3, "replay /dev/zero"),
        (3, "retake /dev/zero"),
        (3, "report /dev/zero"),
        (3, "batch /dev/zero"),
        (3, "song --lyrics lyrics.txt --ref /dev/zero"),
        (4, "song --lyrics lyrics.txt --checkpoint /dev/zero"),
        (4, "voice list --checkpoint /dev/zero"),
    ],
)
def test_what_has_no_end_is_not_read_to_it(unisinger: Run, place: Path, code: int, arguments: str) -> None:
    refused(unisinger(*arguments.split()), code, "/dev/zero")


def test_a_pipe_is_a_file_of_lyrics(unisinger: Run, place: Path) -> None:
    flags = "-o", "out.json", "--quiet"
    done = unisinger("plan", "/dev/stdin", *flags, stdin=LYRICS)
    assert (done.code, done.out) == (0, "out.json\n"), done.err


def test_full_disk_is_told(unisinger: Run, place: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    command = [sys.executable, "-m", "unisinger_cli", "--version"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 6
    assert done.stderr.startswith("error: the disk is full")
