"""Lyrics -> song. A line for each stage."""

from __future__ import annotations

import numpy as np

from unisinger_cli.audio import master
from unisinger_cli.pipeline.condition import from_plan
from unisinger_cli.pipeline.reference import Reference, reference
from unisinger_cli.pipeline.render import render
from unisinger_cli.pipeline.reporter import Reporter, Timed
from unisinger_cli.pipeline.scores import scores
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import SongRequest
from unisinger_cli.stages.compose import compose
from unisinger_cli.stages.lyrics import read_lyrics
from unisinger_cli.stages.style import bpm_of, key_of, tags_of
from unisinger_cli.types import Result

SINGING_ABOVE_SPEECH = 5.0  # semitones between the median of a speaking voice and a comfortable song
RANGE = (50.0, 72.0)  # MIDI: no melody is centred outside D3..C5, whatever the reference


def comfortable(voice: Reference | None) -> float | None:
    """Centre of a melody for a voice, as a MIDI note, or None where nothing is known of it."""
    if voice is None or voice.median_midi is None:
        return None
    return float(np.clip(voice.median_midi + SINGING_ABOVE_SPEECH, *RANGE))


def song(studio: Studio, request: SongRequest, reporter: Reporter) -> Result:
    """Sing the lyrics of a request, in the voice of its reference if there is one (task 2, else task 0)."""
    clock = Timed(reporter)
    rng = np.random.default_rng(request.sampler.seed)
    clock.stage("lyrics")
    lyrics = read_lyrics(request.lyrics, request.language, name=request.lyrics_name)
    clock.stage("reference")
    voice = reference(studio, request.ref) if request.ref else None
    timbre = None if voice is None else voice.timbre
    clock.stage("composing")
    bpm = request.bpm if request.bpm is not None else bpm_of(request.style)
    key = request.key if request.key is not None else key_of(request.style)
    tags = tags_of(request.style)
    plan = compose(lyrics, rng=rng, bpm=bpm, key=key, tags=tags, centre_midi=comfortable(voice))
    condition = from_plan(studio.config, plan, timbre, rng)
    stems = render(studio, condition, request.sampler, int(plan.seconds * studio.rate), clock)
    clock.stage("mastering")
    stems = master(stems)
    clock.stage("measuring")
    found = scores(studio, stems, condition.pitch, timbre, None)
    return Result(stems, found, plan, clock.done(), studio.notes)
