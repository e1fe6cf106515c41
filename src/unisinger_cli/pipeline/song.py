"""Lyrics -> song. A line for each stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unisinger_cli.audio import master
from unisinger_cli.pipeline.condition import from_plan
from unisinger_cli.pipeline.plan import planned
from unisinger_cli.pipeline.reference import reference
from unisinger_cli.pipeline.render import render
from unisinger_cli.pipeline.reporter import Reporter, Timed
from unisinger_cli.pipeline.scores import scores
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import SamplerConfig, SongRequest
from unisinger_cli.types import Result, SongPlan, Timbre


def performance(sampler: SamplerConfig) -> np.random.Generator:
    """What decides vibrato, glides and drift of a take: its own, so that a plan from a file is sung just so."""
    return np.random.default_rng((sampler.seed, 1 + sampler.take))


@dataclass(frozen=True)
class SongRehearsal:
    """All that the takes of a song share."""

    studio: Studio
    plan: SongPlan
    timbre: Timbre | None
    remarks: tuple[str, ...]
    seconds_by_stage: dict[str, float]

    def take(self, sampler: SamplerConfig, reporter: Reporter) -> Result:
        """Sing it: take 0, and others with other noise and another pitch curve."""
        clock = Timed(reporter)
        condition = from_plan(self.studio.config, self.plan, self.timbre, performance(sampler))
        stems = render(self.studio, condition, sampler, int(self.plan.seconds * self.studio.rate), clock)
        clock.stage("mastering")
        stems = master(stems)
        clock.stage("measuring")
        found = scores(self.studio, stems, condition.pitch, self.timbre, None)
        return Result(stems, found, self.plan, self.seconds_by_stage | clock.done(), self.remarks)


def rehearse_song(studio: Studio, request: SongRequest, reporter: Reporter) -> SongRehearsal:
    """All of a song but the singing; in the voice of a reference if there is one (task 2, else task 0)."""
    clock = Timed(reporter)
    clock.stage("reference")
    voice = reference(studio, request.ref) if request.ref else None
    timbre = None if voice is None else voice.timbre
    clock.stage("composing")
    plan, remarks = planned(request, voice)
    return SongRehearsal(studio, plan, timbre, (*studio.notes, *remarks), clock.done())


def song(studio: Studio, request: SongRequest, reporter: Reporter) -> Result:
    """Sing what a request asks for."""
    return rehearse_song(studio, request, reporter).take(request.sampler, reporter)
