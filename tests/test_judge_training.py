"""The judge of words learns to read, from the train split alone, and its file tells how well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import Ran, store
from toy_pack import training_pack
from unisinger_cli.corpus.pack import write_pack
from unisinger_cli.evaluation.words import Words
from unisinger_cli.model.phoneme_recogniser import RecogniserConfig
from unisinger_cli.training.recogniser import train_recogniser, transcribed
from unisinger_cli.types import Audio

RATE = 16000
FORMANTS = {"a": (800, 1200), "i": (300, 2300), "u": (350, 700)}


def vowels(said: str, hz: float, rng: np.random.Generator) -> np.ndarray:
    """A buzz through two resonances for each vowel, with a pause before each: float32 [1, n]."""
    pieces = []
    for vowel in said:
        t = np.arange(round(RATE * rng.uniform(0.2, 0.3))) / RATE
        harmonics = np.arange(1, int(4000 / hz)) * hz
        level = sum(np.exp(-(((harmonics - f) / 150) ** 2)) for f in FORMANTS[vowel]) + 0.01
        tone = (level[:, None] * np.sin(2 * np.pi * harmonics[:, None] * t)).sum(0) * np.hanning(len(t))
        pieces += [np.zeros(round(0.1 * RATE)), 0.1 * tone]
    sound = np.concatenate([*pieces, np.zeros(RATE // 10)])
    return (sound + 1e-3 * rng.standard_normal(len(sound))).astype(np.float32)[None]


def reading_pack(folder: Path) -> Path:
    """Words of three to five vowels, in higher and lower voices."""
    (folder / "audio").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for i in range(48):
        split = "test" if i % 8 == 0 else "train"
        said = "".join(rng.choice(list(FORMANTS), rng.integers(3, 6)))
        sound = vowels(said, rng.uniform(90, 220), rng)
        store(folder / "audio" / f"{i}.wav", sound, RATE)
        seconds = sound.shape[1] / RATE
        spelt = [[vowel, seconds * k / len(said), seconds * (k + 1) / len(said)] for k, vowel in enumerate(said)]
        row = {"id": str(i), "kind": "speech", "speaker": f"s{i % 8}", "split": split, "seconds": seconds, "set": "s"}
        rows.append(row | {"vocal": f"audio/{i}.wav", "accomp": None, "language": "en", "phonemes": spelt})
    write_pack(folder, rows, {})
    return folder


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A pack, and a small judge that learned from it."""
    folder = tmp_path_factory.mktemp("reading")
    pack = reading_pack(folder / "pack")
    config = RecogniserConfig(channels=8, width=48, hidden=48, layers=2)
    train_recogniser(
        [pack],
        folder / "judge",
        seconds=None,
        steps=150,
        batch=16,
        rate=4.0,
        seed=0,
        device="cpu",
        resume=False,
        workers=1,
        report=lambda line: None,
        config=config,
    )
    return pack, folder / "judge" / "part.safetensors"


def test_it_reads_voices_that_it_never_heard(taught: tuple[Path, Path]) -> None:
    judge = Words(taught[1])
    rng = np.random.default_rng(1)
    wrong = [judge.rate(Audio(vowels(said, hz, rng), RATE), list(said)) for said, hz in (("aiua", 130), ("uiaiu", 180))]
    assert max(rate for rate in wrong if rate is not None) <= 0.25
    other = judge.rate(Audio(vowels("aiua", 130, rng), RATE), list("iuau"))
    assert other is not None and other >= 0.5


def test_its_file_tells_what_it_heard_and_how_well_it_reads(taught: tuple[Path, Path]) -> None:
    pack, file = taught
    about = Words(file).about
    assert about["clips"] == len(transcribed([pack], "train")) == 42
    assert not {row["speaker"] for _, row in transcribed([pack], "train")} & {"s0"}
    assert about["test"]["speech en"] <= 0.25 and about["valid"] == {}


def test_train_judge(unisinger: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    training_pack(tmp_path / "pack")
    command = "train", "judge", "--data", "pack", "--out", "judge", "--batch", "2", "--device", "cpu"
    done = unisinger(*command, "--steps", "2")
    assert done.code == 0, done.err
    judge = Words(tmp_path / "judge" / "part.safetensors")
    assert judge.about["clips"] == 3 and set(judge.about["test"]) == {"speech en"}
    assert torch.isfinite(torch.tensor(judge.about["losses"]["loss"]))
    (tmp_path / "silent").mkdir()
    write_pack(tmp_path / "silent", [], {})
    nothing = unisinger("train", "judge", "--data", "silent", "--out", "other", "--steps", "2")
    assert nothing.code == 3 and "no recording with phonemes" in nothing.err
