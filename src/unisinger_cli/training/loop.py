"""The one training loop: time or step budget, learning rate, average, log, save, resume, one GPU or several.

A *trainee* (one module per trained part beside this file) says what its phases are and what is worth keeping; the
loop knows nothing else of it. State is kept as safetensors, so that a cut run goes on where it was.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from unisinger_cli.training.ema import Ema
from unisinger_cli.training.optim import Phase, Step, learning_rate

STATE, LOG = "state.safetensors", "log.jsonl"


class Trainee(Protocol):
    """What the loop asks of a part in training."""

    model: nn.Module  # whose weights are averaged and saved
    beside: Mapping[str, nn.Module] = MappingProxyType({})  # what learns with it, and is kept for a resumed run alone

    def phases(self, progress: float) -> list[Phase]:
        """Phases at this share of the run; a new list (not equal to the last) starts a new `Step`."""
        ...

    def advance(self, progress: float, step: int) -> None:
        """Called before every logged stretch: move curricula along (in place, tensors only)."""

    def held_out(self) -> Mapping[str, float]:
        """Losses on what is not learned from, for the log; of a part without such data, none."""
        return {}


def distributed() -> tuple[int, int]:
    """(rank, world) as torchrun set them; initialises the process group on first use."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return (torch.distributed.get_rank(), world) if world > 1 else (0, 1)


def leave() -> None:
    """Undo `distributed`. A process that ends while its group is alive is torn down with threads that still wait for
    the others."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def pick_device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        local = int(os.environ.get("LOCAL_RANK", "0"))
        torch.cuda.set_device(local)
        return torch.device("cuda", local)
    return torch.device(name)


def _wrap(phases: list[Phase], world: int) -> list[Phase]:
    if world == 1:
        return phases
    from torch.nn.parallel import DistributedDataParallel

    return [replace(p, module=DistributedDataParallel(p.module, find_unused_parameters=True)) for p in phases]


def save_whole(tensors: dict[str, Tensor], path: Path, about: dict[str, str]) -> None:
    """Tensors and what there is to tell about them as one safetensors file, written beside and renamed."""
    temporary = path.with_suffix(".part")
    save_file(tensors, temporary, metadata=about)
    temporary.replace(path)


def save_state(path: Path, trainee: Trainee, ema: Ema, step: int, elapsed: float) -> None:
    """Weights, averages, and the weights of what learns beside, as one safetensors file."""
    states = {"model": trainee.model.state_dict(), "ema": ema.state()}
    states |= {f"beside.{name}": module.state_dict() for name, module in trainee.beside.items()}
    tensors = {f"{name}.{k}": v.contiguous() for name, state in states.items() for k, v in state.items()}
    save_whole(tensors, path, {"step": str(step), "elapsed": str(elapsed)})


def steps_done(out: Path) -> int:
    """How many steps the run in `out` has made; 0 where none began."""
    from safetensors import safe_open

    state = out / STATE
    if not state.exists():
        return 0
    with safe_open(state, "pt") as handle:
        return int(handle.metadata()["step"])


def load_state(path: Path, trainee: Trainee, ema: Ema) -> tuple[int, float]:
    """Undo `save_state`; returns (step, seconds trained)."""
    from safetensors import safe_open

    with safe_open(path, "pt") as handle:
        metadata = handle.metadata()
    tensors = load_file(path)
    trainee.model.load_state_dict(_of(tensors, "model"))
    ema.load(_of(tensors, "ema"))
    for name, module in trainee.beside.items():
        if kept := _of(tensors, f"beside.{name}"):  # older states have none
            module.load_state_dict(kept)
    return int(metadata["step"]), float(metadata["elapsed"])


def _of(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The one of the states in a file of `save_state` that bears this name."""
    return {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}


def take_average(model: nn.Module, out: Path) -> None:
    """Put the averaged weights of the run in `out` in place of the live ones."""
    model.load_state_dict(_of(load_file(out / STATE), "ema"), strict=False)


def run(
    trainee: Trainee,
    out: Path,
    *,
    device: torch.device,
    seconds: float | None = None,
    steps: int | None = None,
    rate: float = 1.0,
    ema_decay: float = 0.998,
    graph: bool = True,
    resume: bool = False,
    log_every: float = 10.0,
    save_every: float = 90.0,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, float]:
    """Train until `seconds` or `steps` (the earlier) are over; returns the last averaged losses. `rate` scales the
    learning rates of all phases, from the first step to the last.

    Writes `out/state.safetensors` and `out/log.jsonl`. With `resume`, goes on from the state there, and the budget
    counts from the beginning of the first run. Raises ValueError without a budget, FloatingPointError on a
    loss that is not finite (the last good state stays on disk).
    """
    if seconds is None and steps is None:
        raise ValueError("training needs a budget: seconds or steps")
    rank, world = distributed()
    out.mkdir(parents=True, exist_ok=True)
    state, log = out / STATE, out / LOG
    ema = Ema(trainee.model, ema_decay)
    step, before = load_state(state, trainee, ema) if resume and state.exists() else (0, 0.0)
    began, logged, saved = time.monotonic(), time.monotonic(), time.monotonic()
    first, sums, count = step, {}, 0
    current: list[Phase] = []
    stepper: Step | None = None
    means: dict[str, float] = {}
    finite = True
    try:
        while True:
            elapsed = before + time.monotonic() - began
            progress = max(elapsed / seconds if seconds else 0.0, step / steps if steps else 0.0)
            if world > 1:  # one clock for all: whoever stops a step earlier leaves the others waiting
                shared = torch.tensor(progress, dtype=torch.float64, device=device)
                torch.distributed.broadcast(shared, 0)
                progress = float(shared)
            if progress >= 1:
                break
            trainee.advance(progress, step)
            phases = trainee.phases(progress)
            if [p.name for p in phases] != [p.name for p in current] or stepper is None:
                current, stepper = phases, Step(_wrap(phases, world), device, ema, graph and world == 1)
            stepper.set_rate(rate * learning_rate(progress, step))
            ema.schedule(step)
            losses = stepper.replay()
            step, count = step + 1, count + 1
            for name, value in losses.items():
                sums[name] = sums[name] + value if name in sums else value.clone()
            now = time.monotonic()
            if now - logged > log_every or (steps is not None and step == steps):
                means = {name: float(value) / count for name, value in sums.items()}
                speed = (step - first) / max(1e-9, time.monotonic() - began)  # steps a second
                if rank == 0:
                    means |= {f"held-out/{name}": value for name, value in trainee.held_out().items()}
                    with log.open("a") as lines:
                        lines.write(
                            json.dumps({"step": step, "seconds": round(elapsed, 1), "rate": speed, **means}) + "\n"
                        )
                    report(
                        f"step {step}  {elapsed:.0f} s  {speed:.1f}/s  "
                        + "  ".join(f"{k} {v:.4g}" for k, v in means.items())
                    )
                finite = all(math.isfinite(v) for v in means.values())
                if not finite:
                    raise FloatingPointError(f"loss is not finite at step {step}; {state} holds the last good state")
                logged, sums, count = now, {}, 0
            if now - saved > save_every and rank == 0:
                save_state(state, trainee, ema, step, elapsed)
                saved = now
    finally:  # a run that is stopped, by a signal too, keeps what it learned
        if rank == 0 and finite:
            save_state(state, trainee, ema, step, before + time.monotonic() - began)
    return means
