"""`unisinger plan`: the song before it is sung, as a file to read, change, and sing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unisinger_cli.cli import checks, options, output
from unisinger_cli.errors import UsageError
from unisinger_cli.requests import SamplerConfig, SongRequest, Voice

if TYPE_CHECKING:
    from unisinger_cli.types import SongPlan


def plan(
    words: Annotated[
        Path | None,
        typer.Argument(metavar="[LYRICS]", help="Words to sing; or a plan or a receipt (.json), to write it anew."),
    ] = None,
    melody: options.Melody = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Its ending says what is written: .json, .mid, .musicxml, .lrc, .srt. Can be given again.  "
            "[default: plan.json]",
        ),
    ] = None,
    ref: options.Ref = None,
    style: options.Style = "",
    language: options.Language = "en",
    bpm: options.Bpm = None,
    key: options.Key = None,
    seed: options.Seed = 0,
    word_stamps: Annotated[
        bool, typer.Option("--word-stamps", help="In an .lrc, the time of each word, too (enhanced LRC).")
    ] = False,
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Compose a song, or set words to a melody, and write it down without singing it.

    `unisinger song --plan` sings the .json. With --ref, the melody lies where that voice is at ease.

    \b
    Examples:
      unisinger plan words.txt --seed 3 -o plan.json -o tune.mid
      unisinger plan words.txt --melody hum.wav -o plan.json
      unisinger plan song.json -o lyrics.lrc -o subtitles.srt
    """
    output.screen.json, output.screen.quiet = json, quiet
    again = words is not None and words.suffix.lower() == ".json"
    if words is None and melody is None:
        raise UsageError("there is nothing to plan", "give a file of lyrics, or --melody with words of its own")
    from unisinger_cli.pipeline.plan import MIDI, MUSICXML

    if words is not None and words.suffix.lower() in (*MIDI, *MUSICXML):
        raise UsageError(f"{words} is a melody, to be given with --melody", f"unisinger plan --melody {words}")
    voice = () if ref is None else checks.voice(ref)
    request = SongRequest(
        lyrics="" if again or words is None else checks.lyrics_text(words),
        ref=voice,
        style=style,
        language=language,
        bpm=bpm,
        key=key,
        lyrics_name=str(words),
        melody=melody,
        plan=words if again else None,
        sampler=SamplerConfig(seed=seed),
    )
    given = [path for path in (words, melody, *(part.path for part in voice)) if path is not None]
    paths = _outputs(out or [Path("plan.json")], force, given)
    made, remarks = _planned(request, voice, checkpoint, device, threads)
    from unisinger_cli.audio import landing
    from unisinger_cli.notation.write import KINDS, encoded

    with landing(paths) as temporary:
        for path, place in zip(paths, temporary, strict=True):
            place.write_bytes(encoded(made, KINDS[path.suffix.lower()], words=word_stamps))
    for remark in remarks:
        output.say(f"note: {remark}")
    syllables = sum(len(line.syllables) for line in made.lines)
    told: dict[str, str | float] = {"lines": len(made.lines), "syllables": syllables}
    told |= {"seconds": round(made.seconds, 3), "bpm": made.score.bpm, "key": made.score.key}
    output.say(output.table([[name, str(value)] for name, value in told.items()]))
    files = [str(path) for path in paths]
    record = {"schema": 1, "output": files[0], "files": files, "notes": list(remarks)}
    output.result("\n".join(files), record | told)


def _outputs(paths: list[Path], force: bool, inputs: list[Path]) -> list[Path]:
    """The files to write, each checked."""
    from unisinger_cli.notation.write import KINDS

    for i, path in enumerate(paths):
        if path.suffix.lower() not in KINDS:
            raise UsageError(f"--output is {path}, and must end in {', '.join(KINDS)}", "give -o plan.json")
        if path.resolve() in [other.resolve() for other in paths[:i]]:
            raise UsageError(f"--output {path} is given twice", "write each file once")
        checks.output(path, force=force, inputs=inputs)
    return paths


def _planned(
    request: SongRequest, voice: Voice, checkpoint: str | None, device: str, threads: int | None
) -> tuple[SongPlan, tuple[str, ...]]:
    """The plan and the remarks on it; a model is loaded only to hear where a voice lies."""
    from unisinger_cli.pipeline.plan import planned

    if not voice:
        return planned(request, None)
    from unisinger_cli.pipeline.reference import reference
    from unisinger_cli.pipeline.studio import Studio

    with output.progress() as reporter:
        reporter.stage("loading")
        studio = Studio.open(checkpoint, device=device, threads=threads)
        reporter.stage("reference")
        return planned(request, reference(studio, voice))
