"""`unisinger separate`: a mix to its vocal and its accompaniment."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from unisinger_cli.cli import checks, options, output
from unisinger_cli.errors import UsageError

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # Hz that the format knows


def separate(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The mix.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="NAME.wav",
            help="Names the stems: NAME.vocal.wav and NAME.accomp.wav, with the receipt NAME.json. "
            "Also .flac, .ogg and .mp3.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="FOLDER",
            help="A folder with a Demucs model of your own. It is a pickle, which can run any code: "
            "name only a folder that you trust.  [default: the verified htdemucs of `models pull`]",
        ),
    ] = None,
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Take the vocal out of a mix. Vocal and accompaniment add up to the mix, sample for sample.

    \b
    Examples:
      unisinger separate song.mp3
      unisinger separate song.flac -o parts.flac --force
    """
    output.screen.json, output.screen.quiet = json, quiet
    path = Path(f"{source.stem}.separated.wav") if out is None else out
    files = checks.outputs(path, ("vocal", "accomp"), force=force, inputs=[source])
    del files["mix"]  # that is the input

    from unisinger_cli.audio import blocks, load, scaled
    from unisinger_cli.backends.weights import sha256_of
    from unisinger_cli.pipeline.deliver import deliver
    from unisinger_cli.pipeline.receipt import versions
    from unisinger_cli.stages import separate as stage
    from unisinger_cli.types import Stems

    began = time.monotonic()
    mix = load(source)
    if path.suffix.lower() == ".mp3" and mix.rate not in MP3_RATES:
        raise UsageError(f"{source} is sampled at {mix.rate} Hz, which MP3 does not know", "give -o NAME.wav")
    notes = [] if stage.is_mix(mix) else [f"{source} sounds like a solo vocal already"]
    with output.progress() as reporter:
        reporter.stage("loading")
        separator = stage.choose_separator(weights=weights, device=device, threads=threads)
        reporter.stage("separating")
        vocal, accomp = stage.separate(mix, separator, reporter.step)
        peak = max(float(abs(block).max()) for part in (mix, vocal, accomp) for block in blocks(part))
        if peak > 1:
            notes.append(f"a stem would pass full scale, so both were turned down to {1 / peak:.3f} of their level")
            vocal, accomp = (scaled(part, 1 / peak) for part in (vocal, accomp))
        reporter.stage("writing")
        record = {
            "schema": 1,
            "command": "separate",
            "output": str(files["vocal"]),
            "files": {},
            "inputs": {"mix": {"path": str(source), "sha256": sha256_of(source)}},
            "model": {"name": "htdemucs" if weights is None else str(weights)},
            "versions": versions(),
            "audio": {"seconds": round(mix.seconds, 4), "rate": mix.rate, "channels": mix.channels},
            "notes": notes,
            "seconds": round(time.monotonic() - began, 3),
        }
        record = deliver(files, Stems(vocal, accomp), record)
    for note in notes:
        output.say(f"note: {note}")
    output.result("\n".join(str(files[name]) for name in ("vocal", "accomp")), record)
