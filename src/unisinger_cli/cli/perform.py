"""The tail that `song` and `convert` share: open the Studio, produce what the job asks for, tell it."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from unisinger_cli.cli import output

if TYPE_CHECKING:
    from unisinger_cli.requests import Job


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
            record = produce(studio, job, reporter, began)
    for note in record["notes"]:
        output.say(f"note: {note}")
    measured = record["scores"] | {name: record[name] for name in ("real_time_factor", "peak_memory_mib")}
    output.say(output.table([[name, _shown(value)] for name, value in measured.items()]))
    output.result(record["output"], {key: value for key, value in record.items() if key != "plan"})


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
