"""`unisinger train`: one step on the way from prepared packs to a checkpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from unisinger_cli.cli import options, output
from unisinger_cli.cli.commands.train_composer import train_composer
from unisinger_cli.cli.commands.train_steps import Preset, Split, Step, Variant, heeded, trainable
from unisinger_cli.errors import InputError, PartialFailure, UsageError


def train(
    step: Annotated[
        Step,
        typer.Argument(
            metavar="STEP",
            show_choices=False,
            help="aligner, codec, decoder, content, timbre, features, listener, flow, bundle, in the order in which a "
            "checkpoint is made; judge; composer; ablation; curves.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where its results and its log go.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="A prepared pack (listener, flow: encoded features; curves: a run's folder); repeatable.",
        ),
    ] = None,
    init: Annotated[
        list[Path] | None,
        typer.Option("--init", metavar="FILE", help="Weights of parts that this step builds on; repeatable."),
    ] = None,
    preset: Annotated[Preset, typer.Option("--preset", help="Sizes of the networks.")] = Preset.mini,
    seconds: Annotated[float | None, typer.Option("--seconds", min=1, help="Time budget.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Step budget.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Clips at once.  [default: by part]")] = None,
    rate: Annotated[
        float, typer.Option("--rate", min=0.0, help="Times the usual learning rates; under 1 to go on gently.")
    ] = 1.0,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the state in --out.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that decode audio.")] = 2,
    warp: Annotated[
        list[int] | None,
        typer.Option("--warp", min=-12, max=12, help="For features: also so many semitones higher; repeatable."),
    ] = None,
    lieder: Annotated[
        Path | None, typer.Option("--lieder", metavar="DIR", help="For composer: scores, with index.jsonl.")
    ] = None,
    pop909: Annotated[Path | None, typer.Option("--pop909", metavar="ZIP", help="For composer: POP909.")] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="For composer: measure the one in --out on scores never learned from.")
    ] = False,
    variant: Annotated[
        list[Variant] | None,
        typer.Option(
            "--variant", help="For flow: the method without one part of it. For ablation: these alone; repeatable."
        ),
    ] = None,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain", help="For codec: no harmonics, levels or adversary; the baseline of `unisinger evaluate`."
        ),
    ] = False,
    listener: Annotated[
        Path | None,
        typer.Option("--listener", metavar="FILE", help="For flow: lessons in others' voices, by this listener."),
    ] = None,
    lesson_rate: Annotated[
        float | None,
        typer.Option(
            "--lesson-rate",
            min=0.0,
            max=10.0,
            help="For flow: learning rate of lessons, of that of recordings; 0.3 if not given. The more, "
            "the nearer to other voices and the further from what was recorded.",
        ),
    ] = None,
    before: Annotated[
        Path | None,
        typer.Option("--before", metavar="FILE", help="For bundle: the flow as it was before its last training."),
    ] = None,
    share: Annotated[
        float, typer.Option("--share", min=0.0, max=1.0, help="For bundle: how far from --before to the flow now.")
    ] = 1.0,
    split: Annotated[
        Split, typer.Option("--split", help="For features: of which clips; those of valid are for --held-out.")
    ] = Split.train,
    held_out: Annotated[
        list[Path] | None,
        typer.Option(
            "--held-out",
            metavar="DIR",
            help="For flow: features not to be learned from; its log tells how it does on them. Repeatable.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=100, help="For ablation: of each variant, from --seed on.")
    ] = 3,
    quiet: options.Quiet = False,
) -> None:
    """Make a checkpoint, step by step.

    It learns from packs that `unisinger prepare` wrote. Each of codec, content, timbre and flow leaves
    part.safetensors in its folder; bundle joins the four, by --before and --share with a flow on the way from one
    training to the next. decoder teaches the codec's decoder further while its latents
    stay as they are. listener, no part of the checkpoint, hears voices and words in latents; by --listener a flow takes
    lessons in singing one person's words in another's voice, which no recording shows. composer learns from scores
    alone. judge, no part of the checkpoint either, is the phoneme recogniser by which unisinger evaluate counts wrong
    words. Through torchrun, a step runs on several GPUs.

    ablation trains the flow as it is and without one part of the method each, on the GPUs that there are, one run on
    each; it goes on where it was stopped. unisinger evaluate --ablation compares what comes of it.

    curves draws the losses of the runs in --data into losses.png.

    \b
    Examples:
      unisinger train codec --data packs/real --out runs/codec --seconds 600
      unisinger train content --data packs/real --out runs/content \\
        --init runs/codec/part.safetensors
      torchrun --nproc-per-node 4 -m unisinger_cli train flow \\
        --data runs/features --out runs/flow
      unisinger train composer --lieder corpus/lieder \\
        --pop909 corpus/pop909/pop909.zip --out runs/composer
      unisinger train ablation --data runs/features --out runs/ablation \\
        --init runs/codec/part.safetensors --init runs/content/part.safetensors \\
        --init runs/timbre/part.safetensors --steps 4000 --seconds 3600
    """
    output.screen.quiet = quiet
    warps = warp or []
    of_scores = {"--lieder": lieder is not None, "--pop909": pop909 is not None, "--measure": measure}
    for option, given in of_scores.items():
        heeded(step, option, given, by=(Step.composer,), why="only a composer learns from scores")
    heeded(step, "--warp", bool(warps), by=(Step.features,), why="only features are made of moved recordings")
    if 0 in warps:
        raise UsageError("--warp 0 is a recording as it is, which is learned from anyway", "leave it out")
    if step is Step.composer:
        train_composer(lieder, pop909, out, seed, measure)
        return
    packs, files = data if data is not None else [], init if init is not None else []
    variants = [one.value for one in variant or []]
    further = [path for path in (listener, before) if path is not None]
    unlearned = held_out if held_out is not None else []
    trainable(step, [*packs, *unlearned], [*files, *further], seconds, steps, variants)
    heeded(step, "--listener", listener is not None, by=(Step.flow,), why="only a flow takes lessons")
    if lesson_rate is not None and listener is None:
        raise UsageError("--lesson-rate is of lessons, and there are none", "give a --listener, too")
    if (before is not None or share != 1.0) and (step is not Step.bundle or before is None):
        raise UsageError("--share is of the way from --before, in a bundle", "give both to bundle, or neither")
    heeded(step, "--plain", plain, by=(Step.codec,), why="only a codec can be a baseline")
    heeded(
        step, "--split", split is not Split.train, by=(Step.features,), why="only features are made of the valid split"
    )
    heeded(step, "--held-out", bool(unlearned), by=(Step.flow,), why="only a flow is measured while it learns")

    from unisinger_cli.model.config import PRESETS
    from unisinger_cli.model.unisinger import UniSinger
    from unisinger_cli.training import (
        ablation,
        aligner,
        bundle,
        curriculum,
        curves,
        features,
        flow,
        loop,
        parts,
        recogniser,
    )

    say = output.say
    try:
        if step is Step.bundle:
            bundle.bundle(preset.value, files, out, before=before, share=share)
        elif step is Step.curves:
            curves.draw_curves(packs, out)
        elif step is Step.features:
            model, where = UniSinger(PRESETS[preset.value]), loop.pick_device(device)
            parts.load_parts(model, files)
            features.encode_packs(
                model.to(where),
                packs,
                out,
                device=where,
                workers=workers,
                warps=warps,
                split=split.value,
                report=say,
            )
        elif step is Step.aligner:
            aligner.train_aligner(
                PRESETS[preset.value],
                packs,
                out,
                device=loop.pick_device(device),
                workers=workers,
                report=say,
            )
        elif step is Step.judge:
            recogniser.train_recogniser(
                packs,
                out,
                files,
                seconds=seconds,
                steps=steps,
                batch=batch,
                rate=rate,
                seed=seed,
                device=device,
                resume=resume,
                workers=workers,
                report=say,
            )
        elif step is Step.ablation:
            assert steps is not None  # checked
            recipe = ablation.Recipe(preset.value, packs, files, out, steps, batch, rate, device)
            wanted = ablation.runs(variants or list(curriculum.VARIANTS), range(seed, seed + seeds))
            left = ablation.train_all(recipe, wanted, seconds=seconds, report=say)
            if left:
                why = "; ".join(f"{name}: {reason}" for name, reason in left.items())
                raise PartialFailure(f"{len(left)} of {len(wanted)} runs are not finished: {why}", "run it again")
        else:
            parts.train(
                step.value,
                preset.value,
                packs,
                out,
                files,
                seconds=seconds,
                steps=steps,
                batch=batch,
                rate=rate,
                seed=seed,
                device=device,
                resume=resume,
                workers=workers,
                report=say,
                variant=variants[0] if variants else curriculum.FULL,
                plain=plain,
                listener=listener,
                lesson_rate=flow.LESSON_RATE if lesson_rate is None else lesson_rate,
                held_out=unlearned,
            )
    except ValueError as error:  # the networks and the loop know none of our errors
        raise InputError(str(error)) from error
    if os.environ.get("RANK", "0") == "0":  # one of torchrun's processes speaks for all
        output.result(str(out), {"schema": 1, "output": str(out)})
