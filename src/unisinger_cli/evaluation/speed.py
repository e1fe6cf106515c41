"""The part "speed": how long a song of half a minute takes, and how much memory, in a process of its own; how much more
one of three minutes takes; and how large the checkpoint is, and how long it takes to load."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from unisinger_cli.errors import ModelError
from unisinger_cli.evaluation.findings import Item, Part, Score
from unisinger_cli.pipeline.studio import DEBUG, bundled_checkpoint

LINES, MANY = 4, 29  # of two bars each; at BPM, with a bar before and after, they make half a minute, and three minutes
BPM = 80.0
MOST_MEMORY = 2.5e9 / 2**20  # MiB
MOST_GROWTH = 1.1  # times the memory of half a minute that three minutes take
MOST_SIZE, LONGEST_LOAD = 32.0, 2.0  # MiB of a checkpoint, s
LINE = "the river runs below the bridge at night"


def run(checkpoint: str | None, device: str, threads: int, reference: Path, steps: int) -> Part:
    """Sing for half a minute in a fresh process, after a short song that loads all there is to load."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "speed.json"
        arguments = [json.dumps([checkpoint, device, threads, str(reference), steps, str(told)])]
        done = subprocess.run(
            [sys.executable, "-m", "unisinger_cli.evaluation.speed", *arguments], capture_output=True, text=True
        )
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            raise ModelError(f"the song that measures the speed failed: {last[0]}")
        found = json.loads(told.read_text(encoding="utf-8"))
    stages = {f"{name}_seconds": value for name, value in found["stages"].items()}
    values = {
        name: found[name] for name in ("seconds_of_song", "seconds", "warm_up_seconds", "seconds_of_long_song")
    } | stages
    item = Item(f"{found['seconds_of_song']:.1f} s of song, {threads} threads, {device}", values)
    scores = [
        Score("real_time_factor", found["seconds"] / found["seconds_of_song"], at_most=1.0),
        Score("peak_memory_mib", found["peak_memory_mib"], at_most=MOST_MEMORY),
        Score("memory_of_three_minutes", found["growth"], 1.0, "half a minute", at_most=MOST_GROWTH),
        Score("loading_seconds", found["loading_seconds"], at_most=LONGEST_LOAD),
    ]
    if checkpoint != DEBUG:
        size = (bundled_checkpoint() if checkpoint is None else Path(checkpoint)).stat().st_size / 2**20
        scores.append(Score("checkpoint_mib", size, at_most=MOST_SIZE))
    return Part("speed", tuple(scores), (item,))


def measure(checkpoint: str | None, device: str, threads: int, reference: str, steps: int, told: str) -> None:
    """What the fresh process does; the numbers go to the file `told`."""
    from unisinger_cli.pipeline.receipt import peak_memory
    from unisinger_cli.pipeline.reporter import Silent
    from unisinger_cli.pipeline.song import song
    from unisinger_cli.pipeline.studio import Studio
    from unisinger_cli.requests import SamplerConfig, SongRequest, one_voice

    import_module("unisinger_cli.model.checkpoint")  # torch is no part of the checkpoint
    began = time.monotonic()
    studio = Studio.open(checkpoint, device=device, threads=threads)
    loading = time.monotonic() - began

    def timed(lines: int, sampler: SamplerConfig) -> tuple[float, float, dict[str, float]]:
        began = time.monotonic()
        request = SongRequest("\n".join([LINE] * lines), one_voice(Path(reference)), bpm=BPM, sampler=sampler)
        result = song(studio, request, Silent())
        return time.monotonic() - began, result.stems.mix.seconds, result.seconds_by_stage

    warm_up, _, _ = timed(1, SamplerConfig(steps=1))
    seconds, length, stages = timed(LINES, SamplerConfig(steps=steps))
    peak = peak_memory()
    _, longer, _ = timed(MANY, SamplerConfig(steps=1))  # steps take time, and no memory
    most = peak_memory()
    found = {
        "seconds_of_long_song": longer,
        "growth": most / peak if most and peak else None,
        "seconds": seconds,
        "seconds_of_song": length,
        "warm_up_seconds": warm_up,
        "loading_seconds": loading,
        "stages": stages,
        "peak_memory_mib": peak,
    }
    Path(told).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    measure(*json.loads(sys.argv[1]))
