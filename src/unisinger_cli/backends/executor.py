"""Many jobs over many processes: of this machine, or of a Ray cluster. One function, one job at a time, any order."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from multiprocessing import active_children, connection, get_context, parent_process
from typing import Any

from unisinger_cli.errors import MissingExtra

Result = dict[str, Any]  # small and JSON-able; what is large the job writes itself, where all machines see it
Work = Callable[[str], Result]


def over_processes(work: Work, jobs: Sequence[str], workers: int) -> Iterator[tuple[str, Result | None]]:
    """(job, what `work` gave) as they finish; None where the process died of it, as of damaged input a decoder may.

    A death takes the whole pool along, and nothing tells whose it was. So those that were unfinished then and may have
    been running are run again, each in a process of its own.
    """
    waiting = list(jobs)
    while waiting:
        finished = set()
        with _pool(workers) as pool:
            # no more are handed out than run, so that after a death the suspects are few
            ahead = iter(waiting)
            running = {pool.submit(work, job): job for job, _ in zip(ahead, range(workers), strict=False)}
            try:
                while running:
                    done = next(as_completed(running))
                    result = done.result()
                    job = running.pop(done)
                    finished.add(job)
                    yield job, result
                    following = next(ahead, None)
                    if following is not None:
                        running[pool.submit(work, following)] = following
            except BrokenProcessPool:
                pass
            except BaseException:  # Ctrl-C too: whatever is under way is not waited for
                pool.shutdown(wait=False, cancel_futures=True)
                for child in active_children():
                    child.kill()
                raise
        suspects = list(running.values())
        for job in suspects:
            with _pool(1) as pool:
                alone: Future[Result] = pool.submit(work, job)
                died = isinstance(alone.exception(), BrokenProcessPool)
            yield job, None if died else alone.result()
        finished.update(suspects)
        waiting = [job for job in waiting if job not in finished]


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_follow_parent)


def _follow_parent() -> None:
    """End with the process that started this one, however that ended: a worker would wait for it forever."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def over_ray(
    work: Work, jobs: Sequence[str], workers: int, address: str, gpus: float = 0.0
) -> Iterator[tuple[str, Result | None]]:
    """The same over Ray Data: on the cluster at `address` ("auto": the one this machine belongs to), or for "local" on
    one of `workers` that is started here and ends with the run. Paths must mean the same on every machine. A job
    takes one core and `gpus` GPUs.

    Raises MissingExtra without Ray.
    """
    if find_spec("ray") is None:
        raise MissingExtra("ray, which spreads work over machines,", "ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report home
    import ray
    import ray.data

    ray.init(
        address=address,
        num_cpus=workers if address == "local" else None,
        include_dashboard=False if address == "local" else None,
        log_to_driver=False,
        logging_level=logging.WARNING,
    )
    try:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = -1  # a block is a job: what is missing in the end died
        items = ray.data.from_items([{"job": job} for job in jobs], override_num_blocks=len(jobs))
        missing = set(jobs)
        done = items.map(lambda row: {"job": row["job"], "result": json.dumps(work(row["job"]))}, num_gpus=gpus)
        for row in done.iter_rows():
            missing.discard(row["job"])
            yield row["job"], json.loads(row["result"])
        for job in sorted(missing):
            yield job, None
    finally:
        ray.shutdown()
