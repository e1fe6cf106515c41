"""`unisinger report`: one page to listen to and look at, of a song or a conversion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unisinger_cli.cli import checks, options, output
from unisinger_cli.errors import InputError, UsageError

PAGES = (".html", ".htm")


def report(
    source: Annotated[
        Path, typer.Argument(metavar="RECEIPT|AUDIO", help="NAME.json of a song or a conversion, or its NAME.wav.")
    ],
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="PAGE.html", help="The page.  [default: NAME.html]")
    ] = None,
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Show a song or a conversion on a page: sound, pictures, words, notes, and what its scores mean.

    The page is one file with the sound in it, and needs nothing else. The sounds have to lie beside the receipt.

    \b
    Examples:
      unisinger report song.json
      unisinger report song.wav -o page.html
    """
    output.screen.json, output.screen.quiet = json, quiet
    receipt = _receipt(source)
    path = receipt.with_suffix(".html") if out is None else out
    if path.suffix.lower() not in PAGES:
        raise UsageError(f"--output is {path}, and must end in .html", "give -o PAGE.html")
    checks.output(path, force=force, inputs=[source, receipt])
    from unisinger_cli.audio import landing
    from unisinger_cli.pipeline.page import of_files

    text = of_files(receipt)
    with landing([path]) as (temporary,):
        temporary.write_text(text, encoding="utf-8")
    output.result(str(path), {"schema": 1, "output": str(path), "receipt": str(receipt)})


def _receipt(source: Path) -> Path:
    """The receipt that is meant: the file itself, or that beside NAME.wav, NAME.vocal.wav or NAME.accomp.wav."""
    from unisinger_cli.audio import FORMATS

    if source.suffix.lower() in PAGES:
        raise InputError(f"{source} is a page, not what one is made of", "give the NAME.wav or NAME.json of a song")
    if source.suffix.lower() not in FORMATS:
        if source.is_dir():  # and perhaps without a name: "."
            raise InputError(f"{source} is a folder, not a receipt", "give the NAME.json beside a song")
        return source
    whole, _, part = source.stem.rpartition(".")
    names = [f"{source.stem}.json"] + ([f"{whole}.json"] if whole and part in ("vocal", "accomp") else [])
    for path in (source.with_name(name) for name in names):
        if path.exists():
            return path
    hint = "a page is made of a song or a conversion, whose receipt NAME.json lies beside NAME.wav"
    raise InputError(f"{source} has no receipt beside it ({' or '.join(names)})", hint)
