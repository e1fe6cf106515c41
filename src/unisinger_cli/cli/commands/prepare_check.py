"""`unisinger prepare check`: whether songs of the factory, and alignments, are what they say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unisinger_cli.cli import options, output
from unisinger_cli.errors import PartialFailure, UsageError

if TYPE_CHECKING:
    from unisinger_cli.evaluation.findings import Part


def check(
    pack: Annotated[
        Path | None, typer.Argument(metavar="[PACK]", help="A pack of `unisinger prepare factory`.", show_default=False)
    ] = None,
    voices: Annotated[
        Path | None, typer.Option("--voices", metavar="PACK", help="The pack of voices that it was made from.")
    ] = None,
    alignments: Annotated[
        Path | None,
        typer.Option(
            "--alignments", metavar="FILE", help="What the aligner found in a pack of `prepare voices --untimed`."
        ),
    ] = None,
    speakers: Annotated[
        Path | None,
        typer.Option("--speakers", metavar="CORPUS", help="Recordings of many people, to try `voice add` on."),
    ] = None,
    words: Annotated[
        Path | None,
        typer.Option("--words", metavar="FILE", help="A judge of words, as `unisinger train judge` makes it."),
    ] = None,
    items: Annotated[int, typer.Option("--items", min=2, max=10000, help="How many songs or recordings.")] = 24,
    seed: options.Seed = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure training data, each number beside a control.

    Judges that had no part in making the songs (extra eval) tell whether the vocal follows its notes, whose voice it is
    and what is understood; chroma tells whether the accompaniment goes with it. With --alignments, the aligner's times
    are compared with those that the corpus gives; with --speakers, the check-up of `voice add` is tried on recordings
    of one person and of two.

    \b
    Examples:
      unisinger prepare check packs/songs --voices packs/voices \\
        --words models/judge/model.safetensors
      unisinger prepare check --voices packs/voices \\
        --alignments runs/aligner/alignments.jsonl
      unisinger prepare check --speakers corpus --items 100
    """
    output.screen.json, output.screen.quiet = json, quiet
    if speakers is not None and (pack or voices or alignments):
        raise UsageError("--speakers is a check of its own", "leave out the packs and --alignments")
    if speakers is not None:
        _tell([_speakers(speakers, items, seed)], seed)
        return
    if voices is None:
        raise UsageError("--voices is missing", "give the pack of `unisinger prepare voices`")
    if pack is None and alignments is None:
        raise UsageError("there is nothing to check", "give a pack of songs, or --alignments")
    from unisinger_cli.evaluation.alignment import check_alignment
    from unisinger_cli.evaluation.factory import check_songs

    with output.progress() as reporter:
        parts = [] if alignments is None else [check_alignment(voices, alignments)]
        if pack is not None:
            parts.append(check_songs(pack, voices, reporter, items=items, seed=seed, words=words))
    _tell(parts, seed)


def _speakers(corpus: Path, items: int, seed: int) -> Part:
    from unisinger_cli.evaluation.speakers import check_speakers
    from unisinger_cli.pipeline.studio import Studio

    with output.progress() as reporter:
        return check_speakers(Studio.open(), corpus, reporter, items=items, seed=seed)


def _tell(parts: Sequence[Part], seed: int) -> None:
    from unisinger_cli.evaluation.findings import as_data
    from unisinger_cli.evaluation.report import rows

    output.result(output.table(rows(parts)), {"schema": 1, "seed": seed, "parts": as_data(parts)})
    failed = [text for part in parts for text in part.failed]
    if failed:
        raise PartialFailure(f"{len(failed)} measures failed; the first: {failed[0]}", "the others are above")
