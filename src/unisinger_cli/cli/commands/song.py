"""`unisinger song`: lyrics, and a voice to sing them, to a song."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from unisinger_cli.cli import checks, completion, options, output
from unisinger_cli.cli.perform import perform_takes, tell_ahead
from unisinger_cli.requests import Job, SamplerConfig, SongRequest


def song(
    lyrics: Annotated[
        Path | None,
        typer.Option("--lyrics", "-l", metavar="FILE", help="Words to sing: plain text, [verse] headers, or LRC."),
    ] = None,
    melody: options.Melody = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="JSON", help="Sing a plan of `unisinger plan`, or the song of a receipt."),
    ] = None,
    ref: options.Ref = None,
    style: options.Style = "",
    language: options.Language = "en",
    bpm: options.Bpm = None,
    key: options.Key = None,
    seed: options.Seed = 0,
    steps: options.Steps = None,
    cfg: options.Cfg = None,
    cfg_words: options.CfgWords = None,
    cfg_voice: options.CfgVoice = None,
    cfg_accomp: options.CfgAccomp = None,
    temperature: options.Temperature = None,
    take: options.Take = 0,
    takes: options.Takes = 1,
    pick: options.Pick = "best",
    out: options.Output = None,
    bits: options.Bits = None,
    report: options.Report = False,
    export: Annotated[
        str | None,
        typer.Option(
            "--export",
            metavar="LIST",
            autocompletion=completion.exports,
            help="Also write NAME.mid and so on: mid,lrc,srt,musicxml,plan.",
        ),
    ] = None,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Sing lyrics, with an accompaniment.

    In the voice of a recording, or in any voice without --ref. Use a voice only with the consent of the person
    it belongs to.

    \b
    Examples:
      unisinger song --lyrics words.txt --ref me.wav -o song.wav
      unisinger song --lyrics words.txt --style "slow piano ballad" --bpm 70
      unisinger song --lyrics words.txt --melody hum.wav --ref me.wav --export mid
      unisinger song --plan plan.json --ref me.wav
      unisinger song --lyrics words.txt --ref me.wav --takes 5 --pick best
    """
    output.screen.json, output.screen.quiet = json, quiet
    voice = () if ref is None else checks.voice(ref)
    request = SongRequest(
        lyrics="" if lyrics is None else checks.lyrics_text(lyrics),
        ref=voice,
        style=style,
        language=language,
        bpm=bpm,
        key=key,
        lyrics_name=str(lyrics),
        melody=melody,
        plan=plan,
        sampler=options.sampler(seed, steps, cfg, cfg_words, cfg_voice, cfg_accomp, take=take, temperature=temperature),
    )
    checks.plannable(request)
    given = {"lyrics": lyrics, "melody": melody, "plan": plan}
    inputs = {name: path for name, path in given.items() if path is not None} | checks.voice_inputs("ref", voice)
    path = Path("song.wav") if out is None else out

    def job_at(place: Path, sampler: SamplerConfig) -> Job:
        files = checks.outputs(place, ("vocal", "accomp"), force=force, inputs=list(inputs.values()), report=report)
        files |= checks.exports(place, export, force=force, inputs=list(inputs.values()))
        return Job(replace(request, sampler=sampler), files, inputs, checks.bits(bits, place), overwrite=force)

    act = tell_ahead if dry_run else perform_takes
    act(job_at, path, request.sampler, takes, pick, checkpoint=checkpoint, device=device, threads=threads)
