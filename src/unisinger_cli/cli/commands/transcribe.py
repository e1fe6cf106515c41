"""`unisinger transcribe`: a recording to its words and their times."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from unisinger_cli import strict_json
from unisinger_cli.cli import checks, options, output
from unisinger_cli.errors import UsageError


class Model(str, Enum):
    tiny = "tiny"
    base = "base"
    small = "small"


class Format(str, Enum):
    txt = "txt"
    lrc = "lrc"
    srt = "srt"
    json = "json"


def transcribe(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The recording; a vocal without accompaniment is best.")],
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write there; .txt, .lrc, .srt or .json.  [default: show]"),
    ] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", help="Instead of what the ending of -o says.  [default: txt]")
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", metavar="CODE", help="Such as en, de, zh.  [default: guessed]")
    ] = None,
    model: Annotated[
        Model, typer.Option("--model", help="Which Whisper: the larger, the better and slower.")
    ] = Model.base,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", metavar="FILE.pt", help="Another Whisper model.  [default: of `models pull`]"),
    ] = None,
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Write down the words of a recording. The .lrc is what `unisinger song --lyrics` takes.

    \b
    Examples:
      unisinger transcribe song.vocal.wav
      unisinger transcribe song.vocal.wav --language en -o words.lrc
    """
    output.screen.json, output.screen.quiet = json, quiet
    kind = _kind(out, format_)
    if out is not None:
        checks.output(out, force=force, inputs=[source])

    from unisinger_cli.audio import landing, read
    from unisinger_cli.stages import transcribe as stage

    sound = read(source)
    with output.progress() as reporter:
        reporter.stage("loading")
        name = f"whisper-{model.value}"
        transcriber = stage.choose_transcriber(name, weights=weights, device=device, threads=threads)
        reporter.stage("listening")
        heard = stage.transcribe(sound, transcriber, language)
    data = {"schema": 1, "model": name if weights is None else str(weights), **stage.as_data(heard)}
    text = strict_json.dumps(data, indent=1) + "\n" if kind is Format.json else stage.FORMATS[kind.value](heard)
    if out is None:
        output.result(text.rstrip("\n"), data)
        return
    with landing([out]) as (temporary,):
        temporary.write_text(text, encoding="utf-8")
    output.result(str(out), data | {"output": str(out)})


def _kind(out: Path | None, asked: Format | None) -> Format:
    if asked is not None:
        return asked
    if out is None:
        return Format.txt
    ending = out.suffix.lower().removeprefix(".")
    if ending not in {item.value for item in Format}:
        raise UsageError(f"--output is {out}, and must end in .txt, .lrc, .srt or .json", "or say --format")
    return Format(ending)
