"""The saved voices: voice files in one folder, each with a name, so that a recording need not be given each time."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from unisinger_cli.backends.weights import sha256_of
from unisinger_cli.errors import InputError, ModelError, UsageError
from unisinger_cli.pipeline.voicefile import MOST_TEXT, Parent, Voice, read_voice, write_voice
from unisinger_cli.requests import VoicePart
from unisinger_cli.stages.timbre import blend as blended
from unisinger_cli.stages.timbre import likeness
from unisinger_cli.types import Timbre

_NAME = re.compile(r"\w[\w-]{0,63}")


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


def find(text: str) -> Path | None:
    """The file that a user means: one that exists, or else that of the saved voice of that name; None for neither."""
    saved = path_of(text) if text in names() else None
    if os.path.lexists(text) and not (saved is not None and Path(text).is_dir()):
        return Path(text)
    return saved


def voice_of(text: str) -> Voice:
    """The voice in a file, or the saved one of that name. Raises InputError where there is neither, or no voice."""
    path = find(text)
    return load(text) if path is None and _NAME.fullmatch(text) else read_voice(path or Path(text))


def save(voice: Voice, *, force: bool = False) -> Path:
    """Put a voice among the saved ones. Raises InputError where one of that name exists and `force` is not given, or
    where they have no place."""
    path = path_of(voice.name)
    require_free(voice.name, force=force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"the folder {path.parent} cannot be made: {error.strerror}"
        raise InputError(reason, "set UNISINGER_HOME to another place") from error
    write_voice(voice, path)
    return path


def require_free(name: str, *, force: bool) -> None:
    """Raise InputError where a voice of that name exists and `force` is not given."""
    if path_of(name).exists() and not force:
        raise InputError(f"there is a voice called {name} already", "add --force to replace it")


def load(name: str) -> Voice:
    """A saved voice. Raises InputError where there is none of that name, or its file is not a voice."""
    return read_voice(_there(name))


def remove(name: str) -> Path:
    """Delete a saved voice. Raises InputError where there is none of that name."""
    path = _there(name)
    path.unlink()
    return path


def _there(name: str) -> Path:
    path = path_of(name)
    if not path.is_file():
        others = names()
        hint = f"saved voices: {', '.join(others)}" if others else "unisinger voice add NAME RECORDING saves one"
        raise InputError(f"there is no voice called {name}", hint)
    return path


def similarity(one: Voice, other: Voice) -> float:
    """Cosine of the angle between two voices. Raises ModelError unless one checkpoint measured both."""
    _require_comparable([one, other])
    return likeness(one.timbre.vector, other.timbre.vector)


def blend(name: str, parts: Sequence[VoicePart]) -> Voice:
    """A voice between saved ones: the weighted mean of their vectors brought back to unit length, and of their median
    pitches as far as they are known. It rests on the consent of all.

    Raises ModelError unless one checkpoint measured all, InputError where a part is not a saved voice.
    """
    voices = [read_voice(part.path) for part in parts]
    _require_comparable(voices)
    parents = tuple(
        Parent(voice.name, part.weight, sha256_of(part.path), voice.consent)
        for voice, part in zip(voices, parts, strict=True)
    )
    consent = "; ".join(f"{parent.name}: {parent.consent}" for parent in parents)
    if len(consent) > MOST_TEXT:
        raise InputError(f"the consent statements of {name} would have {len(consent)} letters", "blend fewer voices")
    mixed, midi = mean_voice([(v.timbre, v.median_midi, p.weight) for v, p in zip(voices, parts, strict=True)])
    today = date.today().isoformat()
    return Voice(name, mixed, consent, voices[0].checkpoint, today, median_midi=midi, parents=parents)


def mean_voice(parts: Sequence[tuple[Timbre, float | None, float]]) -> tuple[Timbre, float | None]:
    """(Timbre, median pitch as a MIDI note) of a blend of parts, each (timbre, median pitch or None, weight)."""
    heard = [part for part in parts if part[2] > 0]
    if len(heard) == 1:
        return heard[0][:2]
    known = [(midi, weight) for _, midi, weight in heard if midi is not None]
    midi = float(np.average([m for m, _ in known], weights=[w for _, w in known])) if known else None
    return blended([timbre for timbre, _, _ in heard], [weight for _, _, weight in heard]), midi


def _require_comparable(voices: Sequence[Voice]) -> None:
    one = voices[0]
    for other in voices[1:]:
        if one.checkpoint != other.checkpoint:
            raise ModelError(
                f"{one.name} and {other.name} were measured by different checkpoints "
                f"({one.checkpoint[:12]}, {other.checkpoint[:12]})",
                f"save one of them again: unisinger voice add {other.name} RECORDING --force",
            )
        if _shapes(one) != _shapes(other):
            raise InputError(f"{one.name} and {other.name} say that one checkpoint measured them, and it cannot have")


def _shapes(voice: Voice) -> tuple[tuple[int, ...] | None, ...]:
    latents = None if voice.timbre.moments is None else voice.timbre.moments.latents
    tensors = (voice.timbre.vector, voice.timbre.sounds, latents)
    return tuple(None if t is None else t.shape for t in tensors)
