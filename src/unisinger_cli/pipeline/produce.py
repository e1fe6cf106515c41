"""A job from beginning to end: its verb is run, its files are written as one, its receipt is kept."""

from __future__ import annotations

import time
from typing import Any

from unisinger_cli.notation.write import EXPORTS, encoded
from unisinger_cli.pipeline.convert import convert
from unisinger_cli.pipeline.deliver import deliver
from unisinger_cli.pipeline.receipt import receipt, tags
from unisinger_cli.pipeline.reporter import Reporter
from unisinger_cli.pipeline.song import song
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import Job, SongRequest


def produce(studio: Studio, job: Job, reporter: Reporter, began: float | None = None) -> dict[str, Any]:
    """Run a job and write its files, all or none; returns its receipt.

    `began`, of time.monotonic, is when the work on it started, where that was before this call (loading counts).
    """
    began = time.monotonic() if began is None else began
    request = job.request
    done = song(studio, request, reporter) if isinstance(request, SongRequest) else convert(studio, request, reporter)
    reporter.stage("writing")
    files = {name: path for name, path in job.files.items() if name != "accomp" or done.stems.accomp is not None}
    seconds = time.monotonic() - began
    record = receipt(studio, request, done, files, job.inputs, seconds, job.bits)
    exports = {} if done.plan is None else {name: encoded(done.plan, name) for name in files if name in EXPORTS}
    return deliver(files, done.stems, record, bits=job.bits, tags=tags(record), exports=exports)
