"""The command line: help, options, settings, exit codes, and what reaches stdout and stderr."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Ran, Run, store, sung
from unisinger_cli import __version__, strict_json
from unisinger_cli.cli import exits, options, output, settings
from unisinger_cli.errors import (
    DeviceError,
    InputError,
    MissingExtra,
    ModelError,
    PartialFailure,
    UnisingerError,
    UsageError,
)
from unisinger_cli.requests import SamplerConfig

COMMANDS = ["song", "convert", "separate", "transcribe", "voice", "models", "doctor", "prepare", "train"]


# ---------------------------------------------------------------- help
def test_version(unisinger: Run) -> None:
    assert unisinger("--version") == Ran(0, f"unisinger {__version__}\n", "")


def test_installed_script_is_the_same_program(unisinger: Run) -> None:
    script = Path(sys.executable).with_name("unisinger")
    done = subprocess.run([script, "--version"], capture_output=True, text=True)
    assert done.stdout == unisinger("--version").out


def test_help_names_every_command_and_the_exit_codes(unisinger: Run) -> None:
    text = unisinger("--help").out
    assert not [name for name in COMMANDS if f"\n  {name} " not in text]
    assert "130" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_an_example(unisinger: Run, command: str) -> None:
    done = unisinger(command, "--help")
    assert done.code == 0
    if command not in ("voice", "models", "prepare"):  # groups; their own commands have the examples
        assert f"unisinger {command}" in done.out or command == "doctor"


@pytest.mark.parametrize("arguments", [["--help"], ["song", "--help"], ["train", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from unisinger_cli.cli.app import main; sys.argv[1:] = sys.argv[1:]; code = main(); "
        "heavy = {'torch', 'numpy', 'scipy', 'soundfile', 'rich', 'onnxruntime'} & set(sys.modules); "
        "sys.exit(code or (f'imported {heavy}' if heavy else 0))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_is_fast() -> None:
    """Beside loading typer, which is the least of it: so neither a slow machine counts nor a busy one."""

    def work(*arguments: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    help_, typer = (
        min(work(*arguments) for _ in range(5))
        for arguments in (("-m", "unisinger_cli", "--help"), ("-c", "import typer"))
    )
    assert help_ < 4 * typer


# ---------------------------------------------------------------- options
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Usage"),
        (["sing"], "No such command"),
        (["song"], "--lyrics"),
        (["song", "--lyrics", "l.txt", "--sed", "1"], "--seed"),
        (["song", "--lyrics", "l.txt", "--seed", "-1"], "--seed is -1"),
        (["song", "--lyrics", "l.txt", "--steps", "0"], "--steps is 0"),
        (["song", "--lyrics", "l.txt", "--cfg", "21"], "is 21"),
        (["song", "--lyrics", "l.txt", "--cfg-voice", "nan"], "--cfg-voice is nan"),
        (["song", "--lyrics", "l.txt", "--temperature", "2.1"], "--temperature is 2.1, and must be from 0 to 2"),
        (["song", "--lyrics", "l.txt", "--bpm", "20"], "--bpm is 20"),
        (["song", "--lyrics", "l.txt", "-o", "song.txt"], "must end in"),
        (["convert", "v.wav", "-t", "v.wav", "--transpose", "up"], "--transpose is 'up'"),
        (["convert", "v.wav", "-t", "v.wav", "--transpose", "99"], "--transpose is 99"),
        (["convert", "v.wav", "-t", "v.wav", "--with-accomp", "--keep-accomp"], "exclude each other"),
        (["convert", "v.wav", "-t", "v.wav", "-o", "v.wav", "--force"], "is an input"),
        (["train", "codec", "--out", "run"], "--data"),
    ],
)
def test_usage_errors_end_with_2(unisinger: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "l.txt").write_text("sing a song")
    store(tmp_path / "v.wav", sung(1.5).samples)
    before = sorted(tmp_path.iterdir())
    done = unisinger(*arguments)
    assert done.code == 2
    assert said in done.out + done.err
    assert "Traceback" not in done.err
    assert sorted(tmp_path.iterdir()) == before


def test_zero_is_zero() -> None:
    config = options.sampler(0, None, 0.0, None, None, None)
    assert (config.seed, config.words, config.voice, config.accomp) == (0, 0, 0, 0)
    config = options.sampler(3, 1, None, 0.0, None, None)
    assert (config.seed, config.steps, config.words, config.voice) == (3, 1, 0, SamplerConfig().voice)
    assert options.sampler(0, None, 4.0, None, 0.0, None).voice == 0


def test_transpose() -> None:
    assert options.semitones("auto") is None
    assert options.semitones("-3.5") == -3.5
    assert options.semitones("0") == 0
    with pytest.raises(UsageError):
        options.semitones("octave")


# ---------------------------------------------------------------- settings
OPTIONS = {"song": {"steps": "steps", "threads": "threads"}, "voice add": {"threads": "threads"}}


def test_settings_go_to_every_command_or_to_one(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("threads = 2\n[song]\nsteps = 0\nthreads = 4\n")
    told = settings.defaults(path, OPTIONS)
    assert told == {"song": {"threads": 4, "steps": 0}, "voice": {"add": {"threads": 2}}}


@pytest.mark.parametrize("text", ["stesp = 3", "[song]\nstesp = 3", "[sogn]\nsteps = 3"])
def test_unknown_settings_are_told_with_the_nearest(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        settings.defaults(path, OPTIONS)
    assert caught.value.hint in ("did you mean 'steps'?", "did you mean 'song'?")


@pytest.mark.parametrize("data", [b"steps =", b"\xff\xfe\x00"])
def test_broken_settings_are_a_usage_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"config\.toml"):
        settings.defaults(path, OPTIONS)


def test_no_settings_file_is_no_error(tmp_path: Path) -> None:
    assert settings.defaults(tmp_path / "none.toml", OPTIONS) == {}


def test_flag_over_variable_over_file_over_default(unisinger: Run, tmp_path: Path) -> None:
    """A value out of range tells which one was taken."""
    (tmp_path / "l.txt").write_text("sing")
    config = tmp_path / "config.toml"
    config.write_text("[song]\nsteps = 300\n")

    def taken(*flags: str, **variables: str) -> str:
        done = unisinger("song", "--lyrics", "l.txt", *flags, **variables)
        return done.err.split("--steps is ")[1].split(",")[0]

    variables = {"UNISINGER_CONFIG": str(config)}
    assert taken(**variables) == "300"
    assert taken(**variables, UNISINGER_STEPS="400") == "400"
    assert taken("--steps", "500", **variables, UNISINGER_STEPS="400") == "500"


# ---------------------------------------------------------------- exits and output
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("a"), 2, "error: a"),
        (InputError("b", "do c"), 3, "hint: do c"),
        (ModelError("d"), 4, "error: d"),
        (MissingExtra("demucs", "separate"), 5, "pip install 'unisinger[separate]'"),
        (DeviceError("e"), 6, "error: e"),
        (PartialFailure("2 of 3 failed"), 7, "2 of 3"),
        (MemoryError(), 6, "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 6, "not enough memory"),
        (OSError(28, "No space left on device", "x.wav"), 6, "the disk is full (x.wav)"),
        (PermissionError(13, "Permission denied", "x.wav"), 3, "no permission (x.wav)"),
        (ZeroDivisionError("division by zero"), 1, "a bug in unisinger: ZeroDivisionError: division by zero"),
        (SystemExit(130), 130, "interrupted"),
        (SystemExit(2), 2, ""),
        (SystemExit(), 0, ""),
    ],
)
def test_exceptions_become_exit_codes(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def app() -> None:
        raise error

    assert exits.run(app) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""
    assert "Traceback" not in shown.err


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output.screen, "debug", True)
    with pytest.raises(InputError):
        exits.run(lambda: (_ for _ in ()).throw(InputError("x")))


def test_errors_are_one_line_each_and_json_on_demand(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output.fail("two\nlines", "a\nhint", 3)
    assert capsys.readouterr().err == "error: two lines\nhint: a hint\n"
    monkeypatch.setattr(output.screen, "json", True)
    output.fail("two\nlines", "", 3)
    assert json.loads(capsys.readouterr().err) == {"schema": 1, "error": "two lines", "hint": "", "exit": 3}


def test_json_is_strict() -> None:
    import numpy as np

    data = {"a": float("nan"), "b": np.float32(0.5), "c": [Path("x"), (True, None)], "d": float("inf")}
    assert json.loads(strict_json.dumps(data)) == {"a": None, "b": 0.5, "c": ["x", [True, None]], "d": None}


def test_every_error_has_its_own_code() -> None:
    codes = [error.exit_code for error in (UnisingerError, *UnisingerError.__subclasses__())]
    assert sorted(codes) == sorted(set(codes))
    assert set(codes) <= {int(code) for code in exits.Exit}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Stopped in the middle of writing, by Ctrl-C or by the system."""
    code = (
        "import sys, time; from pathlib import Path; from unisinger_cli.audio import landing\n"
        "from unisinger_cli.cli.app import app, main\n"
        "@app.command()\n"
        "def nap():\n"
        "    with landing([Path('a.wav')]) as (temporary,):\n"
        "        temporary.write_text('half'); sys.stdout.write('go'); sys.stdout.flush(); time.sleep(60)\n"
        "sys.argv[1:] = ['nap']; sys.exit(main())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # whoever runs the tests in the background may have made them deaf to Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(2) == "go"
        os.kill(process.pid, number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "error: interrupted; nothing was written\n"
    assert list(tmp_path.iterdir()) == []


def test_readme_shows_only_options_that_exist(unisinger: Run) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    shown = [line.split("#")[0].split() for line in readme.splitlines() if line.startswith(".venv/bin/unisinger ")]
    assert len(shown) >= 5
    for _, command, *words in shown:
        group = command in ("voice", "models", "prepare")
        known = unisinger(command, *words[:group], "--help").out
        assert not [word for word in words if word.startswith("-") and f"{word} " not in known], command
