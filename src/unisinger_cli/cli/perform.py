"""The tail that `song` and `convert` share: open the Studio, produce what the job asks for, tell it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from unisinger_cli.cli import checks, output
from unisinger_cli.errors import UsageError
from unisinger_cli.requests import MOST_TAKES, Job, SamplerConfig

# Where a batch puts the jobs that it reads: `perform` then only hands them over.
collected: ContextVar[list[Job] | None] = ContextVar("collected", default=None)


def perform(job: Job, *, checkpoint: str | None, device: str, threads: int | None) -> None:
    """Do one job, with progress and the scores on stderr and the result on stdout."""
    jobs = collected.get()
    if jobs is not None:
        jobs.append(job)
        return
    from unisinger_cli.pipeline.locks import alone
    from unisinger_cli.pipeline.produce import produce
    from unisinger_cli.pipeline.studio import Studio

    began = time.monotonic()
    with output.progress() as reporter:
        reporter.stage("loading")
        studio = Studio.open(checkpoint, device=device, threads=threads)
        with alone(job.files["mix"]):
            checks.still_free(job)
            record = produce(studio, job, reporter, began)
    tell(record)


def tell(record: Mapping[str, Any]) -> None:
    """What is said of a run: notes and scores on stderr, the result on stdout."""
    for note in record["notes"]:
        output.say(f"note: {note}")
    if "takes" in record:
        rows = [[f"take {one['take']}", f"merit {one['merit']:.3f}"] for one in record["takes"]]
        output.say(output.table(rows) + f"\nthe best is take {record['picked']}:")
    measured = record["scores"] | {name: record[name] for name in ("real_time_factor", "peak_memory_mib")}
    output.say(output.table([[name, _shown(value)] for name, value in measured.items()]))
    output.result(record["output"], {key: value for key, value in record.items() if key != "plan"})


def perform_takes(
    job_at: Callable[[Path, SamplerConfig], Job],
    path: Path,
    sampler: SamplerConfig,
    takes: int,
    pick: str,
    *,
    checkpoint: str | None,
    device: str,
    threads: int | None,
) -> None:
    """Do the best of some takes, written at `path`, or each of them, at NAME.take1.wav and so on.

    `job_at` checks a path and gives the job that writes there. A take that is done stays, whatever becomes of the next.
    """
    _checked(takes, pick, sampler)
    if pick == "best":
        job = replace(job_at(path, sampler), takes=takes)
        perform(job, checkpoint=checkpoint, device=device, threads=threads)
        return
    from unisinger_cli.pipeline.locks import alone
    from unisinger_cli.pipeline.produce import produce_all
    from unisinger_cli.pipeline.studio import Studio
    from unisinger_cli.pipeline.takes import merit

    jobs, records = _each(job_at, path, sampler, takes), []
    with output.progress() as reporter, ExitStack() as locks:
        reporter.stage("loading")
        studio = Studio.open(checkpoint, device=device, threads=threads)
        for job in jobs:
            locks.enter_context(alone(job.files["mix"]))
            checks.still_free(job)
        for record in produce_all(studio, jobs, reporter):
            records.append(record)
            output.screen.written.append(record["output"])
    for note in records[0]["notes"]:
        output.say(f"note: {note}")
    rows = [[record["output"], f"merit {merit(record['scores']):.3f}"] for record in records]
    output.say(output.table(rows))
    paths = [record["output"] for record in records]
    told = [{key: value for key, value in record.items() if key != "plan"} for record in records]
    output.result("\n".join(paths), {"schema": 1, "outputs": paths, "takes": told})


def tell_ahead(
    job_at: Callable[[Path, SamplerConfig], Job],
    path: Path,
    sampler: SamplerConfig,
    takes: int,
    pick: str,
    *,
    checkpoint: str | None,
    device: str,
    threads: int | None,
) -> None:
    """In place of `perform_takes`: how long it would take, how much memory, and what would be written."""
    from unisinger_cli.pipeline.estimate import estimate
    from unisinger_cli.pipeline.studio import Studio

    _checked(takes, pick, sampler)
    jobs = [job_at(path, sampler)] if pick == "best" else _each(job_at, path, sampler, takes)
    job, began = replace(jobs[0], takes=takes), time.monotonic()
    with output.progress() as reporter:
        reporter.stage("loading")
        studio = Studio.open(checkpoint, device=device, threads=threads)
        reporter.stage("trying how fast it is")
        told = estimate(studio, job, began)
    rows = [["sound", f"{told.sound:.0f} s"], ["time", f"about {told.seconds:.0f} s"]]
    if told.memory_mib is not None:
        rows.append(["memory", f"about {told.memory_mib:.0f} MiB"])
    if told.plan is not None:
        score = told.plan.score
        rows.append(["song", f"{len(told.plan.lines)} lines, {score.key}, {score.bpm:.0f} bpm"])
    rows += [["writes", str(file)] for one in jobs for file in one.files.values()]
    data = {"schema": 1, "dry_run": True, "sound": told.sound, "seconds": told.seconds, "memory_mib": told.memory_mib}
    files = [{name: str(file) for name, file in one.files.items()} for one in jobs]
    output.result(output.table(rows), data | ({"files": files[0]} if pick == "best" else {"takes": files}))


def _each(job_at: Callable[[Path, SamplerConfig], Job], path: Path, sampler: SamplerConfig, takes: int) -> list[Job]:
    """The jobs of `--pick all`: a take each, at NAME.take1.wav and so on."""
    from unisinger_cli.pipeline.takes import following

    named = ((path.with_name(f"{path.stem}.take{one.take}{path.suffix}"), one) for one in following(sampler, takes))
    return [job_at(place, one) for place, one in named]


def _checked(takes: int, pick: str, sampler: SamplerConfig) -> None:
    if pick not in ("best", "all"):
        raise UsageError(f"--pick is {pick!r}, and must be best or all")
    if not 1 <= takes <= MOST_TAKES:
        raise UsageError(f"--takes is {takes}, and must be from 1 to {MOST_TAKES}")
    if takes > 1:
        replace(sampler, take=sampler.take + takes)  # the number of the last, which is checked as it is made


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
