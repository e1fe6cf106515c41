"""Saved voices: a point of the speaker space with a name, so that a recording need not be given each time.

A voice is one safetensors file: the tensor "timbre", float32 [d], and JSON in the metadata that tells from
which recordings it came, by which checkpoint it was measured (a vector means nothing to another one), and on
what consent it rests.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.audio import landing
from unisinger_cli.errors import InputError, ModelError, UsageError
from unisinger_cli.types import Timbre

FORMAT = "unisinger-voice"
VERSION = 1
_NAME = re.compile(r"\w[\w-]{0,63}")


@dataclass(frozen=True)
class Recording:
    """A file that a voice was taken from: its name (not its path), sha256 and length in seconds."""

    file: str
    sha256: str
    seconds: float


@dataclass(frozen=True)
class Voice:
    """A saved voice. `checkpoint` is the sha256 of the model that measured it, `created` a date as YYYY-MM-
    DD.
    """

    name: str
    timbre: Timbre
    consent: str
    checkpoint: str
    created: str
    recordings: tuple[Recording, ...]
    median_midi: float | None = None  # where the voice lies; None where nothing was voiced

    def described(self) -> dict[str, Any]:
        """All but the vector, as a JSON-able object."""
        data = asdict(self)
        del data["timbre"]
        return data | {"dim": int(self.timbre.vector.size)}


def folder() -> Path:
    """Where voices lie: $UNISINGER_HOME/voices, or else unisinger/voices in the user's data folder."""
    home = os.environ.get("UNISINGER_HOME")
    if home:
        return Path(home) / "voices"
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "unisinger" / "voices"


def path_of(name: str) -> Path:
    """The file of a voice, there or not. Raises UsageError for what cannot be a name."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a voice", "use up to 64 letters, digits, - and _")
    return folder() / f"{name}.safetensors"


def names() -> list[str]:
    """The names of all saved voices, sorted."""
    return sorted(path.stem for path in folder().glob("*.safetensors") if _NAME.fullmatch(path.stem))


def save(voice: Voice, *, force: bool = False) -> Path:
    """Write a voice. Raises InputError where one of that name exists and `force` is not given."""
    from safetensors.numpy import save_file

    path = path_of(voice.name)
    if path.exists() and not force:
        raise InputError(f"there is a voice called {voice.name} already", "add --force to replace it")
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "format": FORMAT,
        "version": str(VERSION),
        "voice": json.dumps(voice.described(), ensure_ascii=False),
    }
    with landing([path]) as (temporary,):
        save_file({"timbre": np.ascontiguousarray(voice.timbre.vector, dtype=np.float32)}, temporary, metadata=about)
    return path


def load(name: str) -> Voice:
    """A saved voice. Raises InputError where there is none of that name, or its file is not a voice."""
    path = path_of(name)
    if not path.is_file():
        others = names()
        hint = f"saved voices: {', '.join(others)}" if others else "unisinger voice add NAME RECORDING saves one"
        raise InputError(f"there is no voice called {name}", hint)
    return load_file(path)


def load_file(path: Path) -> Voice:
    """The voice in a file, called as the file is. Raises InputError where it is not a voice."""
    from safetensors import SafetensorError, safe_open

    name = path.stem
    try:
        with safe_open(path, framework="numpy") as file:
            about, vector = file.metadata() or {}, file.get_tensor("timbre")
        if about.get("format") != FORMAT or about.get("version") != str(VERSION):
            raise InputError(
                f"{path} is of version {about.get('version')}, and this program reads version {VERSION}",
                f"save it again: unisinger voice add {name} RECORDING --force",
            )
        data = json.loads(about["voice"])
        recordings = tuple(Recording(**item) for item in data["recordings"])
        if vector.ndim != 1 or not np.isfinite(vector).all():
            raise ValueError("its vector is damaged")
        timbre = Timbre(vector.astype(np.float32))
        return Voice(
            name, timbre, data["consent"], data["checkpoint"], data["created"], recordings, data.get("median_midi")
        )
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a saved voice ({error})", f"unisinger voice remove {name}") from error


def remove(name: str) -> Path:
    """Delete a saved voice. Raises InputError where there is none of that name."""
    path = path_of(name)
    if not path.is_file():
        raise InputError(f"there is no voice called {name}", "unisinger voice list")
    path.unlink()
    return path


def similarity(voices: Sequence[Voice]) -> float:
    """Cosine of the angle between two voices. Raises ModelError unless one checkpoint measured both."""
    one, other = voices
    if one.checkpoint != other.checkpoint:
        raise ModelError(
            f"{one.name} and {other.name} were measured by different checkpoints "
            f"({one.checkpoint[:12]}, {other.checkpoint[:12]})",
            f"save one of them again: unisinger voice add {other.name} RECORDING --force",
        )
    a, b = one.timbre.vector.astype(np.float64), other.timbre.vector.astype(np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
