"""The voice that is asked for: a recording of it, a saved voice, or a blend of several."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unisinger_cli.audio import read
from unisinger_cli.errors import InputError, ModelError
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.pipeline.voicefile import is_voice, read_voice
from unisinger_cli.pipeline.voices import mean_voice
from unisinger_cli.requests import Voice
from unisinger_cli.types import Timbre


@dataclass(frozen=True)
class Reference:
    """Whose voice, and where it lies: the median of its pitch as a MIDI note, None where nothing is voiced."""

    timbre: Timbre
    median_midi: float | None


def reference(studio: Studio, voice: Voice) -> Reference:
    """The voice that is asked for, or the weighted mean of several; parts that weigh nothing are not heard.

    Raises what `_heard` raises.
    """
    heard = [(_heard(studio, part.path), part.weight) for part in voice if part.weight > 0]
    return Reference(*mean_voice([(one.timbre, one.median_midi, weight) for one, weight in heard]))


def _heard(studio: Studio, path: Path) -> Reference:
    """What `path` holds, a recording or a voice of `pipeline.voicefile`.

    Raises ModelError where another checkpoint measured the voice: its vector means nothing to this one.
    """
    if is_voice(path):
        voice = read_voice(path)
        if voice.checkpoint != studio.sha256:
            hint = f"save it again: unisinger voice add {voice.name} RECORDING --force; or name its --checkpoint"
            raise ModelError(f"the voice {voice.name} was measured by another checkpoint", hint)
        if not _fits(studio, voice.timbre):
            raise InputError(f"{path} says that this checkpoint measured it, and it cannot have: its vector is damaged")
        return Reference(voice.timbre, voice.median_midi)
    recording = read(path, min_seconds=1.0)
    return Reference(studio.timbre([recording]), studio.median_midi([recording]))


def _fits(studio: Studio, timbre: Timbre) -> bool:
    """Whether a voice has the sizes that this checkpoint gives them."""
    config, sounds, moments = studio.config, timbre.sounds, timbre.moments
    channels = config.codec.channels
    if timbre.vector.size != config.timbre.dim:
        return False
    if sounds is not None and sounds.shape != (len(config.phonemes), channels):
        return False
    if moments is None:
        return True
    count = len(moments.codes)
    if count > config.flow.moments or moments.latents.shape != (count, channels):
        return False
    return count == 0 or int(moments.codes.max()) < config.content.codes
