"""`unisinger convert`: the same singing by another voice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from unisinger_cli.cli import checks, completion, options, output
from unisinger_cli.cli.perform import perform_takes, tell_ahead
from unisinger_cli.errors import UsageError
from unisinger_cli.requests import ConvertRequest, Job, SamplerConfig


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The recording: a solo vocal, or a mix.")],
    target: Annotated[
        str,
        typer.Option(
            "--target",
            "-t",
            metavar="WAV|NAME",
            autocompletion=completion.voices,
            help="The new voice: a recording, 1 s or more, a saved voice, a voice file, or a blend: anna:0.7,ben:0.3.",
        ),
    ],
    with_accomp: Annotated[
        bool, typer.Option("--with-accomp", help="Make a new accompaniment for the converted vocal.")
    ] = False,
    keep_accomp: Annotated[bool, typer.Option("--keep-accomp", help="Keep the accompaniment of a mix.")] = False,
    transpose: Annotated[
        str,
        typer.Option(
            "--transpose",
            metavar="auto|N",
            help="Semitones; auto suits the voice: speech to its pitch, singing by octaves, and with a new "
            "accompaniment to concert pitch.",
        ),
    ] = "auto",
    separate: Annotated[
        bool | None,
        typer.Option("--separate/--no-separate", help="Take the vocal out of the mix first.  [default: where needed]"),
    ] = None,
    style: options.Style = "",
    seed: options.Seed = 0,
    steps: options.Steps = None,
    cfg: options.Cfg = None,
    cfg_words: options.CfgWords = None,
    cfg_voice: options.CfgVoice = None,
    cfg_accomp: options.CfgAccomp = None,
    cfg_source: options.CfgSource = None,
    temperature: options.Temperature = None,
    take: options.Take = 0,
    takes: options.Takes = 1,
    pick: options.Pick = "best",
    out: options.Output = None,
    bits: options.Bits = None,
    report: options.Report = False,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Sing a recording again in another voice.

    The vocal alone, or with a new or the old accompaniment. Use a voice only with the consent of the person it
    belongs to.

    \b
    Examples:
      unisinger convert vocal.wav --target me.wav -o mine.wav
      unisinger convert vocal.wav --target me.wav --with-accomp --style guitar
      unisinger convert song.mp3 --target me.wav --keep-accomp --transpose -3
      unisinger convert vocal.wav --target me.wav --takes 4 --pick all
    """
    output.screen.json, output.screen.quiet = json, quiet
    if with_accomp and keep_accomp:
        raise UsageError("--with-accomp and --keep-accomp exclude each other", "give one of them, or neither")
    request = ConvertRequest(
        source=source,
        target=checks.voice(target),
        accomp="new" if with_accomp else "keep" if keep_accomp else "none",
        transpose=options.semitones(transpose),
        separate=separate,
        style=style,
        sampler=options.sampler(seed, steps, cfg, cfg_words, cfg_voice, cfg_accomp, cfg_source, take, temperature),
    )
    checks.recording(source)
    path = Path(f"{source.stem}.converted.wav") if out is None else out
    inputs = {"source": source} | checks.voice_inputs("target", request.target)
    stems = ("vocal", "accomp") if with_accomp or keep_accomp else ("vocal",)

    def job_at(place: Path, sampler: SamplerConfig) -> Job:
        files = checks.outputs(place, stems, force=force, inputs=list(inputs.values()), report=report)
        return Job(replace(request, sampler=sampler), files, inputs, checks.bits(bits, place), overwrite=force)

    act = tell_ahead if dry_run else perform_takes
    act(job_at, path, request.sampler, takes, pick, checkpoint=checkpoint, device=device, threads=threads)
