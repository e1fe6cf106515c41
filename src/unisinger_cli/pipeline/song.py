"""Lyrics -> song. A line for each stage."""

from __future__ import annotations

import numpy as np

from unisinger_cli.audio import master
from unisinger_cli.pipeline.condition import from_plan
from unisinger_cli.pipeline.plan import planned
from unisinger_cli.pipeline.reference import reference
from unisinger_cli.pipeline.render import render
from unisinger_cli.pipeline.reporter import Reporter, Timed
from unisinger_cli.pipeline.scores import scores
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import SongRequest
from unisinger_cli.types import Result


def song(studio: Studio, request: SongRequest, reporter: Reporter) -> Result:
    """Sing what a request asks for, in the voice of its reference if there is one (task 2, else task 0)."""
    clock = Timed(reporter)
    clock.stage("reference")
    voice = reference(studio, request.ref) if request.ref else None
    timbre = None if voice is None else voice.timbre
    clock.stage("composing")
    plan, remarks = planned(request, voice)
    performance = np.random.default_rng((request.sampler.seed, 1))  # its own: a plan from a file is sung just so
    condition = from_plan(studio.config, plan, timbre, performance)
    stems = render(studio, condition, request.sampler, int(plan.seconds * studio.rate), clock)
    clock.stage("mastering")
    stems = master(stems)
    clock.stage("measuring")
    found = scores(studio, stems, condition.pitch, timbre, None)
    return Result(stems, found, plan, clock.done(), (*studio.notes, *remarks))
