"""Voice files, which may come from anybody: what is hostile is refused in one line, what is not works anywhere."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import store, sung
from test_voice import done, saved
from unisinger_cli.cli import checks
from unisinger_cli.errors import InputError, ModelError, UsageError
from unisinger_cli.pipeline import voices
from unisinger_cli.pipeline.reference import reference
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.pipeline.voicefile import FORMAT, MOST_BYTES, VERSION, is_voice, read_voice, write_voice
from unisinger_cli.stages.checkup import Checkup

UNIT = np.eye(1, 192, dtype=np.float32)[0]
GOOD: dict[str, Any] = {
    "consent": "mine",
    "checkpoint": "c" * 64,
    "created": "2026-03-01",
    "recordings": [{"file": "a.wav", "sha256": "a" * 64, "seconds": 3.0}],
    "median_midi": 57.5,
}
FOUND = {"seconds": 3.0, "sounding": 2.5, "snr": 30.0, "clipped": 0.0, "voiced": 0.7, "alike": None}


def made(path: Path, told: str, vector: np.ndarray = UNIT, about: dict[str, str] | None = None) -> Path:
    from safetensors.numpy import save_file

    usual = {"format": FORMAT, "version": str(VERSION), "voice": told}
    save_file({"timbre": vector}, path, metadata=usual if about is None else about)
    return path


def test_a_file_with_all_its_fields_is_read(tmp_path: Path) -> None:
    """So that the refusals below mean something."""
    heard = GOOD["recordings"][0] | {"checkup": FOUND}
    parent = {"name": "anna", "weight": 0.7, "sha256": "b" * 64, "consent": "hers"}
    told = GOOD | {"recordings": [heard], "done": ["left out 1.0 s of silence"], "parents": [parent]}
    voice = read_voice(made(tmp_path / "me.safetensors", json.dumps(told)))
    assert voice.recordings[0].checkup == Checkup(**FOUND)
    assert voice.done == ("left out 1.0 s of silence",) and voice.parents[0].weight == 0.7
    write_voice(voice, tmp_path / "me.safetensors")
    again = read_voice(tmp_path / "me.safetensors")
    assert again.described() == voice.described() and np.array_equal(again.timbre.vector, UNIT)
    assert read_voice(made(tmp_path / "old.safetensors", json.dumps(GOOD))).done == ()  # of before the check-up


TEXTS: dict[str, str] = {
    "no JSON": "{",
    "no object": "[1]",
    "null": "null",
    "deep": "[" * 100_000,
    "huge number": json.dumps(GOOD).replace("57.5", "9" * 5000),
    "infinite number": json.dumps(GOOD).replace("57.5", "Infinity"),
    "NaN": json.dumps(GOOD).replace("3.0", "NaN"),
    "no consent": json.dumps({key: value for key, value in GOOD.items() if key != "consent"}),
}
FIELDS: dict[str, dict[str, Any]] = {
    "consent is a number": {"consent": 1},
    "consent moves the cursor": {"consent": "\x1b[2Jgone"},
    "consent is a book": {"consent": "x" * 30_000},
    "half a letter": {"consent": "\ud800"},
    "checkpoint is none": {"checkpoint": None},
    "recordings are a text": {"recordings": "a.wav"},
    "recordings are numbers": {"recordings": [1]},
    "too many recordings": {"recordings": GOOD["recordings"] * 2000},
    "a recording without a name": {"recordings": [{"sha256": "a", "seconds": 1}]},
    "a length below zero": {"recordings": [{"file": "a", "sha256": "a", "seconds": -1}]},
    "a truth for a length": {"recordings": [{"file": "a", "sha256": "a", "seconds": True}]},
    "half a check-up": {"recordings": [{"file": "a", "sha256": "a", "seconds": 1, "checkup": {"snr": 3}}]},
    "a pitch beyond hearing": {"median_midi": 1e9},
    "notes that are none": {"done": [{}]},
    "a parent of negative weight": {"parents": [{"name": "a", "weight": -1, "sha256": "a", "consent": "a"}]},
}
TENSORS: dict[str, np.ndarray] = {
    "empty": np.zeros(0, np.float32),
    "a matrix": np.eye(3, dtype=np.float32),
    "whole numbers": np.eye(1, 192, dtype=np.int32)[0],
    "doubles": UNIT.astype(np.float64),
    "NaN": np.full(192, np.nan, np.float32),
    "infinite": np.full(192, np.inf, np.float32),
    "zero": np.zeros(192, np.float32),
    "of another length": 3 * UNIT,
    "huge": np.eye(1, 100_000, dtype=np.float32)[0],
}


def refused(path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_voice(path)
    told = caught.value.message + caught.value.hint
    assert path.name in told and told.isprintable() and len(told) < 600


@pytest.mark.parametrize("what", [*TEXTS, *FIELDS])
def test_what_it_tells_of_itself_is_checked(what: str, tmp_path: Path) -> None:
    told = TEXTS[what] if what in TEXTS else json.dumps(GOOD | FIELDS[what])
    refused(made(tmp_path / "bad.safetensors", told))


@pytest.mark.parametrize("what", TENSORS)
def test_its_vector_is_checked(what: str, tmp_path: Path) -> None:
    refused(made(tmp_path / "bad.safetensors", json.dumps(GOOD), TENSORS[what]))


def header(data: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(data) if length is None else length) + data


META = b'{"__metadata__":{"format":"unisinger-voice","version":"1","voice":"{}"}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"\x80\x04pickle",
        header(b"{}", 2**63),  # claims eight exabytes
        header(b"{}", 50_000_000),
        header(b'{"timbre":{"dtype":"F32","shape":[4000000000],"data_offsets":[0,16000000000]}}') + b"\0" * 64,
        header(b'{"timbre":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}') + b"\0" * 8,  # no metadata
        header(META + b',"timbre":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}') + b"\0" * 4,
        header(META + b',"timbre":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}') + b"\0" * 2,
        header(META + b',"other":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}') + b"\0" * 4,
        b"\0" * (MOST_BYTES + 1),
    ],
    ids="empty sound pickle endless long tensor another halves quarters vectorless large".split(),
)
def test_what_is_no_voice_file(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    refused(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    refused(tmp_path / "folder.safetensors")
    refused(tmp_path / "missing.safetensors")


def test_other_versions_and_halves(tmp_path: Path) -> None:
    path = made(tmp_path / "bad.safetensors", "", about={"format": FORMAT, "version": "9", "voice": json.dumps(GOOD)})
    with pytest.raises(InputError, match="version '9'"):
        read_voice(path)
    write_voice(saved(), path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        refused(path)


def test_a_broken_voice_does_not_hide_the_others(own_home: Path) -> None:
    voices.save(saved())
    (own_home / "voices" / "broken.safetensors").write_bytes(b"no")
    listed = done("list")
    assert listed.exit_code == 0 and "anna" in listed.stdout and "broken" in listed.stderr
    assert json.loads(done("list", "--json").stdout)["damaged"] == ["broken"]


def test_voices_without_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UNISINGER_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="cannot be made"):
        voices.save(saved())


# ---------------------------------------------------------------- on another machine
def test_a_voice_travels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store(tmp_path / "one.wav", sung(1.5).samples)
    assert done("add", "me", "one.wav", "--consent", "for Ben", "--checkpoint", "debug").exit_code == 0
    sent = done("export", "me", "-o", "sent.safetensors")
    assert (sent.exit_code, sent.stdout.strip()) == (0, "sent.safetensors"), sent
    assert isinstance(done("export", "me", "-o", "sent.safetensors").exception, InputError)  # it exists
    assert isinstance(done("export", "me", "-o", "sent.wav").exception, UsageError)

    there = tmp_path / "elsewhere"
    assert "for Ben" in done("show", "sent.safetensors", home=there).stdout
    taken = json.loads(done("import", "sent.safetensors", "--name", "guest", "--json", home=there).stdout)
    assert taken["voice"]["consent"] == "for Ben" and taken["voice"]["name"] == "guest"
    alike = json.loads(done("compare", "guest", "sent.safetensors", "--json", home=there).stdout)["similarity"]
    assert alike == pytest.approx(1, abs=1e-6)
    again = done("import", "sent.safetensors", "--name", "guest", home=there).exception
    assert isinstance(again, InputError) and "--force" in again.hint

    monkeypatch.setenv("UNISINGER_HOME", str(there))
    debug, here = Studio.open("debug"), voices.load("guest").timbre.vector
    for text in ("guest", "sent.safetensors", str(tmp_path / "sent.safetensors")):
        assert np.array_equal(reference(debug, checks.voice(text)).timbre.vector, here)
    stranger = replace(debug, sha256="d" * 64)
    with pytest.raises(ModelError, match="another checkpoint"):
        reference(stranger, checks.voice("guest"))


@pytest.mark.parametrize("name", ["../evil", "a b", ".", "x" * 65])
def test_an_import_cannot_leave_the_folder(name: str, own_home: Path, tmp_path: Path) -> None:
    from unisinger_cli.cli.commands.voice import import_

    write_voice(saved(), tmp_path / "good.safetensors")
    with pytest.raises(UsageError, match="cannot be the name") as caught:
        import_(tmp_path / "good.safetensors", name=name)
    assert "--name" in caught.value.hint and not list(own_home.rglob("*.safetensors"))


def test_a_voice_file_is_known_by_its_ending() -> None:
    assert is_voice(Path("a.safetensors")) and is_voice(Path("A.SAFETENSORS")) and not is_voice(Path("a.wav"))
