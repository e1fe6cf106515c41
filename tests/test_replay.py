"""Receipts read back: the same bytes again, and nothing that a hostile receipt could do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Run, store, sung
from unisinger_cli.errors import InputError
from unisinger_cli.pipeline.recall import recall

DEBUG = ("--checkpoint", "debug", "--steps", "1")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a song, a conversion and all that they were made of."""
    from unisinger_cli.cli.app import main

    folder = tmp_path_factory.mktemp("made")
    (folder / "lyrics.txt").write_text("the morning comes across the sea\n")
    store(folder / "voice.wav", sung(2.0, hz=180.0).samples)
    store(folder / "vocal.wav", sung(2.3, hz=300.0, rate=22050).samples, 22050)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for arguments in (
            ("song", "--lyrics", "lyrics.txt", "--ref", "voice.wav", "-o", "s.flac", "--bits", "16"),
            ("convert", "vocal.wav", "--target", "voice.wav", "-o", "c.wav"),
        ):
            patch.setattr("sys.argv", ["unisinger", *arguments, *DEBUG, "--threads", "1", "-q"])
            assert main() == 0
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    for file in made.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_replay_gives_the_same_bytes(unisinger: Run, place: Path) -> None:
    for name, suffix, stems in (("s", ".flac", ("", ".vocal", ".accomp")), ("c", ".wav", ("", ".vocal"))):
        done = unisinger("replay", f"{name}.json", "--json")
        assert done.code == 0, done.err
        assert done.json["identical"] is True
        assert done.json["output"] == f"{name}.replay{suffix}"
        for stem in stems:
            again = (place / f"{name}.replay{stem}{suffix}").read_bytes()
            assert again == (place / f"{name}{stem}{suffix}").read_bytes()


def test_inspect_reads_what_is_inside(unisinger: Run, place: Path) -> None:
    told = unisinger("inspect", "s.vocal.flac", "--json").json["record"]
    receipt = json.loads((place / "s.json").read_text())
    assert told["request"]["lyrics"] == "the morning comes across the sea\n"
    assert told["inputs"] == {"ref": receipt["inputs"]["ref"]}
    assert (told["model"], told["scores"], told["bits"]) == (receipt["model"], receipt["scores"], "16")
    assert "seconds" not in told and "files" not in told  # nothing that another run would not have
    text = unisinger("inspect", "c.wav").out
    assert "synthetic" in text and "vocal.wav" in text
    assert unisinger("inspect", "s.json").code == 0
    for bad, said in (("voice.wav", "no record"), ("lyrics.txt", "no record"), ("none.wav", "No such file")):
        done = unisinger("inspect", bad)
        assert done.code == 3 and said in done.err and "Traceback" not in done.err


def test_changed_missing_and_foreign_things_are_told(unisinger: Run, place: Path) -> None:
    (place / "away").mkdir()
    (place / "away" / "c.json").write_bytes((place / "c.json").read_bytes())
    store(place / "voice.wav", sung(2.0, hz=181.0).samples)
    done = unisinger("replay", "c.json")
    assert done.code == 3 and "voice.wav" in done.err and "has changed" in done.err
    (place / "vocal.wav").unlink()
    done = unisinger("replay", "c.json")
    assert done.code == 3 and "not there any more" in done.err
    assert unisinger("replay", "s.json", "-o", "again.wav").code == 3  # another format has other bytes


def test_another_model_is_refused(unisinger: Run, place: Path) -> None:
    data = json.loads((place / "s.json").read_text())
    data["model"]["sha256"] = "ab" * 32
    (place / "s.json").write_text(json.dumps(data))
    done = unisinger("replay", "s.json", "--checkpoint", "debug")
    assert done.code == 4 and "abababababab" in done.err


HOSTILE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a list": lambda data: [data],
    "no request": lambda data: data.pop("request") and data,
    "a text as request": lambda data: data | {"request": "x"},
    "another schema": lambda data: data | {"schema": 99},
    "a verb of its own": lambda data: data | {"command": "rm"},
    "seed of another type": lambda data: data["request"]["sampler"].update(seed="0") or data,
    "seed out of range": lambda data: data["request"]["sampler"].update(seed=-1) or data,
    "huge seed": lambda data: data["request"]["sampler"].update(seed=10**400) or data,
    "steps that never end": lambda data: data["request"]["sampler"].update(steps=10**9) or data,
    "scale that is none": lambda data: data["request"]["sampler"].update(words=float("nan")) or data,
    "endless scale": lambda data: data["request"]["sampler"].update(words=float("inf")) or data,
    "true as a number": lambda data: data["request"]["sampler"].update(steps=True) or data,
    "unknown field": lambda data: data["request"].update(run="rm -rf") or data,
    "voice of another type": lambda data: data["request"].update(ref={"path": "voice.wav"}) or data,
    "voice that is not among the inputs": lambda data: data["request"].update(ref=[{"path": "/etc/passwd"}]) or data,
    "path with a null byte": lambda data: data["request"].update(ref=[{"path": "a\0b"}]) or data,
    "path without end": lambda data: data["request"].update(ref=[{"path": "a" * 10000}]) or data,
    "inputs of another type": lambda data: data | {"inputs": [1]},
    "input without a hash": lambda data: data["inputs"]["ref"].pop("sha256") and data,
    "input with another hash": lambda data: data["inputs"]["ref"].update(sha256="0" * 64) or data,
    "files of another type": lambda data: data | {"files": None},
    "file without a path": lambda data: data | {"files": {"mix": {"sha256": "x"}}},
    "machine of another type": lambda data: data | {"machine": 3},
    "model of another type": lambda data: data | {"model": "mini"},
    "bits of another type": lambda data: data | {"bits": 16},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_receipts(what: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    data = HOSTILE[what](json.loads(Path("s.json").read_text()))
    Path("bad.json").write_text(json.dumps(data))
    with pytest.raises(InputError) as caught:
        recall(Path("bad.json"))
    assert "bad.json" in caught.value.message and "\n" not in caught.value.message


@pytest.mark.parametrize("text", ["", "{", "[" * 100000, '{"a":' * 50000, "\x00", '{"a": 1e999999}', "1" * 5000])
def test_receipts_that_are_no_json(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(InputError):
        recall(path)


def test_a_receipt_never_says_where_to_write(unisinger: Run, place: Path) -> None:
    """Only its format is heeded: the place is beside the receipt, or what -o says."""
    data = json.loads((place / "s.json").read_text())
    for item in data["files"].values():
        item["path"] = "/tmp/../tmp/elsewhere/x.flac" if "sha256" in item else item["path"]
    data["output"] = "../../x.flac"
    (place / "s.json").write_text(json.dumps(data))
    before = set(place.iterdir())
    assert unisinger("replay", "s.json", "-q").out == "s.replay.flac\n"
    assert {path.name for path in set(place.iterdir()) - before} == {
        "s.replay.flac", "s.replay.vocal.flac", "s.replay.accomp.flac", "s.replay.json"
    }  # fmt: skip
