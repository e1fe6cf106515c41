"""`unisinger train composer`: what is learned of scores, and how well scores of others are told by it."""

from __future__ import annotations

from pathlib import Path

from unisinger_cli.cli import output
from unisinger_cli.errors import InputError, UsageError

FILE = "composer.safetensors"


def train_composer(lieder: Path | None, pop909: Path | None, out: Path, seed: int, measure: bool) -> None:
    """Write `out`/composer.safetensors from the scores of the train split; or measure the one there on the test split.

    Raises UsageError where the scores are not given, InputError where they or the composer cannot be read.
    """
    if lieder is None or pop909 is None:
        raise UsageError("--lieder or --pop909 is missing", "the composer learns from both: see models/CORPUS.md")
    if measure:
        _measure(lieder, pop909, out / FILE)
        return
    from unisinger_cli.corpus.events import events
    from unisinger_cli.corpus.scores import entries
    from unisinger_cli.corpus.splits import TRAIN
    from unisinger_cli.model.composer import save_composer
    from unisinger_cli.training.composer import learn

    learned = [entry for entry in entries(lieder, pop909) if entry.split == TRAIN]
    output.say(f"{len(learned)} scores are read")
    rows = events(learned)
    about = {"seed": seed, "scores": len(learned), "events": {name: len(found) for name, found in rows.items()}}
    try:
        composer = learn(rows, about, seed=seed, report=output.say)
    except ValueError as error:  # the networks know none of our errors
        raise InputError(str(error)) from error
    out.mkdir(parents=True, exist_ok=True)
    save_composer(composer, out / FILE)
    output.result(str(out / FILE), {"schema": 1, "output": str(out / FILE), **about})


def _measure(lieder: Path, pop909: Path, path: Path) -> None:
    from unisinger_cli.evaluation.composer import held_out
    from unisinger_cli.model.composer import load_composer

    try:
        composer = load_composer(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}", "unisinger train composer writes one") from error
    found = held_out(composer, lieder, pop909)
    titles = ("choice", "events", "learned", "unigram", "uniform", "out of order")
    rows = [titles, *((name, f"{m.events}", *(f"{n:.3f}" for n in m.nats)) for name, m in found.items())]
    data = {name: {"events": m.events, **dict(zip(titles[2:], m.nats, strict=True))} for name, m in found.items()}
    output.result(output.table(rows), {"schema": 1, "composer": str(path), "nats": data})
