"""How long a job will take, and how much memory, before it is done: what it consists of, times how fast that is."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from unisinger_cli.audio import Tape, examine
from unisinger_cli.pipeline.plan import planned
from unisinger_cli.pipeline.receipt import peak_memory
from unisinger_cli.pipeline.reference import reference
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import ConvertRequest, Job, SongRequest
from unisinger_cli.stages import guidance, sample
from unisinger_cli.stages.decode import decode
from unisinger_cli.types import Condition, SongPlan

_PROBE = 192  # latent frames that are decoded to see how fast that is, 4.5 s
# What listening, mastering, measuring and writing cost, in times of decoding one group, fitted on the `stages` of
# receipts (song and convert, 15 to 60 s, on two cores).
_AROUND_SONG, _AROUND_CONVERT = 1.4, 1.9
# MiB over what a loaded model takes, fitted on `peak_memory_mib` of the same: the passes of the flow over up to four
# windows at once, and the limiter and the measuring of a minute or more.
_WORKING, _A_WINDOW = 100.0, 45.0


@dataclass(frozen=True)
class Estimate:
    """Of a job: seconds of sound, seconds of work, MiB at most; and the plan, where a song is composed."""

    sound: float
    seconds: float
    memory_mib: float | None
    plan: SongPlan | None = None


def estimate(studio: Studio, job: Job, began: float) -> Estimate:
    """What a job will take on this machine, with the model loaded at time.monotonic `began` and since.

    A second or two: one pass of the flow and one stretch of the decoder are timed. Separation is not in it.
    """
    request, plan = job.request, None
    if isinstance(request, SongRequest):
        voice = reference(studio, request.ref) if request.ref else None
        plan, _ = planned(request, voice)
        sound, groups, around = plan.seconds, 2, _AROUND_SONG
    else:
        sound = examine(request.source)
        groups = 2 if request.accomp == "new" else 1
        around = _AROUND_CONVERT
    before = time.monotonic() - began
    frames = int(sound * studio.frame_rate) + 1
    passes = _passes(request, groups)
    windows = len(sample.windows_over(frames, studio.config.flow))
    a_pass, a_frame = _speed(studio, min(frames, studio.config.flow.window))
    each = windows * passes * a_pass + frames * a_frame * groups * (1 + around)
    base = peak_memory()
    room = None if base is None else base + _WORKING + _A_WINDOW * min(windows, sample.TOGETHER)
    return Estimate(sound, before + job.takes * each, room, plan)


def _passes(request: SongRequest | ConvertRequest, groups: int) -> int:
    """How often the network is asked about a window: at each step once, and once more without each condition that
    guides there."""
    sampler = request.sampler
    there = {"phoneme_on" if isinstance(request, SongRequest) else "semantic_on"}
    if not isinstance(request, SongRequest):
        there |= {"speaker_on", guidance.SOURCE}
    elif request.ref:
        there.add("speaker_on")
    if groups == 2:
        there.add("instruct_on+score_on")
    passes = 0
    for t in np.arange(sampler.steps) / sampler.steps:
        passes += 1 + len(there & guidance.guides(sampler, t).keys())
    return passes


def _speed(studio: Studio, frames: int) -> tuple[float, float]:
    """Seconds of a pass over one window, and of decoding one latent frame; the second try of each counts."""
    import torch

    config = studio.config
    nothing = np.zeros(frames, dtype=np.float32)
    given = Condition(0, frames, config.flow.groups, nothing.astype(np.int64), None, nothing, None, None, None)
    even = frames + frames % config.flow.patch
    conditions = studio.model.flow.prepare(sample.as_tensors(studio.model, given, even))
    latent = torch.zeros(1, len(config.flow.groups), even, config.codec.channels, device=studio.device)
    tape = Tape(config.codec.channels, 1)
    tape.append(np.zeros((config.codec.channels, _PROBE), dtype=np.float32))
    tries = []
    with torch.inference_mode():
        for _ in range(3):
            times = [time.monotonic()]
            studio.model.flow.velocity(latent, 0.5, conditions)
            times.append(time.monotonic())
            decode(studio.model, tape, np.full(_PROBE, 200.0, dtype=np.float32))
            times.append(time.monotonic())
            tries.append(np.diff(times))
    one, other = np.median(tries[1:], axis=0)
    return float(one), float(other) / _PROBE
