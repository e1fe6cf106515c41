"""What is sung: lyrics, a melody of anybody's, or a plan, all to the same value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from unisinger_cli.audio import read
from unisinger_cli.errors import InputError
from unisinger_cli.model.config import PHONEMES, TAGS
from unisinger_cli.notation import midi_read, musicxml_read, plan_json
from unisinger_cli.notation.fields import data_of
from unisinger_cli.notation.musicxml_tune import read_musicxml_tune
from unisinger_cli.pipeline.reference import Reference
from unisinger_cli.pipeline.studio import bundled_composer
from unisinger_cli.requests import SongRequest
from unisinger_cli.stages.arrange import RANGE, arranged, plan_of
from unisinger_cli.stages.compose import compose
from unisinger_cli.stages.hum import hummed
from unisinger_cli.stages.lyrics import read_lyrics
from unisinger_cli.stages.preflight import preflight
from unisinger_cli.stages.setting import set_lyrics, set_written
from unisinger_cli.stages.style import bpm_of, key_of, tags_of
from unisinger_cli.types import SongPlan, Tune

SINGING_ABOVE_SPEECH = 5.0  # semitones between the median of a speaking voice and a comfortable song
MIDI, MUSICXML = (".mid", ".midi", ".kar"), (".musicxml", ".xml", ".mxl")


def comfortable(voice: Reference | None) -> float | None:
    """Centre of a melody for a voice, as a MIDI note, or None where nothing is known of it."""
    if voice is None or voice.median_midi is None:
        return None
    return float(np.clip(voice.median_midi + SINGING_ABOVE_SPEECH, *RANGE))


def read_plan(path: Path) -> SongPlan:
    """The plan in a file of `unisinger plan`, or in the receipt of a song. Raises InputError for any other."""
    data = data_of(path, plan_json.MAX_BYTES, "a plan")
    return plan_json.read_plan(data, str(path), phonemes=PHONEMES, tags=TAGS)


def read_melody(path: Path) -> Tune:
    """The tune of a MIDI or MusicXML file, by the ending of its name, or of a hummed recording. Raises InputError."""
    ending = path.suffix.lower()
    if ending in MIDI:
        return midi_read.read_midi(data_of(path, midi_read.MAX_BYTES, "a MIDI file"), str(path))
    if ending in MUSICXML:
        return read_musicxml_tune(data_of(path, musicxml_read.MAX_BYTES, "a MusicXML score"), str(path))
    return hummed(read(path, min_seconds=1.0, max_seconds=plan_json.LONGEST), str(path))


def planned(request: SongRequest, voice: Reference | None) -> tuple[SongPlan, tuple[str, ...]]:
    """The plan of a request, and remarks on it: the one that is given, or the words set to the melody that is given, or
    else a song that is composed for the words. `--style` gives its tags to any of them.

    Raises InputError for what cannot be read, set or sung.
    """
    centre = comfortable(voice)
    tags = tags_of(request.style)
    bpm = request.bpm if request.bpm is not None else bpm_of(request.style)
    key = request.key if request.key is not None else key_of(request.style)
    remarks: tuple[str, ...] = ()
    if request.plan is not None:
        plan = read_plan(request.plan)
        plan = replace(plan, tags=tags) if request.style else plan
    elif request.melody is not None:
        tune = arranged(read_melody(request.melody), bpm=bpm, key=key, centre_midi=centre)
        plan, remarks = _set(request, tune, tags), tune.remarks
    else:
        lyrics = read_lyrics(request.lyrics, request.language, name=request.lyrics_name)
        rng = np.random.default_rng(request.sampler.seed)
        plan = compose(bundled_composer(), lyrics, rng=rng, bpm=bpm, key=key, tags=tags, centre_midi=centre)
    return plan, remarks + preflight(plan, centre)


def _set(request: SongRequest, tune: Tune, tags: tuple[str, ...]) -> SongPlan:
    """The words of the request on the tune, or else those that its file has."""
    if request.lyrics:
        lyrics = read_lyrics(request.lyrics, request.language, name=request.lyrics_name)
        return plan_of(tune, set_lyrics(tune, lyrics), lyrics.language, tags)
    if not any(tune.syllables):
        raise InputError(f"{request.melody} has no words", "give them: --lyrics words.txt")
    return plan_of(tune, set_written(tune, request.language, str(request.melody)), request.language, tags)
