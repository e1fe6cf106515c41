"""What callers do to a program: streams that are closed, pipes that nobody reads, encodings of few letters, names of
files that are no text, and a folder that is gone."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import LIMIT, Run, store, sung
from unisinger_cli.cli import output

US = f"{shlex.quote(sys.executable)} -m unisinger_cli"
DEBUG = {"UNISINGER_CHECKPOINT": "debug", "UNISINGER_STEPS": "1", "UNISINGER_THREADS": "1"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "lyrics.txt").write_text("a day\n")
    store(tmp_path / "voice.wav", sung(1.2).samples)
    return tmp_path


def shell(place: Path, line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    given = {**os.environ, **DEBUG, **environment}
    return subprocess.run(["bash", "-c", line], cwd=place, env=given, capture_output=True, timeout=LIMIT)


def test_closed_streams(place: Path) -> None:
    """Nothing meant for one stream reaches the other, or a file."""
    done = shell(place, f"{US} song --lyrics none.txt 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"", b"")
    done = shell(place, f"{US} song --lyrics lyrics.txt --bpm 200 -o a.wav <&- >&- 2>&-")
    assert done.returncode == 0
    assert shell(place, f"{US} song --lyrics lyrics.txt --bpm 200 -o b.wav").returncode == 0
    for part in ("wav", "vocal.wav", "accomp.wav"):
        assert (place / f"a.{part}").read_bytes() == (place / f"b.{part}").read_bytes()
    done = shell(place, f"{US} batch - <&-")
    assert done.returncode == 3 and b"no jobs" in done.stderr


@pytest.mark.parametrize("line", ["styles", "--help", "song --help", "voice list", "inspect nothing.wav 2>&1"])
def test_nobody_reads(place: Path, line: str) -> None:
    """That is no bug of ours: `unisinger styles | head -1` under `set -o pipefail`."""
    done = shell(place, f"{US} {line} | true; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (3 if "nothing" in line else 0, b"")


def test_a_batch_that_nobody_reads_is_done(place: Path) -> None:
    jobs = [{"command": "convert", "input": "voice.wav", "target": "voice.wav", "output": f"{i}.wav"} for i in (1, 2)]
    (place / "jobs.jsonl").write_text("\n".join(map(json.dumps, jobs)))
    assert shell(place, f"{US} batch jobs.jsonl | true; exit ${{PIPESTATUS[0]}}").returncode == 0
    assert (place / "1.json").exists() and (place / "2.json").exists()


def test_names_that_are_no_text(place: Path) -> None:
    """Bytes that are not UTF-8, which most file systems allow: read, written, told as they are, and replayed."""
    name = b"v\xff.wav"
    try:
        (place / os.fsdecode(name)).write_bytes((place / "voice.wav").read_bytes())
    except OSError:
        pytest.skip("this file system wants text")
    command = [sys.executable, "-m", "unisinger_cli"]

    def run(*arguments: bytes) -> tuple[int, bytes]:
        done = subprocess.run(
            [*map(os.fsencode, command), *arguments], cwd=place, env={**os.environ, **DEBUG}, capture_output=True
        )
        assert done.returncode == 0, done.stderr
        return done.returncode, done.stdout

    flags = b"--style", b"calm\xff", b"--report", b"-o", b"o\xff.wav"
    assert run(b"convert", name, b"--target", name, *flags)[1] == b"o\xff.wav\n"
    told = json.loads((place / os.fsdecode(b"o\xff.json")).read_bytes())
    assert told["output"] == "o\udcff.wav"
    json.loads(run(b"inspect", b"o\xff.wav", b"--json")[1])
    assert json.loads(run(b"replay", b"o\xff.json", b"--json")[1])["identical"] is True


def test_an_encoding_of_few_letters(place: Path) -> None:
    """What it lacks is escaped as in JSON, so that an object stays one."""
    done = shell(place, f"{US} plan lyrics.txt -o ö🎤.json --json", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == "ö🎤.json"
    place_of_c = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = shell(place, f"{US} convert voice.wav --target voice.wav -o ü🎤.wav -q", **place_of_c)
    assert (done.returncode, done.stdout) == (0, "ü🎤.wav\n".encode()), done.stderr
    assert (place / "ü🎤.json").exists()


def test_what_is_told_commands_no_terminal(unisinger: Run, place: Path) -> None:
    done = unisinger("song", "--lyrics", "\x1b[2J\x07.txt")
    assert (done.code, done.err.splitlines()[0]) == (3, "error: ?[2J?.txt does not exist")


def test_a_bar_shows_names_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(output, "screen", output.Screen())  # not as another test left it
    monkeypatch.setenv("TERM", "xterm")
    with output.progress() as bar:
        bar.stage("listening to a[b]\x1b[2J.wav")
    assert "listening to a[b]?[2J.wav" in terminal.getvalue()


def test_a_folder_that_is_gone(place: Path) -> None:
    done = shell(place, f"mkdir gone; cd gone; rmdir ../gone; {US} plan {shlex.quote(str(place / 'lyrics.txt'))}")
    assert done.returncode == 3
    assert done.stderr.startswith(b"error: the folder that this was started in")


@pytest.mark.parametrize(
    "arguments",
    ["song --lyrics lyrics.txt -o NAME.wav", "plan lyrics.txt -o NAME.json", "report NAME.wav", "inspect NAME.wav",
     "batch NAME", "voice show NAME", "batch . -o lyrics.txt", "batch . -o lyrics.txt/out"],
)  # fmt: skip
def test_paths_that_cannot_be(unisinger: Run, place: Path, arguments: str) -> None:
    done = unisinger(*arguments.replace("NAME", "x" * 300).split(), **DEBUG)
    assert done.code == 3, done.err
    assert done.err.startswith("error: ") and "bug" not in done.err
    assert sorted(path.name for path in place.iterdir()) == ["lyrics.txt", "voice.wav"]


@pytest.mark.parametrize("text", ["seed = " + "9" * 5000, "seed = " + "[" * 3000])
def test_settings_that_cannot_be(unisinger: Run, place: Path, text: str) -> None:
    (place / "c.toml").write_text(text)
    done = unisinger("song", "--lyrics", "lyrics.txt", UNISINGER_CONFIG=str(place / "c.toml"))
    assert done.code == 2 and "c.toml" in done.err, done.err
