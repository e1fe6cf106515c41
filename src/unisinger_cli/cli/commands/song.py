"""`unisinger song`: lyrics, and a voice to sing them, to a song."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unisinger_cli.cli import checks, options, output
from unisinger_cli.cli.perform import perform
from unisinger_cli.requests import Job, SongRequest


def song(
    lyrics: Annotated[
        Path,
        typer.Option("--lyrics", "-l", metavar="FILE", help="Words to sing: plain text, [verse] headers, or LRC."),
    ],
    ref: Annotated[
        str | None,
        typer.Option(
            "--ref",
            metavar="WAV|NAME",
            help="A recording of the voice, 1 s or more, a saved voice, a voice file, or a blend: anna:0.7,ben:0.3.",
        ),
    ] = None,
    style: options.Style = "",
    language: Annotated[
        str,
        typer.Option(
            "--language",
            envvar="UNISINGER_LANGUAGE",
            show_envvar=False,
            help="Of the lyrics: en, de, nl, ja, zh, tr.",
        ),
    ] = "en",
    bpm: Annotated[float | None, typer.Option("--bpm", help="Tempo, 40 to 240.  [default: composed]")] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="Such as C:maj, A:min.  [default: composed, to suit the voice]"),
    ] = None,
    seed: options.Seed = 0,
    steps: options.Steps = None,
    cfg: options.Cfg = None,
    cfg_words: options.CfgWords = None,
    cfg_voice: options.CfgVoice = None,
    cfg_accomp: options.CfgAccomp = None,
    out: options.Output = None,
    bits: options.Bits = None,
    report: options.Report = False,
    force: options.Force = False,
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
      unisinger song --lyrics words.txt --style "slow piano ballad" --bpm 70 --seed 3
    """
    output.screen.json, output.screen.quiet = json, quiet
    voice = () if ref is None else checks.voice(ref)
    request = SongRequest(
        lyrics=checks.lyrics_text(lyrics),
        ref=voice,
        style=style,
        language=language,
        bpm=bpm,
        key=key,
        lyrics_name=str(lyrics),
        sampler=options.sampler(seed, steps, cfg, cfg_words, cfg_voice, cfg_accomp),
    )
    inputs = {"lyrics": lyrics} | checks.voice_inputs("ref", voice)
    path = Path("song.wav") if out is None else out
    files = checks.outputs(path, ("vocal", "accomp"), force=force, inputs=list(inputs.values()), report=report)
    perform(Job(request, files, inputs, checks.bits(bits, path)), checkpoint=checkpoint, device=device, threads=threads)
