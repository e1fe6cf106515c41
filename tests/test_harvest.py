"""`prepare songs`: a folder with all that may be in it -> shards and a report; cut, continued, spread, trained on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import LIMIT, RATE, Ran, Run, store, sung
from toys import tiny_demucs
from unisinger_cli.audio import read
from unisinger_cli.corpus.harvest import Harvest
from unisinger_cli.corpus.wild import Settings, take_apart
from unisinger_cli.training.features import ClipEncoder, load_features

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
ENGINES = """
import os, time
WORDS = "sing me a song of the sea and of the sun".split()

class Ears:
    rate = 16000
    def __init__(self, wrong):
        self.wrong = wrong
    def hear(self, samples, language):
        time.sleep(float(os.environ.get("SLOW", "0")))
        words = [w if i != self.wrong else "oops" for i, w in enumerate(WORDS)]
        step = len(samples) / self.rate / len(words)
        return "en", [[(w, i * step, (i + 0.8) * step) for i, w in enumerate(words)]]

def first(device): return Ears(1)
def second(device): return Ears(4)
def third(device): return Ears(7)
"""
ASKED = [flag for name in ("first", "second", "third") for flag in ("--recogniser", name)]
COMMON = ("--solo", "--checkpoint", "debug", "--device", "cpu", *ASKED)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recordings to keep, and one for every reason to drop one."""
    folder = tmp_path_factory.mktemp("in") / "songs"
    (folder / "deep" / "er").mkdir(parents=True)
    voice, other = read(EXAMPLES / "vocal.wav"), read(EXAMPLES / "reference.wav")
    store(folder / "a song.flac", voice.samples, subtype="PCM_16")
    store(folder / "deep" / "er" / "Ünder.wav", other.samples)
    store(folder / "deep" / "lower.wav", voice.samples, 40000)
    store(folder / "deep" / "higher.wav", voice.samples, 48000)
    shutil.copyfile(folder / "a song.flac", folder / "deep" / "copy.flac")
    noise = np.random.default_rng(0).standard_normal(voice.samples.shape) * voice.samples.std()
    store(folder / "hiss.wav", voice.samples + noise.astype(np.float32))
    store(folder / "dull.wav", sung(5.0, rate=16000).samples, 16000)
    store(folder / "brief.wav", sung(1.0).samples)
    store(folder / "tone.wav", 0.2 * np.sin(np.arange(5 * RATE) * 0.06).astype(np.float32))
    (folder / "broken.mp3").write_bytes(b"no sound in here " * 100)
    (folder / "cover.jpg").write_bytes(b"not counted")
    (folder / ".hidden.wav").write_bytes(b"not counted")
    return folder


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> str:
    """PYTHONPATH with a package that brings three recognisers, each of which errs in another word."""
    place = tmp_path_factory.mktemp("engines")
    (place / "three_ears.py").write_text(ENGINES)
    about = place / "three_ears-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: three-ears\nVersion: 1.0\n")
    names = "".join(f"{name} = three_ears:{name}\n" for name in ("first", "second", "third"))
    (about / "entry_points.txt").write_text(f"[unisinger.recognisers]\n{names}")
    return os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])


def prepare(songs: Path, out: Path, engines: str, *flags: str, **environment: str) -> subprocess.Popen[str]:
    """The command in a process group of its own, so that it can be killed with all its workers."""
    command = [sys.executable, "-m", "unisinger_cli", "prepare", "songs", str(songs), "-o", str(out), *COMMON, *flags]
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": engines, **environment}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=settings, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def digest(out: Path) -> dict[str, str]:
    """All that a run leaves, but for the names of temporary files (of which there must be none)."""
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def done(songs: Path, engines: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """An undisturbed run in one process, and how it ended."""
    out = tmp_path_factory.mktemp("out") / "shards"
    run = prepare(songs, out, engines, "--workers", "1", "--json")
    text, errors = run.communicate(timeout=LIMIT)
    return out, Ran(run.returncode, text, errors)


def test_every_recording_is_accounted_for(done: tuple[Path, Ran]) -> None:
    out, ran = done
    report = json.loads((out / "report.json").read_text())
    error = json.loads(ran.err.splitlines()[-1])  # MP3 decoders talk before
    assert ran.code == error["exit"] == 7 and "broken.mp3" in error["error"]
    assert ran.json == {"output": str(out), **report}
    assert report["recordings"] == 10 == report["kept"] + sum(report["dropped"].values())
    reasons = "failed", "low sampling rate", "no voice", "the same as another", "too noisy", "too short"
    assert report["kept"] == 4 and report["dropped"] == dict.fromkeys(reasons, 1)
    assert report["segments"] == report["samples"] + sum(report["segments_dropped"].values())
    told = {drop["source"]: drop["dropped"] for drop in report["drops"]}
    assert told["deep/copy.flac"] == "the same as another" and told["hiss.wav"] == "too noisy"
    assert not any(str(out.parent) in path.read_text() for path in out.rglob("*.json"))


def test_the_vote_is_in_the_rows(done: tuple[Path, Ran]) -> None:
    """Each of the three engines errs in every segment; the words that are kept have no error."""
    clips = load_features([done[0]])
    assert len(clips) >= 4
    for row, tensors in clips:
        assert row["text"] == "sing me a song of the sea and of the sun" and row["set"] == "songs"
        assert 0.5 < row["agreement"] < 1 and row["speaker"].startswith("songs/")
        assert {tensor.shape[0] for name, tensor in tensors.items() if name in ("vocal", "hz", "phonemes")} == {
            len(tensors["hz"])
        }
    assert len({row["id"] for row, _ in clips}) == len(clips) and "songs/deep/er/Ünder.wav" in {
        row["speaker"] for row, _ in clips
    }


def test_train_reads_the_shards(done: tuple[Path, Ran], tmp_path: Path, unisinger: Run) -> None:
    flags = "--data", done[0], "--preset", "debug", "--batch", 2, "--device", "cpu"
    taught = unisinger("train", "flow", *flags, "--steps", 2, "--out", "flow")
    assert taught.code == 0 and (tmp_path / "flow" / "part.safetensors").is_file(), taught.err
    refused = unisinger("train", "codec", "--data", done[0], "--out", "codec", "--steps", 1)
    assert refused.code == 3 and "no prepared data" in refused.err  # there is no sound in them


def begin(songs: Path, out: Path, engines: str, count: int) -> subprocess.Popen[str]:
    """A run that is slow to listen, with `count` recordings done and others under way."""
    run = prepare(songs, out, engines, "--workers", "2", SLOW="0.3")
    deadline = time.monotonic() + 60
    while len(list(out.glob("parts/*.json"))) < count and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert run.poll() is None and not (out / "report.json").exists()
    return run


def test_killed_at_any_point_it_goes_on(songs: Path, engines: str, done: tuple[Path, Ran], tmp_path: Path) -> None:
    """kill -9 in the middle of recordings, after which no worker stays behind; then all the rest."""
    out = tmp_path / "shards"
    run = begin(songs, out, engines, 4)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 20
    while is_alive(run.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(run.pid), "its workers wait for a parent that is gone"
    assert len(list(out.glob("parts/*.json"))) < 10
    (out / "parts" / ".half.tar.1.part").write_bytes(b"what a killed process leaves")
    run = prepare(songs, out, engines, "--workers", "2")
    errors = run.communicate(timeout=LIMIT)[1]
    assert run.returncode == 7 and "are done already" in errors and "= kept" in errors
    assert digest(out) == digest(done[0])


def is_alive(group: int) -> bool:
    """Whether any process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_new_recordings_are_added_and_other_settings_are_refused(
    songs: Path, engines: str, done: tuple[Path, Ran], tmp_path: Path
) -> None:
    folder, out = tmp_path / "songs", tmp_path / "shards"
    shutil.copytree(songs, folder)
    shutil.copytree(done[0], out)
    (folder / "broken.mp3").unlink()
    store(folder / "z.wav", sung(1.5).samples)
    more = prepare(folder, out, engines, "--workers", "1")
    errors = more.communicate()[1]
    assert more.returncode == 0 and "1 of 1: z.wav: 0 samples (too short: 1.5 s)" in errors
    assert digest(out)["000000.tar"] == digest(done[0])["000000.tar"]
    other = prepare(folder, out, engines, "--min-snr", "20")
    assert "other settings" in other.communicate()[1] and other.returncode == 3


def test_what_cannot_be_done_is_told_first(unisinger: Run, tmp_path: Path) -> None:
    assert unisinger("prepare", "songs", "nowhere", "-o", "out").code == 3
    (tmp_path / "empty").mkdir()
    nothing = unisinger("prepare", "songs", "empty", "-o", "out")
    assert nothing.code == 3 and "no audio file" in nothing.err
    store(tmp_path / "empty" / "x.wav", sung(4.0).samples)
    asked = unisinger("prepare", "songs", "empty", "-o", "out", "--checkpoint", "debug", "--solo")
    assert asked.code in (4, 5) and ("models pull whisper-small" in asked.err or "transcribe" in asked.err)
    assert not (tmp_path / "out").exists()


def test_a_mix_goes_through_the_separator(tmp_path: Path) -> None:
    """A network of random weights separates nothing; but it must have been asked, and the result be written."""
    weights = tiny_demucs(tmp_path / "weights")
    time_ = np.arange(6 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * hz * time_) for hz in (261.63, 329.63, 392.0, 523.25))
    (tmp_path / "in").mkdir()
    store(tmp_path / "in" / "mix.wav", sung(6.0).samples + (0.05 * chord).astype(np.float32))
    (tmp_path / "out" / "parts").mkdir(parents=True)
    settings = Settings("in", recognisers=(), separator=weights)
    plan = Harvest(tmp_path / "in", tmp_path / "out", settings, ClipEncoder("debug"))
    result = plan("mix.wav")
    assert result["dropped"] in (None, "no voice", "no segment left"), result
    assert json.loads(plan.part("mix.wav", ".json").read_text()) == result
    mix = read(tmp_path / "in" / "mix.wav")
    vocal, band = take_apart(mix, plan.tools())
    assert band is not None and np.abs(vocal.samples + band.samples - mix.samples).max() < 1e-3


def test_ray_gives_the_same_shards(songs: Path, engines: str, done: tuple[Path, Ran], tmp_path: Path) -> None:
    pytest.importorskip("ray")
    run = prepare(songs, tmp_path / "shards", engines, "--workers", "3", "--ray", "local", HOME=str(tmp_path))
    errors = run.communicate(timeout=LIMIT)[1]
    assert run.returncode == 7, errors
    assert digest(tmp_path / "shards") == digest(done[0])
