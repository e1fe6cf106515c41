"""The judge of words: what it is asked, what it leaves out, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from conftest import Run
from toy_pack import training_pack
from unisinger_cli.audio import read
from unisinger_cli.corpus.pack import write_pack
from unisinger_cli.errors import ModelError
from unisinger_cli.evaluation.words import Words, spoken
from unisinger_cli.model.phoneme_recogniser import PhonemeRecogniser, RecogniserConfig, save_recogniser
from unisinger_cli.types import Audio

RATE = 16000


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("judge") / "model.safetensors"
    config = RecogniserConfig(channels=4, width=16, hidden=16, layers=2)
    network = PhonemeRecogniser(config)
    torch.nn.init.normal_(network.head.weight, std=2.0)  # so that it hears something, whatever it is
    save_recogniser(network, path, {"seed": 0})
    return path


def noise(seconds: float, rate: int = RATE) -> Audio:
    samples = np.random.default_rng(0).standard_normal((1, round(seconds * rate)), dtype=np.float32)
    return Audio(0.1 * samples, rate)


def test_what_is_heard_has_no_errors_and_what_is_not_has_all(judge: Path) -> None:
    words = Words(judge)
    heard = words.heard(noise(3.0))
    assert heard and set(heard) <= set(RecogniserConfig().phonemes)
    assert words.rate(noise(3.0), heard) == 0
    assert words.rate(noise(3.0), ["_", *heard, "^"]) == 0  # pauses and breaths are not said
    assert words.rate(Audio(np.zeros((1, 100), dtype=np.float32), RATE), heard) == 1
    assert words.rate(noise(3.0), ["_"]) is None
    assert spoken(["_", "a", "^", "t"]) == ["a", "t"]


def test_long_sound_is_heard_in_stretches(judge: Path) -> None:
    """The cut lies in the pause, and both sides are heard as they would be alone."""
    first, second, pause = noise(20.0).samples, noise(25.0).samples, np.zeros((1, RATE), dtype=np.float32)
    words = Words(judge)
    heard = words.heard(Audio(np.concatenate([first, pause, second], axis=1), RATE))
    half = pause[:, : RATE // 2]
    before = words.heard(Audio(np.concatenate([first, half], axis=1), RATE))
    assert abs(len(heard) - len(before) - len(words.heard(Audio(second, RATE)))) <= 0.1 * len(heard)
    assert heard[: len(before) // 2] == before[: len(before) // 2]


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x80\x04pickle"])
def test_a_file_that_is_no_judge_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "judge.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"judge\.safetensors"):
        Words(path)
    with pytest.raises(ModelError, match=r"nothing\.safetensors"):
        Words(tmp_path / "nothing.safetensors")


def test_train_judge(unisinger: Run, tmp_path: Path) -> None:
    """It learns from the train split alone, and its file tells how many of the others' phonemes it gets wrong."""
    (tmp_path / "pack").mkdir()
    training_pack(tmp_path / "pack")
    command = "train", "judge", "--out", "judge", "--batch", "2", "--steps", "2", "--device", "cpu"
    done = unisinger(*command, "--data", "pack")
    assert done.code == 0, done.err
    judge = Words(tmp_path / "judge" / "part.safetensors")
    assert judge.about["clips"] == 3 and judge.about["valid"] == {}
    wrong = [judge.rate(read(tmp_path / "pack" / "audio" / f"{name}.wav"), ["a", "s", "o"]) for name in ("t1", "u1")]
    assert None not in wrong
    assert judge.about["test"]["speech en"] == pytest.approx(sum(map(float, wrong)) / 2, abs=1e-4)
    write_pack(tmp_path / "pack", [], {})
    nothing = unisinger("train", "judge", "--out", "other", "--steps", "2", "--data", "pack")
    assert nothing.code == 3 and "no recording" in nothing.err


def test_a_judge_learns_on_from_where_it_was(unisinger: Run, judge: Path, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    training_pack(tmp_path / "pack")
    command = "train", "judge", "--data", "pack", "--batch", "2", "--steps", "2", "--device", "cpu"
    done = unisinger(*command, "--out", "same", "--init", judge, "--rate", "0")
    assert done.code == 0, done.err
    before, same = load_file(judge), load_file(tmp_path / "same" / "part.safetensors")
    assert set(same) == set(before) and all(torch.equal(same[name], before[name]) for name in before)
    done = unisinger(*command, "--out", "on", "--init", judge)
    assert done.code == 0, done.err
    moved = load_file(tmp_path / "on" / "part.safetensors")
    assert not torch.equal(moved["head.weight"], before["head.weight"])
    assert (moved["head.weight"] - before["head.weight"]).abs().max() < 0.05  # a step or two away

    (tmp_path / "no.safetensors").write_bytes(b"no judge")
    stranger = unisinger(*command, "--out", "other", "--init", "no.safetensors")
    assert stranger.code == 3 and "no.safetensors" in stranger.err, stranger.err
