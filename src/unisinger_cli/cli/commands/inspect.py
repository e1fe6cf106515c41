"""`unisinger inspect`: what made a file, read back from the file itself."""

from __future__ import annotations

import json as formats
from pathlib import Path
from typing import Annotated, Any

import typer

from unisinger_cli.cli import options, output
from unisinger_cli.errors import InputError


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A song, a stem, a conversion, or a receipt.")],
    json: options.Json = False,
) -> None:
    """Show what made an audio file: the record that unisinger leaves in every WAV, FLAC, MP3 and Ogg file.

    \b
    Examples:
      unisinger inspect song.wav
      unisinger inspect song.mp3 --json
    """
    output.screen.json = json
    from unisinger_cli.audio import read_record
    from unisinger_cli.pipeline.recall import read_receipt

    if file.is_dir():
        raise InputError(f"{file} is a folder, not an audio file")
    record = read_receipt(file) if file.suffix.lower() == ".json" else _parsed(file, read_record(file))
    output.result(output.table(_rows(record)), {"schema": 1, "file": str(file), "record": record})


def _parsed(file: Path, text: str) -> dict[str, Any]:
    try:
        record = formats.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the record in {file} is damaged ({str(error)[:60]})") from error
    if not isinstance(record, dict):
        raise InputError(f"the record in {file} is damaged (it is no object)")
    return record


def _rows(record: dict[str, Any]) -> list[list[str]]:
    """What people want to know, of whatever is there."""

    def told(*way: str) -> str:
        value: Any = record
        for name in way:
            value = value.get(name, "") if isinstance(value, dict) else ""
        return " ".join(str(value).split())[:200]

    rows = [["made by", f"unisinger {told('versions', 'unisinger')} {told('command')}, seed {told('seed')}"]]
    rows.append(["model", f"{told('model', 'name')} {told('model', 'sha256')}"])
    for name in ("lyrics", "style", "language", "accomp"):
        if told("request", name):
            rows.append([name, told("request", name)])
    inputs = record.get("inputs")
    for name, item in sorted(inputs.items()) if isinstance(inputs, dict) else ():
        if isinstance(item, dict):
            rows.append([str(name)[:20], f"{str(item.get('path'))[:80]}  sha256 {str(item.get('sha256'))[:64]}"])
    rows.append(["consent", told("consent")])
    return [[name, "".join(letter if letter.isprintable() else "?" for letter in value)] for name, value in rows]
