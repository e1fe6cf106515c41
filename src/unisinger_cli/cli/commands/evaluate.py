"""`unisinger evaluate`: how well a checkpoint does, on voices it was never trained on."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from unisinger_cli import strict_json
from unisinger_cli.cli import options, output
from unisinger_cli.errors import InputError, PartialFailure

THREADS = 2  # the machine that the bars are set for


class Part(str, Enum):
    codec = "codec"
    content = "content"
    timbre = "timbre"
    convert = "convert"
    song = "song"
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
        typer.Option("--items", min=1, max=1000, help="Of each part.  [default: what the part takes; song 6]"),
    ] = None,
    words: Annotated[
        Path | None,
        typer.Option("--words", metavar="FILE", help="A judge of words, as `unisinger train judge` makes it."),
    ] = None,
    seed: options.Seed = 0,
    steps: options.Steps = None,
    cfg: options.Cfg = None,
    cfg_words: options.CfgWords = None,
    cfg_voice: options.CfgVoice = None,
    cfg_accomp: options.CfgAccomp = None,
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

    \b
    Examples:
      unisinger evaluate --data packs/voices --words models/judge/model.safetensors --out report
      unisinger evaluate --data packs/voices --out report --only convert --items 4
    """
    output.screen.json, output.screen.quiet = json, quiet
    sampler = options.sampler(seed, steps, cfg, cfg_words, cfg_voice, cfg_accomp)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} exists and is not a folder", "choose another name with --out")
    if out.exists() and any(out.iterdir()) and not force:
        raise InputError(f"{out} is not empty", "add --force to write into it, or choose another folder with --out")

    from unisinger_cli.evaluation import report
    from unisinger_cli.evaluation.findings import as_data
    from unisinger_cli.evaluation.suite import evaluate as measure
    from unisinger_cli.pipeline.receipt import versions
    from unisinger_cli.pipeline.studio import Studio

    asked = [part.value for part in (only or Part)]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as made, output.progress() as reporter:
        work = Path(made) / "report"  # a folder of usual permissions
        work.mkdir()
        reporter.stage("loading")
        studio = Studio.open(checkpoint, device=device, threads=threads)
        parts = measure(
            studio,
            data,
            work,
            sampler,
            reporter,
            parts=asked,
            items=items,
            checkpoint=checkpoint,
            threads=THREADS if threads is None else threads,
            words=words,
        )
        reporter.stage("drawing")
        drawn = report.pictures(studio, parts, work)
        record = {
            "schema": 1,
            "output": str(out),
            "model": {"name": studio.name, "sha256": studio.sha256},
            "device": str(studio.device),
            "data": [str(pack) for pack in data],
            "sampler": asdict(sampler),
            "versions": versions(),
            "parts": as_data(parts),
        }
        about = {
            "model": f"{studio.name}, sha256 {studio.sha256}",
            "sampler": ", ".join(f"{name} {value}" for name, value in asdict(sampler).items()),
            "voices": "test speakers, never trained on; everything but `source`, `reference`, `original` is synthetic",
        }
        (work / "report.html").write_text(report.page("unisinger evaluate", about, parts, drawn), encoding="utf-8")
        (work / "scores.json").write_text(strict_json.dumps(record, indent=1) + "\n", encoding="utf-8")
        shutil.copytree(work, out, dirs_exist_ok=True)
    for note in studio.notes:
        output.say(f"note: {note}")
    output.result(output.table(report.rows(parts)), record)
    failed = [text for part in parts for text in part.failed]
    if failed:
        raise PartialFailure(f"{len(failed)} items failed; the first: {failed[0]}", f"the others are in {out}")
