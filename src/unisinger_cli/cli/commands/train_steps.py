"""The steps of `unisinger train`, what they can be told to do, and what each of them needs."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from unisinger_cli.errors import InputError, UsageError


class Step(str, Enum):
    """In the order in which a checkpoint is made; the judge and the ablation are no part of it."""

    aligner = "aligner"
    codec = "codec"
    decoder = "decoder"
    content = "content"
    timbre = "timbre"
    features = "features"
    listener = "listener"
    flow = "flow"
    bundle = "bundle"
    judge = "judge"
    composer = "composer"
    ablation = "ablation"
    curves = "curves"


class Preset(str, Enum):
    debug = "debug"
    mini = "mini"
    paper = "paper"


class Split(str, Enum):
    train = "train"
    valid = "valid"


class Variant(str, Enum):
    full = "full"
    no_masks = "no-masks"
    songs = "songs"
    conversion = "conversion"
    two_spaces = "two-spaces"


def trainable(
    step: Step, packs: list[Path], files: list[Path], seconds: float | None, steps: int | None, variants: list[str]
) -> None:
    """Raises UsageError where `step` lacks something or is given what it has no use for, InputError where a folder
    holds no prepared data, or a file is missing."""
    why = "a flow has variants, and a bundle takes its flow's"
    heeded(step, "--variant", bool(variants), by=(Step.flow, Step.ablation), why=why)
    if step is Step.flow and len(variants) > 1:
        raise UsageError("a flow is of one variant", "unisinger train ablation trains several")
    if step is Step.ablation and steps is None:
        raise UsageError("--steps is missing: all variants are trained for as many", "such as --steps 4000")
    if step is not Step.bundle and not packs:
        raise UsageError("--data is missing", "unisinger prepare makes packs")
    for pack in () if step is Step.curves else packs:
        if not any(pack.glob("*.jsonl")) and not (step in (Step.flow, Step.ablation) and any(pack.glob("*.tar"))):
            raise InputError(f"{pack} holds no prepared data (no .jsonl file)", "unisinger prepare makes packs")
    for file in files:
        if not file.is_file():
            raise InputError(f"{file} does not exist")
    if step not in (Step.aligner, Step.features, Step.bundle, Step.curves) and seconds is None and steps is None:
        raise UsageError("how long to train is not given", "such as --seconds 600, or --steps 8000")


def heeded(step: Step, option: str, given: bool, *, by: tuple[Step, ...], why: str) -> None:
    """Raises UsageError where an option is given to a step that does not heed it."""
    if given and step not in by:
        raise UsageError(f"{option} means nothing to {step.value}", why)
