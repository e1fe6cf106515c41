"""`separate`, and telling a mix from a solo vocal."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import Run, store, sung
from toys import tiny_demucs
from unisinger_cli.audio import read, scaled, stereo, whole
from unisinger_cli.backends import weights
from unisinger_cli.errors import ModelError
from unisinger_cli.stages.separate import accompaniment, choose_separator, is_mix, separate
from unisinger_cli.types import Audio, Sound


class Half:
    """A separator that says: half of every sample is voice."""

    rate = 44100

    def vocal(self, mix: Sound, step: object = None) -> Sound:
        return scaled(mix, 0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_demucs(tmp_path_factory.mktemp("weights"))


def chord(seconds: float, rate: int = 44100) -> np.ndarray:
    """A strummed C, then F, then G: decaying tones of equal temperament, [n]."""
    time = np.arange(round(seconds * rate)) / rate
    out = np.zeros_like(time)
    for i, notes in enumerate([(48, 64, 67, 72), (53, 60, 65, 69), (55, 59, 62, 67)] * round(seconds / 1.5)):
        since = time - 0.5 * i
        for note in notes:
            hz = 440 * 2 ** ((note - 69) / 12)
            tone = sum(np.sin(2 * np.pi * k * hz * since) / k**1.5 for k in range(1, 6))
            out += np.where(since >= 0, np.exp(-4 * np.maximum(since, 0)) * tone, 0)
    return out / np.abs(out).max()


# ---------------------------------------------------------------- the sum
@pytest.mark.parametrize("rate", [44100, 48000, 16000])
@pytest.mark.parametrize("channels", [1, 2])
def test_stems_have_the_shape_of_the_mix_and_sum_to_it(rate: int, channels: int) -> None:
    rng = np.random.default_rng(0)
    mix = Audio(rng.uniform(-0.9, 0.9, (channels, rate + 17)).astype(np.float32), rate)
    vocal, accomp = map(whole, separate(mix, Half()))
    assert vocal.rate == accomp.rate == rate
    assert vocal.samples.shape == accomp.samples.shape == mix.samples.shape
    total = vocal.samples.astype(np.float64) + accomp.samples
    grid = np.rint(mix.samples.astype(np.float64) * 2**23) / 2**23
    assert np.array_equal(total, grid)
    assert np.corrcoef(vocal.samples.ravel(), mix.samples.ravel())[0, 1] > 0.9


# ---------------------------------------------------------------- the command
def test_command_with_a_folder_of_ones_own(unisinger: Run, folder: Path, tmp_path: Path) -> None:
    song = sung(3.3, channels=2).samples
    song = song + 0.2 * chord(3.3)[: song.shape[1]].astype(np.float32)
    store(tmp_path / "song.wav", song, subtype="PCM_24")
    done = unisinger("separate", "song.wav", "--weights", folder, "--json", "--threads", 1)
    assert (done.code, done.err) == (0, "")
    files = {name: item["path"] for name, item in done.json["files"].items()}
    assert sorted(path.name for path in tmp_path.glob("song.*")) == [
        "song.separated.accomp.wav",
        "song.separated.json",
        "song.separated.vocal.wav",
        "song.wav",
    ]
    names = ("song.wav", files["vocal"], files["accomp"])
    mix, vocal, accomp = (read(tmp_path / name).samples for name in names)
    assert np.array_equal(vocal.astype(np.float64) + accomp, mix)
    assert np.abs(vocal).max() > 0
    first = (tmp_path / files["vocal"]).read_bytes()
    assert unisinger("separate", "song.wav", "--weights", folder, "--threads", 1).code == 3, "no --force"
    assert unisinger("separate", "song.wav", "--weights", folder, "--threads", 1, "--force").code == 0
    assert (tmp_path / files["vocal"]).read_bytes() == first, "the same input gives the same bytes"


def test_command_keeps_the_rate_of_a_mono_file(unisinger: Run, folder: Path, tmp_path: Path) -> None:
    store(tmp_path / "low.wav", sung(1.2, rate=22050).samples, 22050, "PCM_16")
    done = unisinger("separate", "low.wav", "-o", "x.flac", "--weights", folder)
    assert done.code == 0 and "solo vocal" in done.err
    assert done.out == "x.vocal.flac\nx.accomp.flac\n"
    stem = read(tmp_path / "x.vocal.flac")
    assert (stem.rate, stem.samples.shape) == (22050, (1, 26460))


def test_no_stem_is_clipped(unisinger: Run, tmp_path: Path, folder: Path) -> None:
    """A stem can be louder than the mix: both are turned down alike, and it is said."""
    store(tmp_path / "loud.wav", sung(1.5, level=2.5, channels=2).samples, subtype="FLOAT")
    done = unisinger("separate", "loud.wav", "--weights", folder)
    assert done.code == 0 and "turned down" in done.err
    stems = [read(tmp_path / f"loud.separated.{name}.wav").samples for name in ("vocal", "accomp")]
    total, loud = stems[0] + stems[1], read(tmp_path / "loud.wav").samples
    gain = float((total * loud).sum() / (loud * loud).sum())
    assert gain < 1 and np.abs(total - gain * loud).max() < 3e-7  # each stem is rounded once


def test_without_weights_it_names_the_command(unisinger: Run, tmp_path: Path) -> None:
    pytest.importorskip("demucs")
    store(tmp_path / "song.wav", sung(1.0, channels=2).samples)
    done = unisinger("separate", "song.wav")
    assert done.code == 4 and "hint: unisinger models pull htdemucs" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]


def test_without_the_package_it_names_the_extra(unisinger: Run, tmp_path: Path) -> None:
    (tmp_path / "blind").mkdir()
    # a module that stands in front of the package and is not found
    (tmp_path / "blind" / "sitecustomize.py").write_text(
        "import importlib.util as u\nfound = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'demucs' else found(name, package)\n"
    )
    store(tmp_path / "song.wav", sung(1.0, channels=2).samples)
    path = os.pathsep.join([str(tmp_path / "blind"), os.environ.get("PYTHONPATH", "")])
    done = unisinger("separate", "song.wav", PYTHONPATH=path)
    assert done.code == 5 and "pip install 'unisinger[separate]'" in done.err


@pytest.mark.parametrize(("seconds", "same"), [(0.3, 13230), (1.0, 33075), (3.37, 99225)])
def test_segments_join_as_demucs_joins_them(folder: Path, seconds: float, same: int) -> None:
    """Up to where the last segment begins, which here reaches back, the result is that of Demucs's own loop."""
    import torch
    from demucs.apply import apply_model
    from demucs.pretrained import get_model

    mix = whole(stereo(sung(seconds))).samples
    ours = whole(choose_separator(weights=folder, device="cpu").vocal(Audio(mix, 44100))).samples
    level = mix.mean(axis=0)
    model = get_model("tiny", repo=folder)
    chunk = torch.from_numpy((mix[None] - level.mean()) / (level.std() + 1e-8))
    theirs = apply_model(model, chunk, shifts=0, overlap=0.25)[0, 3].numpy() * level.std()
    assert ours.shape == mix.shape and np.abs(ours).max() > 0
    assert np.allclose(ours[:, :same], theirs[:, :same], atol=1e-5 * np.abs(theirs).max())


# ---------------------------------------------------------------- pickles
def test_a_pickle_of_another_hash_is_not_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpickling runs code: only the published file is loaded, whatever the name and the size say."""
    import torch

    body = (folder / "tiny.th").read_bytes()
    monkeypatch.setattr(torch, "load", lambda *_a, **_k: pytest.fail("the file was opened"))
    item = replace(weights.WEIGHTS["htdemucs"], size=len(body))
    monkeypatch.setitem(weights.WEIGHTS, "htdemucs", item)
    item.path.parent.mkdir(parents=True)
    item.path.write_bytes(body)
    with pytest.raises(ModelError, match="sha256") as caught:
        choose_separator()
    assert "models pull htdemucs --force" in caught.value.hint


def test_the_published_file_is_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (folder / "tiny.th").read_bytes()
    digest = hashlib.sha256(body).hexdigest()
    item = replace(weights.WEIGHTS["htdemucs"], size=len(body), sha256=digest, file=f"tiny-{digest[:8]}.th")
    monkeypatch.setitem(weights.WEIGHTS, "htdemucs", item)
    item.path.parent.mkdir(parents=True)
    item.path.write_bytes(body)
    assert choose_separator().rate == 44100


@pytest.mark.parametrize("what", ["nothing", "two", "garbage", "file", "absent"])
def test_a_folder_that_holds_no_model(what: str, folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "own"
    if what == "file":
        place.write_text("x")
    elif what != "absent":
        place.mkdir()
    for name in {"two": ["a.th", "b.th"], "garbage": ["a.th"]}.get(what, []):
        (place / name).write_bytes(b"this is no model")
    with pytest.raises(ModelError):
        choose_separator(weights=place)


# ---------------------------------------------------------------- is it a mix?
def test_a_held_vowel_is_a_solo() -> None:
    for hz in (110.0, 196.0, 220.0, 329.6, 440.0, 700.0):
        assert not is_mix(sung(4.0, hz))


def test_a_melody_on_the_grid_is_a_solo() -> None:
    notes = [sung(0.8, 440 * 2 ** (step / 12)).samples for step in (0, 2, 4, 5, 7, 4, 0, -5)]
    assert not is_mix(Audio(np.concatenate(notes, axis=1), 44100))


def test_noise_and_hum_are_no_accompaniment() -> None:
    voice = sung(5.0, 247.0)
    rng = np.random.default_rng(0)
    time = np.arange(voice.samples.shape[1]) / voice.rate
    noisy = voice.samples + 0.02 * rng.standard_normal(voice.samples.shape) + 0.005 * np.sin(2 * np.pi * 50 * time)
    assert not is_mix(Audio(noisy.astype(np.float32), voice.rate))


@pytest.mark.parametrize("level", [0.05, 0.2, 0.8])
@pytest.mark.parametrize("tuning", [1.0, 0.985])
def test_chords_under_a_voice_are_a_mix(level: float, tuning: float) -> None:
    voice = sung(6.0, 330.0).samples[0]
    backing = level * chord(7.0, round(44100 / tuning))[: voice.size]  # read at another rate: out of tune with 440 Hz
    assert is_mix(Audio((voice + backing).astype(np.float32)[None], 44100))


def test_the_measure_does_not_depend_on_level_rate_or_channels() -> None:
    song = sung(6.0, 330.0).samples[0] + 0.2 * chord(6.0)
    here = accompaniment(Audio(song.astype(np.float32)[None], 44100))
    assert accompaniment(Audio(0.01 * song.astype(np.float32)[None], 44100)) == pytest.approx(here, rel=1e-3)
    assert accompaniment(Audio(np.stack([song, song]).astype(np.float32), 44100)) == pytest.approx(here, rel=1e-3)


def test_short_and_silent_sounds_do_not_break_it() -> None:
    assert not is_mix(Audio(np.zeros((1, 4410), np.float32), 44100))
    assert not is_mix(sung(0.2))
