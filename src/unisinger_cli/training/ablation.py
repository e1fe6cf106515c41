"""The ablation's training: every variant from every seed, on the same data and for the same number of steps.

One process for each GPU takes run after run; all variants of a seed come before the next seed, so that what is there
can be compared at any time. A finished run has a checkpoint and is skipped, one that was cut goes on where it was.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType

import torch

from unisinger_cli.model.checkpoint import read_header
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.training import parts
from unisinger_cli.training.bundle import CHECKPOINT, bundle

_LATE = "out of time"


@dataclass(frozen=True)
class Recipe:
    """What all runs have in common, as `parts.train` takes it; `init` are the parts that no run changes."""

    preset: str
    data: list[Path]
    init: list[Path]
    out: Path
    steps: int
    batch: int | None = None
    rate: float = 1.0
    device: str = "auto"


@dataclass(frozen=True)
class Run:
    variant: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.variant}.{self.seed}"


def runs(variants: Sequence[str], seeds: Sequence[int]) -> list[Run]:
    return [Run(variant, seed) for seed in seeds for variant in variants]


def train_all(
    recipe: Recipe, wanted: Sequence[Run], *, seconds: float | None = None, report: Callable[[str], None]
) -> dict[str, str]:
    """Train what of `wanted` is not finished, each into a folder of its name under `recipe.out`.

    After `seconds`, runs that are not through are stopped, and keep their state. Returns the names of those that are
    not finished, with why. Raises ValueError where a finished one was trained for another number of steps, and where
    `init` is not all that a flow is built on.
    """
    found = parts.load_parts(UniSinger(PRESETS[recipe.preset]), recipe.init)
    if found != sorted(set(parts.PARTS) - {"flow"}):
        raise ValueError(
            f"a flow is trained on codec, content and timbre alone, and given is {', '.join(found) or 'none'}"
        )
    left = [run for run in wanted if not _finished(recipe, run)]
    missing = {run.name: _LATE for run in left}
    free, end = _cards(recipe.device), None if seconds is None else time.monotonic() + seconds
    busy: dict[Connection, _Worker] = {}
    try:
        while left or busy:
            while left and free:
                worker = _Worker(recipe, left.pop(0), free.pop(0))
                busy[worker.heard] = worker
            for heard in wait(list(busy), None if end is None else max(0.0, end - time.monotonic())):
                worker = busy[heard]
                try:
                    missing[worker.run.name] = heard.recv()  # the last words of a run that fails say why
                    report(f"{worker.run.name}: {missing[worker.run.name]}")
                except EOFError:
                    worker.process.join()
                    free.append(worker.card)
                    del busy[heard]
            if end is not None and time.monotonic() >= end:
                missing |= {worker.run.name: _LATE for worker in busy.values()}
                break
    finally:
        for worker in busy.values():
            worker.process.terminate()
        for worker in busy.values():
            worker.process.join()
    return {run.name: missing[run.name] for run in wanted if not _finished(recipe, run)}


def _finished(recipe: Recipe, run: Run) -> bool:
    path = recipe.out / run.name / CHECKPOINT
    if not path.exists():
        return False
    steps = read_header(path)[1].get("steps")
    if steps != str(recipe.steps):
        raise ValueError(f"{path} was trained for {steps} steps, not {recipe.steps}: they could not be compared")
    return True


def _cards(device: str) -> list[str | None]:
    """The GPUs that may be used, as CUDA_VISIBLE_DEVICES names them; None stands for `device` itself."""
    if device not in ("auto", "cuda") or not torch.cuda.is_available():
        return [None]
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    return allowed.split(",") if allowed else [str(i) for i in range(torch.cuda.device_count())]


class _Worker:
    """A run in a process of its own, on one GPU, and what is heard of it."""

    def __init__(self, recipe: Recipe, run: Run, card: str | None) -> None:
        self.run, self.card = run, card
        context = multiprocessing.get_context("spawn")  # a forked process cannot use CUDA
        self.heard, told = context.Pipe(duplex=False)
        self.process = context.Process(target=_train, args=(recipe, run, card, told))
        self.process.start()
        told.close()  # so that the end of the process is the end of what is heard


def _train(recipe: Recipe, run: Run, card: str | None, told: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which stops its runs
    signal.signal(signal.SIGTERM, _stop)
    if card is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = card
    folder = recipe.out / run.name
    try:
        parts.train(
            "flow",
            recipe.preset,
            recipe.data,
            folder,
            recipe.init,
            seconds=None,  # the same number of steps for all
            steps=recipe.steps,
            batch=recipe.batch,
            rate=recipe.rate,
            seed=run.seed,
            device=recipe.device if card is None else "cuda",
            resume=True,
            workers=1,
            report=told.send,
            variant=run.variant,
        )
        bundle(recipe.preset, [*recipe.init, folder / parts.PART], folder)
    except KeyboardInterrupt:
        told.send("stopped")
    except Exception as error:  # whatever it is, the other runs go on
        told.send(" ".join(f"{type(error).__name__}: {error}".split()))


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: what was learned is being written
    raise KeyboardInterrupt
