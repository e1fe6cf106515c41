"""The voice that is asked for: a recording of it, or a saved voice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unisinger_cli.audio import read
from unisinger_cli.errors import ModelError
from unisinger_cli.pipeline import voices
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import Voice
from unisinger_cli.types import Timbre


@dataclass(frozen=True)
class Reference:
    """Whose voice, and where it lies: the median of its pitch as a MIDI note, None where nothing is voiced."""

    timbre: Timbre
    median_midi: float | None


def reference(studio: Studio, voice: Voice) -> Reference:
    """The voice that is asked for: a part of it, or a blend of several.

    Raises what `_heard` raises.
    """
    (part,) = voice
    return _heard(studio, part.path)


def _heard(studio: Studio, path: Path) -> Reference:
    """What `path` holds, a recording or a voice of `pipeline.voices`.

    Raises ModelError where another checkpoint measured the voice: its vector means nothing to this one.
    """
    if path.suffix == ".safetensors":
        voice = voices.load_file(path)
        if voice.checkpoint != studio.sha256:
            hint = f"save it again: unisinger voice add {voice.name} RECORDING --force"
            raise ModelError(f"the voice {voice.name} was measured by another checkpoint", hint)
        return Reference(voice.timbre, voice.median_midi)
    recording = read(path, min_seconds=1.0)
    return Reference(studio.timbre([recording]), studio.median_midi([recording]))
