"""The whole evaluation: parts of it on the test speakers of packs, in a fixed and seeded choice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from unisinger_cli.backends.juror import Juror
from unisinger_cli.corpus.resynth import world
from unisinger_cli.errors import ModelError
from unisinger_cli.evaluation import accompaniment, content, conversion, long, roundtrip, songs, speed, timbre
from unisinger_cli.evaluation.bench import Bench
from unisinger_cli.evaluation.clips import references, unheard_clips
from unisinger_cli.evaluation.findings import PARTS, Part
from unisinger_cli.evaluation.judge import Judge
from unisinger_cli.evaluation.jury import Jury
from unisinger_cli.evaluation.words import Words
from unisinger_cli.pipeline.reporter import Reporter
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import SamplerConfig

ITEMS = {"codec": 32, "content": 12, "timbre": 60, "convert": 20, "accompany": 20, "song": 20, "long": 1}
_RUN = {
    "codec": roundtrip.run,
    "content": content.run,
    "timbre": timbre.run,
    "convert": conversion.run,
    "accompany": accompaniment.run,
    "song": songs.run,
    "long": long.run,
}


def evaluate(
    studio: Studio,
    packs: Sequence[Path],
    out: Path,
    sampler: SamplerConfig,
    reporter: Reporter,
    *,
    parts: Sequence[str] = PARTS,
    items: int | None = None,
    checkpoint: str | None = None,
    threads: int = 2,
    words: Path | None = None,
    baseline: Path | None = None,
    judges: Sequence[str] = (),
) -> list[Part]:
    """Run `parts`, in their order, and write their sounds under `out`.

    The seed of `sampler` also chooses the clips. `items` overrides how many items each part makes; `checkpoint`
    is what `studio` was opened with, for the process that measures the speed; `words` is the file of a judge of words,
    `baseline` that of another codec; `judges` are commands of optional ones (see `jury`). Items that fail are told in
    their part's `failed`.

    Raises MissingExtra without resemblyzer, or for the part "content" pyworld, InputError where a pack has no test
    speaker, or the baseline is no codec of these sizes, ModelError where a judge cannot be asked.
    """
    if "content" in parts:
        world()  # what is missing is told before anything is made
    clips = unheard_clips(packs)
    listener = None if words is None else Words(words)
    rival = None if baseline is None else roundtrip.baseline_codec(studio, baseline)
    judge = Judge() if set(parts) & set(_RUN) else None
    with ExitStack() as running:
        jurors = [running.enter_context(Juror(command)) for command in judges]
        jury = Jury(jurors, clips, studio.rate, out, reporter)
        found = []
        for name in (name for name in PARTS if name in parts):
            if judge is not None and name in _RUN:
                bench = Bench(studio, judge, out, sampler, reporter, listener, packs, rival)
                found.append(jury.judge(_RUN[name](bench, clips, ITEMS[name] if items is None else items)))
                continue
            reporter.stage("timing")
            reference = references(clips, np.random.default_rng(sampler.seed))[0]
            try:
                found.append(speed.run(checkpoint, str(studio.device), threads, reference.path, sampler.steps))
            except ModelError as error:  # what the other parts found is not lost
                reporter.note(error.message)
                found.append(Part(name, (), (), (error.message,)))
        return found
