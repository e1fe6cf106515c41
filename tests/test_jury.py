"""Optional judges: the scripts in examples/judges on stand-ins for their packages, and what becomes of answers."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from conftest import RATE, store
from unisinger_cli.backends.juror import Juror
from unisinger_cli.errors import ModelError
from unisinger_cli.evaluation.clips import Clip
from unisinger_cli.evaluation.findings import Item, Part, Score
from unisinger_cli.evaluation.jury import Jury, words
from unisinger_cli.pipeline.reporter import Silent
from unisinger_cli.types import Audio

STAND_INS = Path(__file__).parent / "stand_ins"
SCRIPTS = Path(__file__).resolve().parents[1] / "examples" / "judges"


def tone(hz: float, seconds: float = 2.0, level: float = 0.5) -> Audio:
    time = np.arange(round(seconds * RATE)) / RATE
    return Audio((level * np.sin(2 * np.pi * hz * time)).astype(np.float32)[None], RATE)


def stand_in(kind: str, hears: str = "voice") -> Juror:
    return Juror(f"{sys.executable} {STAND_INS / 'judge.py'} {hears} {kind}")


# ---------------------------------------------------------------- the scripts
@pytest.mark.parametrize(
    ("script", "needs", "answer"),
    [
        ("wavlm", "a folder", [2.0, 0.5]),
        ("whisper_words", "a file", "2.0 seconds"),
        ("fireredasr_words", "a folder", "2.0 seconds"),
        ("audiobox", "a file", {"CE": 2.0, "CU": 0.5, "PC": 0.0, "PQ": 0.0}),
        ("songeval", "songeval", {"coherence": 2.0, "musicality": 0.5, "memorability": 0, "clarity": 0}),
        ("clamp3", "clamp3", [2.0, 0.5]),
        ("fad", "stand-in-embedding", [[2.0, 0.5], [2.0, 0.5]]),
    ],
)
def test_a_script_hands_on_what_its_judge_finds(
    script: str, needs: str, answer: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stereo at 44.1 kHz goes in, what the package makes of it comes out."""
    monkeypatch.setenv("PYTHONPATH", str(STAND_INS))
    monkeypatch.setenv("MUQ", str(tmp_path))
    weights: Path | str = needs
    if needs == "a folder":
        weights = tmp_path
    elif needs == "a file":
        weights = tmp_path / "weights.pt"
        weights.write_bytes(b"")
    elif needs == "songeval":
        weights = tmp_path / "checkout"
        (weights / "ckpt").mkdir(parents=True)
        for name in ("model.py", "config.yaml"):
            (weights / name).write_text((STAND_INS / "songeval" / name).read_text())
        save_file({"told.weight": torch.eye(5, 2)}, weights / "ckpt" / "model.safetensors")
    elif needs == "clamp3":
        weights = STAND_INS / "clamp3"
    mono = tone(200.0)
    with Juror(f"{sys.executable} {SCRIPTS / f'{script}.py'} '{weights}'") as juror:
        for _ in range(2):
            found = juror.hear(Audio(np.repeat(mono.samples, 2, axis=0), RATE))
            if isinstance(answer, str):
                assert isinstance(found, str) and found.strip() == answer
            elif isinstance(answer, dict):
                assert isinstance(found, dict) and found.keys() >= answer.keys()
                assert all(found[name] == pytest.approx(answer[name], abs=0.01) for name in answer)
            else:
                np.testing.assert_allclose(found, answer, atol=0.01)
        if juror.captions:
            np.testing.assert_allclose(juror.read("a slow ballad"), [3, 0])


def test_every_script_is_listed() -> None:
    text = (SCRIPTS / "README.md").read_text(encoding="utf-8")
    listed = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `") and ".py`" in line}
    assert listed == {path.name for path in SCRIPTS.glob("*.py")} - {"serve.py"}


# ---------------------------------------------------------------- what becomes of answers
@pytest.fixture
def part(tmp_path: Path) -> Part:
    """Three songs whose vocals are the references themselves, three seconds, four, and five long."""
    items = []
    for i, hz in enumerate((110.0, 450.0, 1250.0)):
        made, source = tone(hz, 3.0 + i), tone(800.0, 1.0 + i)
        for name, audio in (("vocal", made), ("reference", made), ("source", source), ("mix", made)):
            store(tmp_path / f"{i}.{name}.wav", audio.samples)
        sounds = {name: f"{i}.{name}.wav" for name in ("vocal", "reference", "source", "mix")}
        said = ("One, two; three", "one two three four", "One TWO three four five")[i]
        items.append(Item(f"song {i}", {}, sounds, said, f"{hz:.0f} Hz"))
    return Part("song", (Score("there", 1.0),), tuple(items))


def scores(part: Part, kind: str, hears: str, folder: Path, clips: list[Clip] | None = None) -> dict[str, Score]:
    with stand_in(kind, hears) as juror:
        judged = Jury([juror], clips or [], RATE, folder, Silent()).judge(part)
    assert judged.scores[0] == part.scores[0] and judged.items == part.items and not judged.failed
    return {score.name.removeprefix(f"stand-in-{kind}_"): score for score in judged.scores[1:]}


def songs(folder: Path, count: int = 4) -> list[Clip]:
    """Songs of a pack, each of a vocal and an accompaniment of 300 Hz, together of a level of 0.4."""
    store(folder / "sung.wav", tone(300.0, 4.0, 0.2).samples)
    store(folder / "played.wav", tone(300.0, 4.0, 0.2).samples)
    return [Clip(f"c{i}", folder / "sung.wav", "s", "factory", 4.0, folder / "played.wav") for i in range(count)]


def test_vectors_of_voices(part: Part, tmp_path: Path) -> None:
    found = scores(part, "vector", "voice", tmp_path)
    likeness, nearer = found["similarity_to_reference"], found["nearer_to_reference"]
    assert likeness.value == pytest.approx(1.0) and likeness.control is not None and likeness.control < 0.5
    assert nearer.value == 1.0 and nearer.control is not None and nearer.control < 1


def test_captions_of_songs(part: Part, tmp_path: Path) -> None:
    score = scores(part, "captions", "song", tmp_path)["similarity_to_caption"]
    assert score.value is not None and score.control is not None
    assert score.value > 0.95 > 0.5 > score.control


def test_frames_and_vectors_of_songs_are_collections(part: Part, tmp_path: Path) -> None:
    for kind in ("frames", "vector"):
        score = scores(part, kind, "song", tmp_path, songs(tmp_path))["frechet_distance"]
        assert score.value is not None and score.control is not None
        assert score.value > 10 * max(score.control, 1e-3)
        assert score.against == "two halves of songs of the packs"


def test_opinions_stand_beside_those_of_what_is_real(part: Part, tmp_path: Path) -> None:
    found = scores(part, "scores", "song", tmp_path, songs(tmp_path))
    assert found["seconds"].value == pytest.approx(4.0) and found["seconds"].control == pytest.approx(4.0)
    assert found["level"].value == pytest.approx(0.5, abs=0.01)
    assert found["level"].control == pytest.approx(0.4, abs=0.02)
    beside = scores(part, "scores", "voice", tmp_path)["level"]
    assert beside.control == pytest.approx(0.5, abs=0.01) and beside.against == "the references"


def test_words_are_held_against_the_lyrics_or_the_source(part: Part, tmp_path: Path) -> None:
    score = scores(part, "text", "voice", tmp_path)["word_error_rate"]
    assert score.value == 0 and score.control is not None and score.control > 0.2
    silent = replace(part, items=tuple(replace(item, words="") for item in part.items))
    beside = scores(silent, "text", "voice", tmp_path)["word_error_rate"]
    assert beside.value == pytest.approx((2 / 1 + 2 / 2 + 2 / 3) / 3)  # the sources are two seconds shorter


def test_words_are_compared_as_recognisers_are() -> None:
    assert words("Don’t stop — it's 2 o'clock!") == ["don't", "stop", "it's", "2", "o'clock"]
    assert words("月亮 shines ありがとう") == ["月", "亮", "shines", *"ありがとう"]
    assert words("Größe") == words("GRÖSSE") == ["grösse"]


@pytest.mark.parametrize("kind", ["ragged", "nan", "other", "garbage", "dying"])
def test_a_judge_that_fails_costs_nothing_but_its_own(part: Part, kind: str, tmp_path: Path) -> None:
    with stand_in(kind) as wrong, stand_in("text") as right:
        judged = Jury([wrong, right], [], RATE, tmp_path, Silent()).judge(part)
    assert len(judged.failed) == 1 and kind in judged.failed[0]
    assert [score.name for score in judged.scores] == ["there", "stand-in-text_word_error_rate"]
    if kind == "dying":
        assert "out of memory" in judged.failed[0] and "exit code 1" in judged.failed[0]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("/no/such/program", "No such file"),
        (" ", "no command"),
        ("python 'judge.py", "No closing quotation"),
        (f"{sys.executable} {STAND_INS / 'judge.py'} voice absent", "no weights in /nowhere"),
        (f"{sys.executable} {STAND_INS / 'judge.py'} voice unknown", "a smile"),
        (f"{sys.executable} {STAND_INS / 'judge.py'} everything text", "everything"),
        (f"{sys.executable} -c 'print(1)'", "no JSON object"),
        (f"{sys.executable} -c 'import os, time; os.close(1); time.sleep(99)'", "closed its output"),
    ],
)
def test_what_is_no_judge_is_refused(command: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unisinger_cli.backends.juror.GRACE", 3.0)
    with pytest.raises(ModelError) as refused:
        Juror(command)
    assert told in refused.value.message and "\n" not in refused.value.message


@pytest.mark.parametrize("kind", ["text", "deaf"])
def test_nothing_of_a_judge_is_left(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor of one that does not end when it is told to."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("unisinger_cli.backends.juror.GRACE", 0.5)
    with stand_in(kind) as juror:
        juror.hear(tone(200.0))
        process = juror._process.pid
    assert not list(tmp_path.iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
