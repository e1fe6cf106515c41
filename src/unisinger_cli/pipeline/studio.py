"""The Studio: the one checkpoint, loaded once, and what can be asked of it."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from unisinger_cli.audio import excerpt
from unisinger_cli.backends.weights import sha256_of
from unisinger_cli.errors import ModelError
from unisinger_cli.model.composer import Composer, load_composer
from unisinger_cli.types import Audio, Content, Pitch, Sound, Timbre

if TYPE_CHECKING:
    from unisinger_cli.model.config import ModelConfig
    from unisinger_cli.model.unisinger import UniSinger

T = TypeVar("T")
FILE, COMPOSER = "model.safetensors", "composer.safetensors"
DEBUG = "debug"  # the name that stands for a tiny model with random weights


def bundled_checkpoint(name: str = FILE) -> Path:
    """Where a bundled checkpoint is: inside the installed package, or in the source tree's `models/mini`."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "bundled" / "mini" / name
    return installed if installed.is_file() else package.parents[1] / "models" / "mini" / name


@cache
def bundled_composer() -> Composer:
    """The composer that travels with the program, read when it is first wanted; no torch is needed.

    Raises ModelError where it is missing, damaged or of another format.
    """
    path = bundled_checkpoint(COMPOSER)
    try:
        return load_composer(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ModelError(
            f"composer {path}: {reason}", "install unisinger anew, or give a --plan or a --melody"
        ) from error


def identity(checkpoint: Path | str | None = None) -> str:
    """What voices remember of a checkpoint, named as for `Studio.open`: its sha256. Cheap: nothing is loaded.

    Raises ModelError where the file is not there."""
    if checkpoint is not None and str(checkpoint) == DEBUG:
        return DEBUG
    return _file(checkpoint, sha256_of)[1]


def _file(checkpoint: Path | str | None, read: Callable[[Path], T]) -> tuple[Path, T]:
    """The file that is meant, and what `read` makes of it. Raises ModelError where it cannot be read, or is a device or
    a pipe, whose end may never come."""
    path = bundled_checkpoint() if checkpoint is None else Path(checkpoint)
    try:
        if not path.is_dir() and not stat.S_ISREG(path.stat().st_mode):
            raise ModelError(f"checkpoint {path} is not a regular file", "give a .safetensors checkpoint of unisinger")
        return path, read(path)
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise ModelError(f"checkpoint {path}: {reason}", "leave out --checkpoint to use the bundled one") from error


@dataclass(frozen=True)
class Studio:
    """A loaded model on its device; `Studio.open` makes one."""

    model: UniSinger
    name: str
    sha256: str
    device: Any
    notes: tuple[str, ...] = ()

    @classmethod
    def open(cls, checkpoint: Path | str | None = None, device: str = "auto", threads: int | None = None) -> Studio:
        """Load a checkpoint: a file, None for the bundled one, or "debug" for a tiny random model.

        Raises ModelError where it is missing, damaged, a pickle, or of another format, DeviceError where the device
        cannot be used.
        """
        from unisinger_cli.backends.device import pick
        from unisinger_cli.model.checkpoint import load_checkpoint
        from unisinger_cli.model.config import PRESETS
        from unisinger_cli.model.unisinger import UniSinger

        where = pick(device, threads)
        if checkpoint is not None and str(checkpoint) == DEBUG:
            model = UniSinger.random(PRESETS[DEBUG])
            return cls(model.to(where), DEBUG, DEBUG, where, ("the debug model is random: what it makes is noise",))
        path, data = _file(checkpoint, Path.read_bytes)
        if data[:1] == b"\x80" or data[:2] == b"PK":
            hint = "pickles can run code and are never loaded; give a .safetensors checkpoint of unisinger"
            raise ModelError(f"checkpoint {path} is a pickle, not a safetensors file", hint)
        try:
            model = load_checkpoint(path)
        except ValueError as error:
            raise ModelError(f"checkpoint {path}: {error}", "leave out --checkpoint to use the bundled one") from error
        return cls(model.to(where), model.config.name, hashlib.sha256(data).hexdigest(), where)

    @property
    def config(self) -> ModelConfig:
        return self.model.config

    @property
    def rate(self) -> int:
        """Hz at which the model hears and sings."""
        return self.config.codec.rate

    @property
    def frame_rate(self) -> float:
        """Latent frames a second."""
        return self.config.codec.frame_rate

    def content(self, voice: Sound) -> Content:
        from unisinger_cli.stages.content import content

        return content(self.model, voice)

    def timbre(self, recordings: Sequence[Audio]) -> Timbre:
        from unisinger_cli.stages.timbre import timbre

        return timbre(self.model, recordings)

    def singer(self, recording: Sound) -> Timbre:
        """Who is heard, by the vector alone: to compare, not to sing with, and a good deal less work."""
        from unisinger_cli.stages.timbre import middle, windows

        return Timbre(middle(windows(self.model, excerpt(recording))))

    def pitch(self, voice: Sound) -> Pitch:
        from unisinger_cli.stages.pitch import track

        return track(voice, self.frame_rate)

    def median_midi(self, recordings: Sequence[Audio]) -> float | None:
        """Where a voice lies: the median pitch of all its recordings as a MIDI note, None where nothing is voiced."""
        hz = np.concatenate([self.pitch(recording).hz for recording in recordings])
        return Pitch(hz, self.frame_rate).median_midi()
