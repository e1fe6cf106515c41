"""`doctor`: what is installed, what is missing, what to do about it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conftest import Run, store, sung
from unisinger_cli import __version__
from unisinger_cli.cli.commands import doctor


def test_it_tells_what_a_bug_report_needs(unisinger: Run) -> None:
    done = unisinger("doctor", "--json", "--no-test")
    assert (done.code, done.err) == (0, "")
    data = done.json
    assert data["versions"]["unisinger"] == __version__ and data["versions"]["torch"]
    assert data["machine"]["cores"] >= 1 and data["machine"]["memory"] > 2**28
    assert data["torch"]["devices"][0] == "cpu"
    assert {row["extra"] for row in data["extras"]} == set(doctor.EXTRAS)
    assert not any(row["installed"] for row in data["weights"]), "the test has a home of its own"
    text = unisinger("doctor", "--no-test").out
    assert "unisinger models pull htdemucs" in text and data["checkpoint"]["path"] in text


def test_a_missing_extra_comes_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "demucs" else object())
    rows = {row["extra"]: row for row in doctor._extras()}
    assert rows["separate"] == {
        "extra": "separate",
        "installed": False,
        "missing": ["demucs"],
        "gives": "vocal and accompaniment from a mix",
        "install": "pip install 'unisinger[separate]'",
    }
    assert rows["transcribe"]["installed"]


def test_the_extras_are_those_that_can_be_installed() -> None:
    project = Path(__file__).parents[1] / "pyproject.toml"
    if sys.version_info < (3, 11):
        pytest.skip("reads pyproject.toml with tomllib")
    import tomllib

    extras = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
    assert set(doctor.EXTRAS) == set(extras) - {"dev"}


def test_a_broken_checkpoint_is_told_and_is_no_failure(unisinger: Run, tmp_path: Path) -> None:
    (tmp_path / "half.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    done = unisinger("doctor", "--json", "--no-test", "--checkpoint", "half.safetensors")
    assert done.code == 0
    assert done.json["checkpoint"]["found"] and "safetensors" in done.json["checkpoint"]["error"]
    assert unisinger("doctor", "--json", "--no-test", "--checkpoint", "none").json["checkpoint"]["found"] is False


@pytest.mark.parametrize("verb", ["song", "convert"])
def test_dry_run_tells_and_writes_nothing(unisinger: Run, tmp_path: Path, verb: str) -> None:
    (tmp_path / "words.txt").write_text("the morning comes across the sea\n")
    store(tmp_path / "voice.wav", sung(2.0).samples)
    given = ("--lyrics", "words.txt") if verb == "song" else ("voice.wav", "--target", "voice.wav")
    before = set(tmp_path.iterdir())
    once = unisinger(verb, *given, "--checkpoint", "debug", "-o", "o.wav", "--dry-run", "--json")
    assert once.code == 0, once.err
    assert set(tmp_path.iterdir()) == before
    told = once.json
    assert told["dry_run"] is True and told["files"]["mix"] == "o.wav" and told["memory_mib"] > 100
    assert told["sound"] == pytest.approx(2, abs=0.01) if verb == "convert" else told["sound"] > 3
    assert 0 < told["seconds"] < 600
    takes = "--takes", "2", "--pick", "all", "-o", "o.wav", "--dry-run", "--json"
    each = unisinger(verb, *given, "--checkpoint", "debug", *takes).json["takes"]
    assert [files["receipt"] for files in each] == ["o.take1.json", "o.take2.json"]  # as the run would
    (tmp_path / "o.wav").touch()
    assert unisinger(verb, *given, "--checkpoint", "debug", "-o", "o.wav", "--dry-run").code == 3  # as the run itself


@pytest.mark.parametrize("verb", ["song", "convert"])
def test_dry_run_tells_the_memory_that_is_taken(installed: Run, tmp_path: Path, verb: str) -> None:
    """By the bundled model; how long it takes is no property of the program alone."""
    (tmp_path / "words.txt").write_text("the morning comes\n")
    store(tmp_path / "voice.wav", sung(3.0).samples)
    given = ("--lyrics", "words.txt", "--bpm", "200") if verb == "song" else ("voice.wav", "--target", "voice.wav")
    flags = *given, "--steps", "1", "--threads", "1", "-o", "o.wav", "--json"
    told = installed(verb, *flags, "--dry-run").json["memory_mib"]
    assert told / 1.5 < installed(verb, *flags).json["peak_memory_mib"] < told * 1.5


def test_it_sings_a_line_and_tells_how_fast(unisinger: Run, tmp_path: Path) -> None:
    done = unisinger("doctor", "--json", "--checkpoint", "debug")
    assert done.code == 0, done.err
    told = done.json["test"]
    assert told["sound"] > 2 and told["seconds"] > 0 and told["three_minutes"] > 0
    broken = unisinger("doctor", "--checkpoint", "none.safetensors")
    assert broken.code == 4 and "FAILED" in broken.out
    assert list(tmp_path.iterdir()) == []


def test_foreign_formats_by_ffmpeg(unisinger: Run, tmp_path: Path) -> None:
    """With a stand-in for ffmpeg that writes what it is asked for, and without any."""
    (tmp_path / "voice.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    store(tmp_path / "voice.wav", sung(2.0).samples)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "ffmpeg"
    given = ("convert", "voice.m4a", "--target", "voice.wav", "--checkpoint", "debug", "--steps", "1", "-o", "o.wav")
    done = unisinger(*given, PATH=str(tmp_path / "bin"))
    assert done.code == 3 and "install ffmpeg" in done.err
    program.write_text(
        f"#!{sys.executable}\nimport shutil, sys\nshutil.copy({str(tmp_path / 'voice.wav')!r}, sys.argv[-1])\n"
    )
    program.chmod(0o755)
    assert unisinger(*given, PATH=str(tmp_path / "bin")).code == 0
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('moov atom not found')\n")
    done = unisinger(*given, "--force", PATH=str(tmp_path / "bin"))
    assert done.code == 3 and "moov atom" in done.err and "Traceback" not in done.err
