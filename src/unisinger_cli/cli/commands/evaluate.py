"""`unisinger evaluate`: how well a checkpoint does, on voices it was never trained on."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unisinger_cli.cli import options, output
from unisinger_cli.errors import InputError, PartialFailure, UsageError

if TYPE_CHECKING:
    from unisinger_cli.evaluation.record import Inquiry


class Part(str, Enum):
    codec = "codec"
    content = "content"
    timbre = "timbre"
    convert = "convert"
    accompany = "accompany"
    song = "song"
    long = "long"
    speed = "speed"


def evaluate(
    data: Annotated[
        list[Path], typer.Option("--data", metavar="PACK", help="A prepared pack with test speakers; repeatable.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="scores.json, report.html and audio/.")],
    only: Annotated[
        list[Part] | None, typer.Option("--only", help="This part alone; repeatable.  [default: all]")
    ] = None,
    items: Annotated[
        int | None,
        typer.Option("--items", min=1, max=1000, help="Of each part.  [default: what the part takes; song 20]"),
    ] = None,
    words: Annotated[
        Path | None,
        typer.Option("--words", metavar="FILE", help="A judge of words, as `unisinger train judge` makes it."),
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option("--judge", metavar="COMMAND", help="An optional judge, as those in examples/judges; repeatable."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline", metavar="FILE", help="A codec to do better than, as `unisinger train codec --plain` makes it."
        ),
    ] = None,
    ablation: Annotated[
        list[Path] | None,
        typer.Option(
            "--ablation",
            metavar="DIR|FILE",
            help="Compare the checkpoints in it, as `unisinger train ablation` makes them; repeatable.",
        ),
    ] = None,
    seed: options.Seed = 0,
    steps: options.Steps = None,
    cfg: options.Cfg = None,
    cfg_words: options.CfgWords = None,
    cfg_voice: options.CfgVoice = None,
    cfg_accomp: options.CfgAccomp = None,
    cfg_source: options.CfgSource = None,
    temperature: options.Temperature = None,
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Measure a checkpoint, each number beside a control.

    Recordings of test speakers are converted and sung with, and an independent judge (resemblyzer, in the extra
    eval) tells who is heard. With --words, a recogniser that had no part in the training counts wrong phonemes.
    With --judge, others' networks hear the same sounds: a command for each, which runs with packages and weights of its
    own.

    With --ablation, several are measured alike, and one table tells what each part of the method is worth. What is in
    --out already is not measured again.

    \b
    Examples:
      unisinger evaluate --data packs/voices --out report \\
        --words models/judge/model.safetensors
      unisinger evaluate --data packs/voices --out report --only convert --items 4
      unisinger evaluate --data packs/voices --out report --only song \\
        --judge "wavlm/bin/python examples/judges/wavlm.py weights/wavlm"
      unisinger evaluate --data packs/voices --out report --ablation runs/ablation
    """
    output.screen.json, output.screen.quiet = json, quiet
    sampler = options.sampler(seed, steps, cfg, cfg_words, cfg_voice, cfg_accomp, cfg_source, temperature=temperature)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} exists and is not a folder", "choose another name with --out")
    if ablation:
        if checkpoint is not None or only:
            raise UsageError(
                "--ablation names the checkpoints, and measures what each was trained for",
                "leave out --checkpoint and --only",
            )
    elif out.exists() and any(out.iterdir()) and not force:
        raise InputError(f"{out} is not empty", "add --force to write into it, or choose another folder with --out")

    from unisinger_cli.evaluation.record import Inquiry

    inquiry = Inquiry(data, sampler, items, words, device, threads, baseline, judge or ())
    if ablation:
        _compare(inquiry, ablation, out, force)
    else:
        _measure(inquiry, checkpoint, [part.value for part in (only or Part)], out)


def _measure(inquiry: Inquiry, checkpoint: str | None, asked: list[str], out: Path) -> None:
    from unisinger_cli.evaluation import record, report

    with output.progress() as reporter:
        parts, told = record.measure(inquiry, checkpoint, asked, out, reporter)
    output.result(output.table(report.rows(parts)), told)
    _tell_failures([text for part in parts for text in part.failed], out)


def _compare(inquiry: Inquiry, places: list[Path], out: Path, force: bool) -> None:
    from unisinger_cli.evaluation import ablation, claims

    every = ablation.contenders(places)
    with output.progress() as reporter:
        cells, verdicts, told = ablation.study(inquiry, every, out, reporter, force=force)
    output.result("\n".join([output.table(claims.rows(cells)), "", *claims.lines(verdicts)]), told)
    _tell_failures([text for run in told["runs"] for text in run["failed"]], out)


def _tell_failures(failed: list[str], out: Path) -> None:
    if failed:
        raise PartialFailure(f"{len(failed)} items failed; the first: {failed[0]}", f"the others are in {out}")
