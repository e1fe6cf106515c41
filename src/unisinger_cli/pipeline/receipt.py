"""The receipt beside each output: what was asked, what was used, what was measured."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from unisinger_cli import __version__
from unisinger_cli.backends.weights import sha256_of
from unisinger_cli.pipeline import voices
from unisinger_cli.requests import ConvertRequest, SongRequest
from unisinger_cli.types import Result

SCHEMA = 2
CONSENT = (
    "This is synthetic singing. Use a voice only with the consent of the person it belongs to, "
    "and say that it is synthetic wherever it is published."
)
PACKAGES = ("torch", "numpy", "soundfile", "soxr")


class Model(Protocol):
    """What a receipt tells of the checkpoint; `pipeline.studio.Studio` is one."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def device(self) -> Any: ...


def receipt(
    model: Model,
    request: SongRequest | ConvertRequest,
    result: Result,
    files: Mapping[str, Path],
    inputs: Mapping[str, Path],
    seconds: float,
) -> dict[str, Any]:
    """One JSON-able object. Paths are as the user typed them; `inputs` are hashed, `files` only named."""
    audio = result.stems.mix
    return {
        "schema": SCHEMA,
        "command": "song" if isinstance(request, SongRequest) else "convert",
        "output": str(files["mix"]),
        "files": {name: str(path) for name, path in files.items()},
        "request": _told(asdict(request)),
        "seed": request.sampler.seed,
        "inputs": {name: {"path": _typed(path), "sha256": sha256_of(path)} for name, path in inputs.items()},
        "model": {"name": model.name, "sha256": model.sha256},
        "device": str(model.device),
        "versions": versions(),
        "audio": {"seconds": round(audio.seconds, 4), "rate": audio.rate, "channels": audio.channels},
        "scores": dict(result.scores),
        "notes": list(result.notes),
        "seconds": round(seconds, 3),
        "real_time_factor": round(seconds / audio.seconds, 4),
        "peak_memory_mib": peak_memory(),
        "stages": {name: round(value, 3) for name, value in result.seconds_by_stage.items()},
        "plan": None if result.plan is None else asdict(result.plan),
        "consent": CONSENT,
    }


def _told(value: Any) -> Any:
    """The fields of a request, with paths as the user gave them."""
    if isinstance(value, Path):
        return _typed(value)
    if isinstance(value, dict):
        return {name: _told(item) for name, item in value.items()}
    return [_told(item) for item in value] if isinstance(value, list | tuple) else value


def _typed(path: Path) -> str:
    """A path as the user gave it: of a saved voice, that was its name."""
    return path.stem if path.parent == voices.folder() else str(path)


def peak_memory() -> float | None:
    """The most memory that this process has held, in MiB; None where the system does not tell."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (2**20 if sys.platform == "darwin" else 2**10), 1)


def versions() -> dict[str, str]:
    """Of us, of Python, and of the packages that decide what comes out."""
    found = {"unisinger": __version__, "python": platform.python_version(), "platform": sys.platform}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
