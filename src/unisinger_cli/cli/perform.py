"""The tail that `song` and `convert` share: open the Studio, run the verb, write everything, tell it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from unisinger_cli.cli import output

if TYPE_CHECKING:
    from unisinger_cli.pipeline.reporter import Reporter
    from unisinger_cli.pipeline.studio import Studio
    from unisinger_cli.requests import ConvertRequest, SongRequest
    from unisinger_cli.types import Result

    Request = TypeVar("Request", SongRequest, ConvertRequest)


def perform(
    verb: Callable[[Studio, Request, Reporter], Result],
    request: Request,
    files: dict[str, Path],
    inputs: dict[str, Path],
    *,
    checkpoint: str | None,
    device: str,
    threads: int | None,
) -> None:
    """Run `verb` and write `files` (see `checks.outputs`) as one; the receipt names and hashes `inputs`."""
    from unisinger_cli.pipeline import receipt
    from unisinger_cli.pipeline.deliver import deliver
    from unisinger_cli.pipeline.studio import Studio

    began = time.monotonic()
    with output.progress() as reporter:
        reporter.stage("loading")
        studio = Studio.open(checkpoint, device=device, threads=threads)
        done = verb(studio, request, reporter)
        reporter.stage("writing")
        files = {name: path for name, path in files.items() if name != "accomp" or done.stems.accomp is not None}
        record = receipt.receipt(studio, request, done, files, inputs, seconds=time.monotonic() - began)
        deliver(files, done.stems, output.as_json(record, indent=1))
    for note in done.notes:
        output.say(f"note: {note}")
    measured = done.scores | {name: record[name] for name in ("real_time_factor", "peak_memory_mib")}
    output.say(output.table([[name, _shown(value)] for name, value in measured.items()]))
    output.result(str(files["mix"]), {key: value for key, value in record.items() if key != "plan"})


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
