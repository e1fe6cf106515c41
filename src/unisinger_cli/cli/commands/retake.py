"""`unisinger retake`: some lines of a song once more."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unisinger_cli.cli import checks, options, output
from unisinger_cli.cli.perform import tell
from unisinger_cli.errors import InputError, ModelError, UsageError

if TYPE_CHECKING:
    from unisinger_cli.pipeline.existing import Existing
    from unisinger_cli.pipeline.lines import LineScore
    from unisinger_cli.pipeline.studio import Studio
    from unisinger_cli.requests import SamplerConfig

WORST = "worst"


def retake(
    receipt: Annotated[Path, typer.Argument(metavar="RECEIPT", help="The .json file beside a song.")],
    line: Annotated[
        list[str] | None,
        typer.Option(
            "--line", metavar="N|N-M|worst", help="Which line to sing again. Can be given again.  [default: list them]"
        ),
    ] = None,
    take: Annotated[
        int | None, typer.Option("--take", metavar="N", help="Which take, 0 to 9999.  [default: a new one]")
    ] = None,
    words: Annotated[
        str | None, typer.Option("--words", metavar="TEXT", help="Other words of as many syllables, on the same notes.")
    ] = None,
    steps: options.Steps = None,
    cfg_words: options.CfgWords = None,
    cfg_voice: options.CfgVoice = None,
    temperature: options.Temperature = None,
    out: options.Output = None,
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Sing some lines of a song again; everything else stays as it is, sample for sample.

    Without --line, the lines are listed with their numbers and how well each was sung. The words, the melody and the
    accompaniment stay; the voice sings them anew, out of what is before and after. Guidance, temperature and steps are
    those of the song unless they are given.

    \b
    Examples:
      unisinger retake song.json
      unisinger retake song.json --line 3
      unisinger retake song.json --line 3 --line 5-7 --take 2 -o better.wav
      unisinger retake song.json --line worst --cfg-words 3
      unisinger retake song.json --line 2 --words "and all the stars"
    """
    output.screen.json, output.screen.quiet = json, quiet
    from unisinger_cli.pipeline.existing import existing

    song = existing(receipt)
    if not line:
        if words is not None:
            raise UsageError("--words are for one line", "give its number: --line 3")
        _list(song, _opened(song, checkpoint, device, threads))
        return
    lines = None if line == [WORST] else numbers(line, [one.text for one in song.plan.lines])
    if words is not None:
        song = _reworded(song, lines, words)
    path = _beside(receipt, song.receipt.suffix) if out is None else out
    inputs = [receipt, *song.receipt.inputs.values()]
    files = checks.outputs(
        path, [name for name in ("vocal", "accomp") if name in song.stems], force=force, inputs=inputs
    )
    checks.bits(None if song.receipt.bits == "24" else song.receipt.bits, path)
    asked = _sampler(song, take, steps, cfg_words, cfg_voice, temperature)

    from unisinger_cli.pipeline import retake as verb
    from unisinger_cli.pipeline.locks import alone

    with output.progress() as reporter:
        reporter.stage("loading")
        studio = _opened(song, checkpoint, device, threads)
        if lines is None:
            reporter.stage("measuring")
            lines = {min(verb.measured(studio, song), key=lambda one: one.merit).number}
        with alone(files["mix"]):
            record = verb.retake(studio, song, lines, asked, files, reporter, words or "")
    output.say(f"sang {'line' if len(lines) == 1 else 'lines'} {', '.join(map(str, sorted(lines)))}, take {asked.take}")
    tell(record)


def numbers(texts: list[str], lines: list[str]) -> set[int]:
    """The lines, from 1, that --line names. Raises UsageError for what is not a number or a range, InputError for lines
    that the song does not have."""
    found: set[int] = set()
    for text in (part.strip() for one in texts for part in one.split(",")):
        match = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", text)
        if match is None:
            raise UsageError(f"--line is {text[:40]!r}", "give a number, a range such as 5-7, or worst alone")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= len(lines):
            told = "; ".join(f"{i} {words[:40]}" for i, words in enumerate(lines, 1))
            raise InputError(f"there is no line {text}; the song has {len(lines)}", f"its lines: {told}")
        found |= set(range(first, last + 1))
    return found


def _reworded(song: Existing, lines: set[int] | None, words: str) -> Existing:
    from unisinger_cli.pipeline.existing import MOST_LETTERS
    from unisinger_cli.pipeline.lines import reworded

    if lines is None or len(lines) != 1:
        raise UsageError("--words are for one line", "give its number: --line 3")
    if not words.isprintable() or not 0 < len(words) <= MOST_LETTERS:
        raise UsageError(f"--words must be one line of 1 to {MOST_LETTERS} letters")
    return replace(song, plan=reworded(song.plan, min(lines) - 1, words))


def _sampler(
    song: Existing,
    take: int | None,
    steps: int | None,
    words: float | None,
    voice: float | None,
    temperature: float | None,
) -> SamplerConfig:
    then = song.request.sampler
    return replace(
        then,
        take=song.next_take() if take is None else take,
        steps=then.steps if steps is None else steps,
        words=then.words if words is None else words,
        voice=then.voice if voice is None else voice,
        temperature=then.temperature if temperature is None else temperature,
    )


def _beside(receipt: Path, suffix: str) -> Path:
    """NAME.retake.wav beside NAME.json, NAME.retake2.wav beside that, and so on."""
    match = re.fullmatch(r"(.+)\.retake([0-9]{0,4})", receipt.stem)
    name = f"{receipt.stem}.retake" if match is None else f"{match[1]}.retake{int(match[2] or 1) + 1}"
    return receipt.with_name(name + suffix)


def _opened(song: Existing, checkpoint: str | None, device: str, threads: int | None) -> Studio:
    from unisinger_cli.pipeline.studio import DEBUG, Studio

    then = song.receipt.model
    studio = Studio.open(DEBUG if checkpoint is None and then == DEBUG else checkpoint, device=device, threads=threads)
    if studio.sha256 != then:
        hint = "give the checkpoint that was used: --checkpoint FILE"
        raise ModelError(f"{song.path} was made by the model {then[:12]}, this is {studio.sha256[:12]}", hint)
    return studio


def _list(song: Existing, studio: Studio) -> None:
    from unisinger_cli.pipeline.retake import measured

    found = measured(studio, song)
    rows = [["line", "from", "to", "merit", "cents off", "voicing off", "likeness", ""], *map(_row, found)]
    output.result(output.table(rows), {"schema": 1, "receipt": str(song.path), "lines": [_told(one) for one in found]})


def _row(one: LineScore) -> list[str]:
    names = ("pitch_error_cents", "voicing_error", "similarity_to_reference")
    values = ["-" if one.scores[name] is None else f"{one.scores[name]:.3f}" for name in names]
    times = [f"{seconds:.2f}" for seconds in (one.line.start, one.line.end)]
    return [str(one.number), *times, f"{one.merit:.3f}", *values, one.line.text[:60]]


def _told(one: LineScore) -> dict[str, Any]:
    line = {"line": one.number, "text": one.line.text, "start": one.line.start, "end": one.line.end}
    return line | {"merit": one.merit, "scores": one.scores}
