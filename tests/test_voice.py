"""`voice`: a voice under a name, with the consent that it rests on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from conftest import Run, store, sung
from unisinger_cli.cli import output
from unisinger_cli.cli.app import app
from unisinger_cli.errors import InputError, ModelError, UsageError
from unisinger_cli.pipeline import voices
from unisinger_cli.pipeline.voicefile import Recording, Voice
from unisinger_cli.types import Timbre


def saved(name: str = "anna", seed: int = 0, checkpoint: str = "c" * 64) -> Voice:
    vector = np.random.default_rng(seed).standard_normal(192).astype(np.float32)
    timbre = Timbre(vector / np.linalg.norm(vector))
    heard = (Recording("take ä.wav", "a" * 64, 3.25), Recording("two.flac", "b" * 64, 1.0))
    return Voice(name, timbre, 'Anna said "yes", 2026', checkpoint, "2026-03-01", heard)


def done(*arguments: object, home: Path | None = None) -> Any:
    """A command, in this process: how it ended."""
    output.screen = output.Screen()
    env = None if home is None else {"UNISINGER_HOME": str(home)}
    return CliRunner().invoke(app, ["voice", *map(str, arguments)], env=env)


# ---------------------------------------------------------------- the file
def test_a_voice_comes_back_as_it_was_saved() -> None:
    voice = saved()
    path = voices.save(voice)
    back = voices.load("anna")
    assert np.array_equal(back.timbre.vector, voice.timbre.vector)
    assert replace(back, timbre=voice.timbre) == voice
    assert voices.names() == ["anna"] and path == voices.path_of("anna")


def test_a_voice_is_not_replaced_unasked() -> None:
    voices.save(saved(seed=0))
    with pytest.raises(InputError, match="already"):
        voices.save(saved(seed=1))
    voices.save(saved(seed=1), force=True)
    assert np.array_equal(voices.load("anna").timbre.vector, saved(seed=1).timbre.vector)


@pytest.mark.parametrize("name", ["", "../anna", "a/b", ".hidden", "-x", "a b", "x" * 65, "anna.wav", "a\n"])
def test_a_name_cannot_leave_the_folder(name: str) -> None:
    with pytest.raises(UsageError):
        voices.path_of(name)


def test_similarity() -> None:
    anna, berta = saved("anna", 0), saved("berta", 1)
    assert voices.similarity(anna, anna) == pytest.approx(1)
    opposite = replace(anna, timbre=Timbre(-anna.timbre.vector))
    assert voices.similarity(anna, opposite) == pytest.approx(-1)
    assert abs(voices.similarity(anna, berta)) < 0.4
    with pytest.raises(ModelError, match="different checkpoints"):
        voices.similarity(anna, saved("berta", 1, "d" * 64))


# ---------------------------------------------------------------- the commands
def test_add_list_show_compare_remove(
    unisinger: Run, tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store(tmp_path / "one.wav", sung(1.5, 220).samples)
    store(tmp_path / "two.wav", sung(1.5, 330).samples)
    debug = ("--checkpoint", "debug")
    added = unisinger("voice", "add", "me", "one.wav", "two.wav", "--consent", "my own\nvoice\x1b", *debug)
    assert (added.code, added.out.strip()) == (0, str(own_home / "voices" / "me.safetensors")), added.err
    assert "note: " in added.err and "10 s or more" in added.err
    vector = voices.load("me").timbre.vector
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)

    row = json.loads(done("list", "--json").stdout)["voices"][0]
    assert row["name"] == "me" and row["consent"] == "my own voice?" and row["checkpoint"]
    assert [item["file"] for item in row["recordings"]] == ["one.wav", "two.wav"]
    assert all(0 < item["checkup"]["sounding"] <= 1.5 for item in row["recordings"])
    assert any("10 s or more" in note for note in row["done"])
    shown = done("show", "me").stdout
    assert "my own voice" in shown and "SNR" in shown and "another than this program's" in shown
    alike = json.loads(done("compare", "me", "one.wav", "--json", *debug).stdout)["similarity"]
    assert 0.5 < alike <= 1 + 1e-6
    assert done("compare", "me", "me").stdout == "1.000  (usual for one person: 0.68, for two: 0.03)\n"

    again = done("add", "me", "one.wav", "--consent", "mine", *debug).exception
    assert isinstance(again, InputError) and "--force" in again.hint
    assert done("remove", "me").exit_code == 0
    assert isinstance(done("show", "me").exception, InputError)
    assert json.loads(done("list", "--json").stdout)["voices"] == []


def test_a_voice_of_another_checkpoint_is_marked() -> None:
    voices.save(saved("anna"))
    voices.save(saved("ben", 1, "debug"))
    anna, ben = done("list", "--checkpoint", "debug").stdout.splitlines()[1:]
    assert anna.startswith("anna") and " * " in anna and ben.startswith("ben") and " * " not in ben


@pytest.mark.parametrize("consent", [[], ["--consent", "  "]])
def test_no_voice_without_consent(consent: list[str], unisinger: Run, tmp_path: Path) -> None:
    store(tmp_path / "one.wav", sung(1.5).samples)
    done = unisinger("voice", "add", "me", "one.wav", *consent)
    assert done.code == 2 and "--consent" in done.err
    assert voices.names() == []


def test_a_recording_that_is_too_short(unisinger: Run, tmp_path: Path) -> None:
    store(tmp_path / "blip.wav", sung(0.5).samples)
    done = unisinger("voice", "add", "me", "blip.wav", "--consent", "mine", "--checkpoint", "debug")
    assert done.code == 3 and "blip.wav" in done.err and voices.names() == []
