"""`unisinger prepare songs`: a folder of anyone's recordings -> WebDataset shards that `unisinger train flow` reads."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from unisinger_cli.cli import options, output
from unisinger_cli.errors import InputError, PartialFailure

WHISPERS = ("whisper-small", "whisper-base")


def songs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Recordings, in whatever folders within.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Shards and report.json; made if missing.")],
    recogniser: Annotated[
        list[str] | None,
        typer.Option(
            "--recogniser",
            metavar="NAME",
            help="Who hears the words, the best first; repeatable: whisper-tiny, -base, -small, whisper:FILE.pt, or an "
            "entry point of the group unisinger.recognisers.  [default: whisper-small, whisper-base]",
        ),
    ] = None,
    no_words: Annotated[bool, typer.Option("--no-words", help="Ask no recogniser.")] = False,
    language: Annotated[
        str | None, typer.Option("--language", metavar="CODE", help="Such as en, de, zh.  [default: guessed]")
    ] = None,
    solo: Annotated[bool, typer.Option("--solo", help="All are voices alone: nothing is separated.")] = False,
    separator_weights: Annotated[
        Path | None,
        typer.Option("--separator-weights", metavar="DIR", help="Another Demucs.  [default: of `models pull`]"),
    ] = None,
    min_snr: Annotated[float, typer.Option("--min-snr", metavar="DB", help="Noisier recordings are dropped.")] = 6.0,
    min_rate: Annotated[
        int, typer.Option("--min-rate", metavar="HZ", help="Recordings of a lower rate are dropped.")
    ] = 32000,
    min_agreement: Annotated[
        float,
        typer.Option("--min-agreement", min=0, max=1, help="Share of words on which two recognisers agree."),
    ] = 0.5,
    licence: Annotated[str, typer.Option("--licence", metavar="TEXT", help="Of the recordings.")] = "unknown",
    shard_mb: Annotated[int, typer.Option("--shard-mb", min=1, help="Size of a shard.")] = 256,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that work at a time.")] = 2,
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="ADDRESS", help="Spread over a Ray cluster: its address, auto, or local."),
    ] = None,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Turn recordings found anywhere into training data: the paper's pipeline.

    Each recording passes a noise filter, is separated into voice and accompaniment, cut where the voice pauses,
    transcribed by the vote of all recognisers, described, and encoded. What is dropped is counted by its reason.
    Interrupted runs go on where they were; new recordings in FOLDER are added. A file that cannot be read is told and
    skipped (exit code 7).

    \b
    Examples:
      unisinger prepare songs recordings -o shards --workers 8
      unisinger prepare songs recordings -o shards --ray auto \\
        --recogniser whisper-small --recogniser mine
      unisinger train flow --data shards --out runs/flow \\
        --init runs/codec/part.safetensors
    """
    output.screen.json, output.screen.quiet = json, quiet
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", "give the folder that holds the recordings")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} exists and is not a folder", "choose another name with --out")
    from unisinger_cli.backends.device import pick
    from unisinger_cli.corpus.harvest import FAILED, REPORT, Harvest, harvest, recordings
    from unisinger_cli.corpus.wild import Settings
    from unisinger_cli.pipeline.studio import DEBUG, Studio, bundled_checkpoint
    from unisinger_cli.training.features import ClipEncoder

    recordings(folder)
    studio = Studio.open(checkpoint, device=device, threads=1)  # tells what is wrong with a checkpoint
    file = str(bundled_checkpoint() if checkpoint is None else checkpoint)
    where = str(pick(device, 1))
    encoder = ClipEncoder(DEBUG if checkpoint == DEBUG else str(Path(file).absolute()), where)
    settings = Settings(
        name=folder.resolve().name,
        recognisers=() if no_words else tuple(recogniser or WHISPERS),
        language=language,
        separator=separator_weights,
        solo=solo,
        least_snr=min_snr,
        least_rate=min_rate,
        least_agreement=min_agreement,
        licence=licence,
    )
    plan = Harvest(folder.absolute(), out.absolute(), settings, encoder, where, shard_mb << 20)
    plan.tools()  # what is missing is told before hours of work, not after
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    summary = harvest(plan, workers=workers, ray=ray, about={"checkpoint": studio.sha256}, report=output.say)
    encoder.write_silence(out)
    for note in studio.notes:
        output.say(f"note: {note}")
    output.say(output.table(_rows(summary)))
    output.say(f"{summary['seconds'] / 60:.1f} minutes of recordings, {time.monotonic() - began:.0f} s")
    output.result(str(out), {"output": str(out), **summary})
    failed = [drop for drop in summary["drops"] if drop["dropped"] == FAILED]
    if failed:
        what = f"{len(failed)} of {summary['recordings']} recordings failed; the first: {failed[0]['detail']}"
        raise PartialFailure(what, f"the others are in {out}; {out / REPORT} names all")


def _rows(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The table at the end: what became of recordings and segments."""
    rows = [("", "recordings", "segments"), ("found", str(summary["recordings"]), str(summary["segments"]))]
    recordings, segments = summary["dropped"], summary["segments_dropped"]
    for reason in sorted({*recordings, *segments}):
        rows.append((f"- {reason}", str(recordings.get(reason, "")), str(segments.get(reason, ""))))
    return [*rows, ("= kept", str(summary["kept"]), str(summary["samples"]))]
