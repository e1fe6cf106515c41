"""A job from beginning to end: its verb is run, its files are written as one, its receipt is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from unisinger_cli import strict_json
from unisinger_cli.notation.write import EXPORTS, encoded
from unisinger_cli.pipeline import account
from unisinger_cli.pipeline.convert import rehearse_conversion
from unisinger_cli.pipeline.deliver import deliver
from unisinger_cli.pipeline.page import page
from unisinger_cli.pipeline.receipt import receipt, tags
from unisinger_cli.pipeline.reporter import Reporter
from unisinger_cli.pipeline.song import rehearse_song
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.pipeline.takes import Rehearsal, best, following, sung
from unisinger_cli.requests import Job, Request, SongRequest
from unisinger_cli.types import Result, Stems


def rehearse(studio: Studio, request: Request, reporter: Reporter) -> Rehearsal:
    """All of a request that its takes share."""
    if isinstance(request, SongRequest):
        return rehearse_song(studio, request, reporter)
    return rehearse_conversion(studio, request, reporter)


def produce(studio: Studio, job: Job, reporter: Reporter, began: float | None = None) -> dict[str, Any]:
    """Run a job and write its files, all or none; returns its receipt. Of several takes, the best is written.

    `began`, of time.monotonic, is when the work on it started, where that was before this call (loading counts).
    """
    began = time.monotonic() if began is None else began
    plain = job.request.sampler
    takes = [plain] if job.takes == 1 else following(plain, job.takes)
    done, sampler, account = best(rehearse(studio, job.request, reporter), takes, reporter)
    told = {} if job.takes == 1 else {"takes": account, "picked": sampler.take}
    return _written(studio, replace(job, request=replace(job.request, sampler=sampler)), done, reporter, began, told)


def produce_all(studio: Studio, jobs: Sequence[Job], reporter: Reporter) -> Iterator[dict[str, Any]]:
    """Run jobs that differ in the sampler alone; each one's files are there, all or none, when its receipt comes."""
    began = time.monotonic()
    takes = [job.request.sampler for job in jobs]
    for job, done in zip(jobs, sung(rehearse(studio, jobs[0].request, reporter), takes, reporter), strict=True):
        yield _written(studio, job, done, reporter, began, {})
        began = time.monotonic()


def _written(
    studio: Studio, job: Job, done: Result, reporter: Reporter, began: float, told: Mapping[str, Any]
) -> dict[str, Any]:
    reporter.stage("writing")
    files = {name: path for name, path in job.files.items() if name != "accomp" or done.stems.accomp is not None}
    seconds = time.monotonic() - began
    record = receipt(studio, job.request, done, files, job.inputs, seconds, job.bits) | dict(told)
    others = {} if done.plan is None else {name: encoded(done.plan, name) for name in files if name in EXPORTS}
    if "page" in files:
        others["page"] = _page(record, done.stems).encode()
    return deliver(files, done.stems, record, bits=job.bits, tags=tags(record), others=others)


def _page(record: dict[str, Any], stems: Stems) -> str:
    sounds = {"vocal": stems.vocal}
    sounds |= {} if stems.accomp is None else {"mix": stems.mix, "accomp": stems.accomp}
    return page(account.parse(strict_json.dumps(record), "the receipt"), sounds, (), date.today())
