"""What all tests share: a home of their own, sounds made from arithmetic, and the command line as it is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from unisinger_cli.types import Audio

RATE = 44100
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


@pytest.fixture
def unisinger(tmp_path: Path) -> Callable[..., Ran]:
    """Run the command line in a process of its own, in `tmp_path`, as a user would."""

    def run(*arguments: object, stdin: str | None = None, **environment: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "unisinger_cli", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100", **environment},
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=240,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
