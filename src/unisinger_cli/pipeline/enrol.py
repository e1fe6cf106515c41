"""Recordings of a person -> a voice, after a check-up of each: what cannot be used is refused, the rest is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import combinations
from pathlib import Path

import numpy as np

from unisinger_cli.audio import read, whole
from unisinger_cli.backends.weights import sha256_of
from unisinger_cli.errors import InputError, MissingExtra, ModelError
from unisinger_cli.pipeline.reporter import Reporter
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.pipeline.voicefile import Recording, Voice, clean
from unisinger_cli.stages import checkup
from unisinger_cli.stages.separate import choose_separator, is_mix, separate
from unisinger_cli.stages.timbre import Heard, likeness, listen, middle, voice
from unisinger_cli.types import Audio, Pitch

SOLO = "add --solo if it is one voice alone"


def enrol(
    studio: Studio, name: str, paths: Sequence[Path], consent: str, reporter: Reporter, *, solo: bool = False
) -> Voice:
    """The voice that is heard in recordings, not saved yet; its `done` tells what was noticed and done.

    A vocal is taken out of a mix where the separator is there. With `solo`, what sounds like a mix or like several
    people is one voice alone all the same.

    Raises InputError for a recording that `read` or the check-up refuses, for a mix without the separator, and for
    recordings that are not of one voice.
    """
    done: list[str] = []
    recordings, voices, pitches = [], [], []
    for path in paths:
        reporter.stage(f"listening to {path.name}")
        audio, notes = _alone(studio, path, read(path, min_seconds=checkup.LEAST), reporter, solo=solo)
        try:
            heard, pitch = listen(studio.model, audio), studio.pitch(audio)
        except InputError as error:  # which does not know whose sound it is
            raise InputError(f"{path}: {error.message}", error.hint) from error
        found = checkup.check_up(audio, heard.vectors, pitch)
        done += [f"{path.name}: {note}" for note in notes + checkup.verdict(found, str(path), solo=solo)]
        recordings.append(Recording(clean(path.name), sha256_of(path), round(audio.seconds, 3), found))
        voices.append(heard)
        pitches.append(pitch.hz)
    done += _one_voice(paths, voices, solo=solo)
    sounding = sum(one.checkup.sounding for one in recordings if one.checkup is not None)
    if sounding < checkup.GOOD:
        done.append(f"{sounding:.1f} s of voice in all: {checkup.GOOD:g} s or more tell it better")
    midi = Pitch(np.concatenate(pitches), studio.frame_rate).median_midi()
    today = date.today().isoformat()
    return Voice(name, voice(voices), consent, studio.sha256, today, tuple(recordings), midi, tuple(map(clean, done)))


def _alone(studio: Studio, path: Path, audio: Audio, reporter: Reporter, *, solo: bool) -> tuple[Audio, list[str]]:
    """The voice of a recording without what plays behind it, and what to tell of that."""
    if not is_mix(audio):
        return audio, []
    if solo:
        return audio, ["sounds like music behind the voice; taken as it is"]
    try:
        separator = choose_separator(device=str(studio.device))
    except (MissingExtra, ModelError) as error:
        reason = f"{path} sounds like music behind the voice, and it cannot be taken out: {error.message}"
        raise InputError(reason, f"{error.hint}; or {SOLO}") from error
    vocal, _ = separate(audio, separator, reporter.step)
    return whole(vocal), ["music behind the voice; the vocal was taken out"]


def _one_voice(paths: Sequence[Path], voices: Sequence[Heard], *, solo: bool) -> list[str]:
    """Notes on recordings that are not of one voice. Raises InputError for these unless `solo`."""
    centres = [middle(each.vectors) for each in voices]
    alike, i, j = min(
        ((likeness(centres[i], centres[j]), i, j) for i, j in combinations(range(len(paths)), 2)), default=(1.0, 0, 0)
    )
    if alike >= checkup.UNSURE:
        return []
    if alike >= checkup.SEVERAL or solo:
        return [f"{paths[i].name} and {paths[j].name} are alike by {alike:.2f} only: are they of one person?"]
    limit = f"alike by {alike:.2f}, and two people are so by less than {checkup.SEVERAL:g}"
    told = f"{paths[i]} and {paths[j]} do not sound like one voice ({limit})"
    raise InputError(told, "save each under a name of its own, or add --solo if it is one person")
