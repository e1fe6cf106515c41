"""`unisinger prepare report`: one page to look at what training data is like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unisinger_cli.cli import options, output
from unisinger_cli.errors import InputError


def report(
    packs: Annotated[list[Path], typer.Argument(metavar="PACK...", help="Packs that `unisinger prepare` wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.html", help="The page.")],
    seed: options.Seed = 0,
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Show what packs are made of: hours, histograms, and ten clips with sound, spectrogram, F0 and phonemes.

    Everything is in the one page. Needs matplotlib, in the extra eval.

    \b
    Example:
      unisinger prepare report packs/voices packs/songs -o report.html
    """
    output.screen.json, output.screen.quiet = json, quiet
    if out.is_dir():
        raise InputError(f"{out} is a folder", "give the name of a page, such as report.html")
    if out.exists() and not force:
        raise InputError(f"{out} exists", "add --force to overwrite it, or choose another name with --out")
    from unisinger_cli.audio import landing
    from unisinger_cli.evaluation.packs import page
    from unisinger_cli.model.config import CodecConfig

    text = page(packs, seed=seed, frame_rate=CodecConfig().frame_rate)
    out.parent.mkdir(parents=True, exist_ok=True)
    with landing([out]) as (temporary,):
        temporary.write_text(text, encoding="utf-8")
    output.result(str(out), {"schema": 1, "output": str(out), "packs": [str(pack) for pack in packs]})
