"""The receipt, and that everything of a run lands together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from conftest import RATE, sung
from unisinger_cli import strict_json
from unisinger_cli.backends.weights import sha256_of
from unisinger_cli.pipeline import voices
from unisinger_cli.pipeline.deliver import deliver
from unisinger_cli.pipeline.receipt import receipt
from unisinger_cli.requests import ConvertRequest, SamplerConfig, SongRequest, one_voice
from unisinger_cli.types import Chord, Note, PlanLine, Result, Score, SongPlan, Stems, Syllable


@dataclass
class Model:
    name: str = "mini"
    sha256: str = "ab" * 32
    device: str = "cpu"


PLAN = SongPlan(
    seconds=2.0,
    score=Score(90.0, 4, "C:maj", (Chord(0.0, 2.0, 0, "maj", 0),)),
    lines=(PlanLine("la", (Syllable("la", ("l", "a"), (Note(0.0, 1.0, 60.0),)),)),),
    language="en",
)


def made() -> Result:
    return Result(
        stems=Stems(sung(2.0, channels=2), sung(2.0, hz=110, channels=2)),
        scores={"similarity": 0.5, "key": None, "broken": float("nan")},
        plan=PLAN,
        seconds_by_stage={"sample": 1.23456},
        notes=("6 channels were mixed down",),
    )


def test_receipt_tells_what_was_asked_used_and_measured(tmp_path: Path) -> None:
    lyrics = tmp_path / "lyrics.txt"
    lyrics.write_text("la la")
    request = SongRequest("la la", sampler=SamplerConfig(seed=7, words=0.0))
    told = receipt(Model(), request, made(), {"mix": Path("o.wav")}, {"lyrics": lyrics}, seconds=3.0)
    back = json.loads(strict_json.dumps(told))
    assert (back["schema"], back["command"], back["output"], back["seed"]) == (2, "song", "o.wav", 7)
    assert back["request"]["sampler"]["words"] == 0
    assert back["inputs"]["lyrics"]["sha256"] == sha256_of(lyrics)
    assert back["model"] == {"name": "mini", "sha256": "ab" * 32}
    assert {"unisinger", "python", "torch", "numpy"} <= set(back["versions"])
    assert back["scores"] == {"similarity": 0.5, "key": None, "broken": None}
    assert back["audio"] == {"seconds": 2.0, "rate": RATE, "channels": 2}
    assert back["plan"]["lines"][0]["syllables"][0]["notes"][0]["midi"] == 60
    assert "consent" in back["consent"]


def test_receipt_has_only_paths_that_the_user_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.wav").write_bytes(b"a")
    Path("b.wav").write_bytes(b"b")
    request = ConvertRequest(Path("a.wav"), one_voice(Path("b.wav")))
    told = receipt(Model(), request, made(), {"mix": Path("o.wav")}, {"source": Path("a.wav")}, seconds=1.0)
    assert told["command"] == "convert"
    assert str(tmp_path) not in strict_json.dumps(told)
    assert strict_json.dumps(told).count("/") == strict_json.dumps(told).count("a/b")  # no path has a folder in it


def test_a_saved_voice_is_told_by_its_name() -> None:
    path = voices.path_of("anna")
    path.parent.mkdir()
    path.write_bytes(b"x")
    request = ConvertRequest(Path("a.wav"), one_voice(path))
    told = receipt(Model(), request, made(), {"mix": Path("o.wav")}, {"target": path}, seconds=1.0)
    assert told["request"]["target"] == [{"path": "anna", "weight": 1.0}]
    assert told["inputs"]["target"] == {"path": "anna", "sha256": sha256_of(path)}


def test_parts_land_together(tmp_path: Path) -> None:
    files = {name: tmp_path / f"o.{name}.wav" for name in ("mix", "vocal", "accomp")}
    files["receipt"] = tmp_path / "o.json"
    deliver(files, made().stems, {"seed": 0})
    assert sorted(tmp_path.iterdir()) == sorted(files.values())
    told = json.loads(files["receipt"].read_text())
    assert told["seed"] == 0
    assert told["files"]["mix"] == {"path": str(files["mix"]), "sha256": sha256_of(files["mix"])}
    mix, vocal, accomp = (soundfile.read(str(files[name]))[0] for name in ("mix", "vocal", "accomp"))
    assert np.array_equal(mix, vocal + accomp)
    assert soundfile.info(str(files["mix"])).channels == 2


def test_vocal_alone_is_the_mix(tmp_path: Path) -> None:
    files = {"mix": tmp_path / "o.wav", "vocal": tmp_path / "o.vocal.wav", "receipt": tmp_path / "o.json"}
    deliver(files, Stems(made().stems.vocal, None), {})
    assert files["mix"].read_bytes() == files["vocal"].read_bytes()


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    files = {"mix": tmp_path / "o.wav", "vocal": tmp_path / "none" / "v.wav", "receipt": tmp_path / "o.json"}
    with pytest.raises(OSError):
        deliver(files, made().stems, {})
    assert list(tmp_path.iterdir()) == []


def test_sha256_is_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
