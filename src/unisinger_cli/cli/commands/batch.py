"""`unisinger batch`: many songs and conversions, with the model loaded once."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from unisinger_cli.cli import jobs as lists
from unisinger_cli.cli import options, output
from unisinger_cli.cli.worker import Worker
from unisinger_cli.errors import InputError, PartialFailure, UsageError

WORKER_MIB = 1400  # that a worker holds at most: `peak_memory_mib` of receipts, and some air
CORES = 2  # that a worker makes good use of


class Progress(str, Enum):
    lines = "lines"
    json = "json"


def batch(
    ctx: typer.Context,
    jobs: Annotated[
        str,
        typer.Argument(metavar="JOBS|FOLDER|-", help="A file with one job a line, a folder, or - for stdin."),
    ],
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Where the results of a folder go.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help="For every file of a folder: target=me; repeatable."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=256, help="Processes.  [default: what cores and memory allow]")
    ] = None,
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="4G", help="That all workers may take.  [default: what is free]")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="ADDRESS", help="Over a Ray cluster: auto, local, or where it is (extra `ray`)."),
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first job that fails.")] = False,
    force: options.Force = False,
    progress: Annotated[Progress, typer.Option("--progress", help="On stderr, for people or for programs.")] = (
        Progress.lines
    ),
    json: options.Json = False,
    quiet: options.Quiet = False,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Do many jobs: those of a list, or the same with every file of a folder.

    A job is a JSON object with the long options of `song` or `convert` as its keys. What is done already is skipped
    (its receipt and its files tell), so a batch that was interrupted goes on where it was. A job that fails stops no
    other; failures are listed at the end, with exit code 7.

    \b
    Examples:
      unisinger batch jobs.jsonl --progress json
      unisinger batch vocals/ -o converted/ --set target=me.wav --set with-accomp
      echo '{"command": "song", "lyrics": "a.txt", "output": "a.wav"}' | unisinger batch -
    """
    output.screen.json, output.screen.quiet = json, quiet
    items = lists.distinct(list(_items(jobs, out, option or [], ctx)))
    if not items:
        raise InputError(f"{jobs} has no jobs", "write one JSON object a line, or name a folder of sounds or lyrics")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = min(_workers(workers, _bytes(memory), cores), len(items))
    each = threads or max(1, cores // count)
    ready = [one for one in items if one.job is not None]
    made = tuple(one.job for one in ready if one.job is not None)
    told = _Told(items, progress is Progress.json, time.monotonic())
    for one in items:
        if one.job is None:
            told.ended(one, {"state": "failed", "error": one.error, "hint": one.hint, "exit": one.code})
    if made and not (fail_fast and told.failed):
        work = Worker(made, checkpoint, device, each, force)
        for number, result in _over(work, list(map(str, range(len(made)))), count, ray):
            died = {"state": "failed", "error": "its process died", "hint": "is there enough memory?", "exit": 6}
            told.ended(ready[int(number)], died if result is None else result)
            if fail_fast and told.failed:
                break
    told.summary()


def _items(jobs: str, out: Path | None, shared: Sequence[str], ctx: typer.Context) -> Iterator[lists.Item]:
    app = ctx.find_root().command
    if jobs == "-":
        return lists.from_lines(lists.text_from(sys.stdin.buffer, "stdin"), "stdin", app)
    path = Path(jobs)
    if not path.is_dir():
        if out is not None or shared:
            raise UsageError("--output and --set are for a folder", "write them into the jobs")
        return lists.from_lines(lists.text_of(path), str(path), app)
    if out is None:
        raise UsageError(f"{path} is a folder, and --output is missing", "say where the results go: -o FOLDER")
    if out.exists() and path.samefile(out):
        raise UsageError(f"{out} is the folder of the inputs too", "name another folder with -o")
    same = lists.shared(shared)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {out} cannot be made: {error.strerror}", "name another with -o") from error
    return lists.from_folder(path, out, same, app)


def _over(work: Worker, numbers: list[str], count: int, ray: str | None) -> Iterator[tuple[str, dict[str, Any] | None]]:
    from unisinger_cli.backends import executor

    return (
        executor.over_processes(work, numbers, count) if ray is None else executor.over_ray(work, numbers, count, ray)
    )


def _bytes(text: str | None) -> int:
    """A size such as 4G or 1500M; for None what the machine has free. Raises UsageError."""
    if text is None:
        names = os.sysconf_names if hasattr(os, "sysconf") else {}
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if "SC_AVPHYS_PAGES" in names else 0
        return free or WORKER_MIB << 20
    found = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if found is None:
        raise UsageError(f"--memory is {text[:20]!r}", "give a size such as 4G or 1500M")
    return int(float(found[1]) * 1024 ** ("KMGT".index(found[2].upper()) + 1 if found[2] else 0))


def _workers(asked: int | None, memory: int, cores: int) -> int:
    """As many as memory and cores allow, one at least; never more than memory allows."""
    room = max(1, memory // (WORKER_MIB << 20))
    return min(room, asked if asked is not None else max(1, cores // CORES))


class _Told:
    """What the user hears of a batch while it runs, and in the end."""

    def __init__(self, items: Sequence[lists.Item], events: bool, began: float) -> None:
        self._total, self._events, self._began = len(items), events, began
        self.counts = {"done": 0, "skipped": 0, "failed": 0}
        self.failed: list[dict[str, Any]] = []

    def ended(self, item: lists.Item, result: dict[str, Any]) -> None:
        state = result["state"]
        self.counts[state] += 1
        place = None if item.job is None else str(item.job.files["mix"])
        told = {"event": state, "id": item.name, "output": place} | result
        del told["state"]
        if state == "failed":
            self.failed.append(told)
        if self._events:
            output.event(told | {"ended": sum(self.counts.values()), "total": self._total})
        elif state == "failed":
            output.say(f"failed: {item.name}: {result['error']}")
        if state == "done":
            output.screen.written.append(str(place))
        if state == "done" and not output.screen.json:
            output.result(str(place), told)

    def summary(self) -> None:
        """Tell how it ended. Raises PartialFailure where a job failed."""
        seconds = round(time.monotonic() - self._began, 3)
        data = {"schema": 1, **self.counts, "total": self._total, "seconds": seconds, "failures": self.failed}
        if self._events:
            output.event({"event": "summary", **data})
        else:
            output.say(", ".join(f"{count} {state}" for state, count in self.counts.items()) + f", {seconds:.0f} s")
            rows = [[one["id"], str(one["output"] or "-"), one["error"]] for one in self.failed]
            output.say(output.table([["FAILED", "OUTPUT", "WHY"], *rows]) if rows else "all jobs are there")
        if output.screen.json:
            output.result("", data)
        if self.failed:
            hint = "mend these and run it again: what is done is skipped"
            raise PartialFailure(f"{len(self.failed)} of {self._total} jobs failed", hint)
