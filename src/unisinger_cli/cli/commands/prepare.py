"""`unisinger prepare`: recordings and scores -> packs, the folders that `unisinger train` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unisinger_cli.cli import options, output
from unisinger_cli.cli.commands.prepare_check import check
from unisinger_cli.cli.commands.prepare_report import report
from unisinger_cli.cli.commands.prepare_songs import songs
from unisinger_cli.errors import InputError, UsageError

prepare = typer.Typer(
    help="Make training packs from recordings and scores.\n\n"
    "\b\nExample:\n  unisinger prepare voices corpus -o packs/voices",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Out = Annotated[Path, typer.Option("--out", "-o", metavar="PACK", help="The pack, a folder; made if missing.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes that work at a time.")]


@prepare.command()
def voices(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="Folder with manifest.jsonl and its audio.")],
    out: Out,
    workers: Workers = 2,
    untimed: Annotated[
        bool,
        typer.Option("--untimed", help="Leave out times that the corpus gives, so that the aligner can be checked."),
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Pack recorded voices: audio as it is, F0, phonemes of the texts, and who is trained on.

    \b
    Example:
      unisinger prepare voices corpus -o packs/voices
    """
    output.screen.quiet = quiet
    from unisinger_cli.corpus.pack import pack_voices
    from unisinger_cli.model.config import CodecConfig

    rate = CodecConfig().frame_rate
    count = pack_voices(corpus, out, frame_rate=rate, workers=workers, report=output.say, timed=not untimed)
    output.say(f"{count} clips")
    output.result(str(out), {"schema": 1, "output": str(out), "clips": count})


@prepare.command()
def align(
    pack: Annotated[Path, typer.Argument(metavar="PACK", help="A pack of voices.")],
    alignments: Annotated[
        Path, typer.Argument(metavar="ALIGNMENTS", help="alignments.jsonl, as `unisinger train aligner` writes it.")
    ],
    quiet: options.Quiet = False,
) -> None:
    """Write the times that the aligner found into a pack.

    \b
    Example:
      unisinger prepare align packs/voices runs/aligner/alignments.jsonl
    """
    output.screen.quiet = quiet
    from unisinger_cli.corpus.pack import apply_alignments

    if not alignments.is_file():
        raise InputError(f"{alignments} does not exist", "unisinger train aligner writes it")
    count = apply_alignments(pack, alignments)
    output.say(f"{count} clips have got their times")
    output.result(str(pack), {"schema": 1, "output": str(pack), "clips": count})


@prepare.command()
def factory(
    pack: Annotated[Path, typer.Option("--pack", metavar="PACK", help="A pack of voices, aligned.")],
    soundfont: Annotated[
        list[Path], typer.Option("--soundfont", metavar="SF2", help="General MIDI sound font; repeatable.")
    ],
    out: Out,
    lieder: Annotated[
        Path | None, typer.Option("--lieder", metavar="DIR", help="Folder of scores with index.jsonl.")
    ] = None,
    pop909: Annotated[Path | None, typer.Option("--pop909", metavar="ZIP", help="POP909 as a zip file.")] = None,
    songs: Annotated[int, typer.Option("--songs", min=1, help="How many songs the pack shall have.")] = 100,
    test: Annotated[
        bool, typer.Option("--test", help="Of the test voices and scores, to measure on; with a sound font of its own.")
    ] = False,
    seed: options.Seed = 0,
    workers: Workers = 2,
    quiet: options.Quiet = False,
) -> None:
    """Make songs: recorded voices sing scores, with an accompaniment and exact labels.

    Interrupted runs go on where they were. Song by song, the same seed gives the same pack.

    \b
    Example:
      unisinger prepare factory --pack packs/voices --lieder scores \\
        --soundfont FluidR3_GM.sf2 -o packs/songs
    """
    output.screen.quiet = quiet
    if lieder is None and pop909 is None:
        raise UsageError("there is no score to sing", "give --lieder DIR, --pop909 ZIP, or both")
    for path in soundfont:
        if not path.is_file():
            raise InputError(f"{path} does not exist", "give a General MIDI sound font (.sf2 or .sf3)")
    from unisinger_cli.corpus.factory import Recipe, make_songs
    from unisinger_cli.model.config import CodecConfig

    codec = CodecConfig()
    recipe = Recipe(pack, lieder, pop909, tuple(soundfont), out, seed, codec.rate, codec.frame_rate, test)
    count = make_songs(recipe, songs, workers=workers, report=output.say)
    output.say(f"{count} songs")
    output.result(str(out), {"schema": 1, "output": str(out), "songs": count})


prepare.command()(songs)
prepare.command()(check)
prepare.command()(report)
