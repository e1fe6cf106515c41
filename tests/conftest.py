"""What all tests share: a home of their own, sounds made from arithmetic, and the command line as it is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from unisinger_cli.types import Audio

RATE = 44100
LIMIT = 240.0  # s, of one run of the command
SETTINGS = {"OMP_NUM_THREADS": "1", "COLUMNS": "100"}
settings.register_profile("any machine", deadline=None)  # how long something takes is no property of it
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads the configuration, the voices or the weights of whoever runs it."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith("UNISINGER_"):
            monkeypatch.delenv(name)
    for name in ("UNISINGER_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home))
    return home


def sung(seconds: float, hz: float = 220.0, rate: int = RATE, level: float = 0.2, channels: int = 1) -> Audio:
    """Something like a held vowel: twelve harmonics with vibrato, and a breath between the notes."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(hz * (1 + 0.01 * np.sin(2 * np.pi * 5.5 * time))) / rate
    tone = sum(np.sin(k * phase) / k for k in range(1, 13))
    swell = np.clip(np.abs(np.sin(2 * np.pi * time / 1.6)) * 3, 0, 1)
    samples = (level * tone * swell / 2).astype(np.float32)
    return Audio(np.repeat(samples[None], channels, axis=0), rate)


def store(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    """A WAV file of any kind, [channels, n], without the checks of our own writer."""
    import soundfile

    soundfile.write(str(path), np.atleast_2d(samples).T, rate, subtype=subtype)
    return path


@dataclass(frozen=True)
class Ran:
    """How a run of the command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.out)
        return data


class Warm:
    """Runs of the command in forks of one process (see `warm.py`)."""

    def __init__(self, folder: Path) -> None:
        self._streams = [folder / name for name in ("stdin", "stdout", "stderr")]
        server = [sys.executable, Path(__file__).with_name("warm.py")]
        pipe = subprocess.PIPE
        self._server = subprocess.Popen(server, env={**os.environ, **SETTINGS}, stdin=pipe, stdout=pipe, text=True)

    def run(self, arguments: list[str], folder: Path, environment: dict[str, str], stdin: str) -> Ran:
        assert self._server.stdin and self._server.stdout
        given, out, err = self._streams
        given.write_text(stdin)
        job = {
            "arguments": arguments,
            "folder": str(folder),
            "environment": environment,
            "streams": list(map(str, self._streams)),
            "seconds": LIMIT,
        }
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        return Ran(code, out.read_text(), err.read_text())

    def close(self) -> None:
        self._server.communicate()


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    server = Warm(tmp_path_factory.mktemp("warm"))
    yield server
    server.close()


Run = Callable[..., Ran]


@pytest.fixture
def installed(tmp_path: Path) -> Run:
    """The installed command in a process of its own, in `tmp_path`, as a user would run it."""
    command = Path(sys.executable).with_name("unisinger")

    def run(*arguments: object, stdin: str | None = None, **environment: str) -> Ran:
        done = subprocess.run(
            [command, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **SETTINGS, **environment},
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def unisinger(tmp_path: Path, warm: Warm, installed: Run) -> Run:
    """The same, but that torch and scipy are loaded already: for the many tests that ask about other things."""

    def run(*arguments: object, stdin: str | None = None, **environment: str) -> Ran:
        if any(name.startswith(("PYTHON", "OMP_")) for name in environment):  # what is read once, at the start
            return installed(*arguments, stdin=stdin, **environment)
        given = {**os.environ, **SETTINGS, **environment}
        return warm.run(list(map(str, arguments)), tmp_path, given, stdin or "")

    return run
