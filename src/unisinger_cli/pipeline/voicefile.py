"""A voice as a file, which may come from anybody: every field is checked for its type and range when it is read.

It is one safetensors file: the tensors "timbre", float32 [d], "sounds", float32 [phonemes, channels], "moments",
float32 [m, channels], and "codes", int64 [m], and JSON in the metadata that tells from which recordings it came, by
which checkpoint it was measured (a vector means nothing to another one), and on what consent it rests.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.audio import landing
from unisinger_cli.errors import InputError
from unisinger_cli.stages.checkup import Checkup
from unisinger_cli.types import Floats, Ints, Moments, Timbre

FORMAT = "unisinger-voice"
VERSION = 1
SUFFIX = ".safetensors"
MOST_BYTES = 1 << 20
MOST_TEXT = 20_000  # characters of one text; a blend's consent quotes those of its parts
_MANY = 1000  # recordings, notes
_WIDEST = 4096  # dimensions of a vector
_KINDS = {  # of each tensor, in the file and here, and its axes
    "timbre": ("F32", np.float32, 1),
    "sounds": ("F32", np.float32, 2),
    "moments": ("F32", np.float32, 2),
    "codes": ("I64", np.int64, 1),
}
_LOUDEST = 100.0  # standard deviations by which a mean latent can differ from the usual


@dataclass(frozen=True)
class Recording:
    """A file that a voice was taken from: its name (not its path), sha256 and length in seconds, and what was found
    in it."""

    file: str
    sha256: str
    seconds: float
    checkup: Checkup | None = None


@dataclass(frozen=True)
class Parent:
    """A voice that a blend was made of: its share, 0..1, the sha256 of its file, and the consent it rests on."""

    name: str
    weight: float
    sha256: str
    consent: str


@dataclass(frozen=True)
class Voice:
    """A saved voice. `checkpoint` is the sha256 of the model that measured it, `created` a date as YYYY-MM-DD,
    `done` what was noticed and done when it was made; only a blend has `parents`.
    """

    name: str
    timbre: Timbre
    consent: str
    checkpoint: str
    created: str
    recordings: tuple[Recording, ...] = ()
    median_midi: float | None = None  # where the voice lies; None where nothing was voiced
    done: tuple[str, ...] = ()
    parents: tuple[Parent, ...] = ()

    def described(self) -> dict[str, Any]:
        """All but the vector, as a JSON-able object."""
        data = asdict(self)
        del data["timbre"]
        return data | {"dim": int(self.timbre.vector.size)}


def is_voice(path: Path) -> bool:
    """Whether a file is called as voices are, and not as recordings are."""
    return path.suffix.lower() == SUFFIX


def clean(text: str) -> str:
    """A text that can be kept and shown: file names and arguments may have anything in them, control characters too."""
    return "".join("?" if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in text)


def write_voice(voice: Voice, path: Path) -> None:
    """Write a voice to a file, whole or not at all."""
    from safetensors.numpy import save_file

    about = {"format": FORMAT, "version": str(VERSION), "voice": json.dumps(voice.described(), ensure_ascii=False)}
    with landing([path]) as (temporary,):
        moments = voice.timbre.moments
        tensors: dict[str, Floats | Ints | None] = {"timbre": voice.timbre.vector, "sounds": voice.timbre.sounds}
        tensors |= {} if moments is None else {"moments": moments.latents, "codes": moments.codes}
        kept = {
            name: np.ascontiguousarray(value, _KINDS[name][1]) for name, value in tensors.items() if value is not None
        }
        save_file(kept, temporary, metadata=about)


def read_voice(path: Path) -> Voice:
    """The voice in a file, called as the file is.

    Raises InputError where it is not a voice: no file, over a megabyte, damaged, of another version, a vector that is
    not of unit length, fields that are missing or of another kind, texts with control characters.
    """
    from safetensors import SafetensorError, safe_open

    hint = f"save it again: unisinger voice add {path.stem} RECORDING --force, or ask for the file once more"
    try:
        if not path.is_file():
            reason = "is a folder, not a voice" if path.is_dir() else "does not exist"
            raise InputError(f"{path} {reason}", "unisinger voice list shows the saved ones")
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is not a voice: it has over {MOST_BYTES >> 20} MiB, and voices are small")
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
            if about.get("format") != FORMAT:
                raise ValueError("it is another kind of file")
            if about.get("version") != str(VERSION):
                told = repr(about.get("version"))[:40]
                raise InputError(f"{path} is of version {told}, and this program reads version {VERSION}", hint)
            there = set(file.keys())
            found = {name: _tensor(file, name) for name in _KINDS if name in there or name == "timbre"}
        return _voice(path.stem, _timbre(**found), json.loads(about["voice"]))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        shown = "".join(letter if letter.isprintable() else "?" for letter in reason[:120])
        raise InputError(f"{path} is not a saved voice, or damaged ({shown})", hint) from error


# ---------------------------------------------------------------- field by field
def _tensor(file: Any, name: str) -> Any:
    """A tensor of an opened file. numpy does not know all kinds that may be there."""
    shape, (kind, _, axes) = file.get_slice(name), _KINDS[name]
    if shape.get_dtype() != kind or len(shape.get_shape()) != axes:
        raise ValueError(f"its {name} is of another kind")
    return file.get_tensor(name)


def _timbre(
    timbre: Floats, sounds: Floats | None = None, moments: Floats | None = None, codes: Ints | None = None
) -> Timbre:
    """A vector [d], a table [phonemes, channels] and moments as a point of the speaker space."""
    if not 1 <= timbre.size <= _WIDEST:
        raise ValueError("its vector has another size")
    if not np.isfinite(timbre).all() or abs(float(np.linalg.norm(timbre.astype(np.float64))) - 1) > 0.01:
        raise ValueError("its vector is damaged")
    if sounds is not None and not (np.abs(sounds) <= _LOUDEST).all():  # false for what is not finite too
        raise ValueError("its table of sounds is damaged")
    if moments is None or codes is None:
        return Timbre(timbre, sounds)
    if len(moments) != len(codes) or len(codes) > _MANY:
        raise ValueError("its moments are not as many as their codes, or too many")
    if not (np.abs(moments) <= _LOUDEST).all() or not ((codes >= 0) & (codes < 1 << 16)).all():
        raise ValueError("its moments are damaged")
    return Timbre(timbre, sounds, Moments(moments, codes))


def _voice(name: str, timbre: Timbre, value: Any) -> Voice:
    data = _object(value, "what it tells of itself")
    midi = data.get("median_midi")
    return Voice(
        name,
        timbre,
        consent=_text(data["consent"], "consent"),
        checkpoint=_text(data["checkpoint"], "checkpoint"),
        created=_text(data["created"], "created"),
        recordings=tuple(_recording(item) for item in _list(data["recordings"], "recordings")),
        median_midi=None if midi is None else _number(midi, "median_midi", 0, 127),
        done=tuple(_text(item, "done") for item in _list(data.get("done", []), "done")),
        parents=tuple(_parent(item) for item in _list(data.get("parents", []), "parents")),
    )


def _recording(value: Any) -> Recording:
    data = _object(value, "recording")
    found = data.get("checkup")
    return Recording(
        _text(data["file"], "file"),
        _text(data["sha256"], "sha256"),
        _number(data["seconds"], "seconds", 0, 1e6),
        None if found is None else _checkup(found),
    )


def _checkup(value: Any) -> Checkup:
    data = _object(value, "checkup")
    alike = None if data["alike"] is None else _number(data["alike"], "alike", -1.01, 1.01)
    names = (field.name for field in fields(Checkup) if field.name != "alike")
    return Checkup(**{name: _number(data[name], name, -1000, 1e6) for name in names}, alike=alike)


def _parent(value: Any) -> Parent:
    data = _object(value, "parent")
    return Parent(
        _text(data["name"], "name"),
        _number(data["weight"], "weight", 0, 1),
        _text(data["sha256"], "sha256"),
        _text(data["consent"], "consent"),
    )


def _text(value: Any, what: str) -> str:
    """A text to be shown on a terminal: control characters, which could say anything there, are refused."""
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise ValueError(f"{what} is no text, or too long")
    if clean(value) != value:
        raise ValueError(f"{what} has control characters")
    return value


def _number(value: Any, what: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{what} is no number from {low:g} to {high:g}")
    return float(value)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MANY:
        raise ValueError(f"{what} is no list, or too long")
    return value
