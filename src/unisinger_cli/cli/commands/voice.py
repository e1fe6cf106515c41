"""`unisinger voice`: voices saved under a name."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unisinger_cli.cli import checks, options, output
from unisinger_cli.errors import UsageError

if TYPE_CHECKING:
    from unisinger_cli.pipeline.voices import Voice

voice = typer.Typer(
    help="Voices saved under a name, for --ref NAME and --target NAME.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the voice: letters, digits, - and _.")]


@voice.command()
def add(
    name: Name,
    recordings: Annotated[list[Path], typer.Argument(metavar="RECORDING...", help="Recordings of that one voice.")],
    consent: Annotated[
        str | None,
        typer.Option("--consent", metavar="TEXT", help="Who agreed to what, and when. Kept with the voice."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a voice of that name.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
) -> None:
    """Save the voice that is heard in one or more recordings.

    \b
    Examples:
      unisinger voice add me take1.wav take2.wav --consent "my own voice"
      unisinger voice add anna anna.flac --consent "Anna K. agreed by mail, 2026-03-01, for demos"
    """
    output.screen.json, output.screen.quiet = json, quiet
    if consent is None or not consent.strip():
        raise UsageError("--consent is missing", 'say whose voice it is and who agreed: --consent "my own voice"')
    from unisinger_cli.errors import InputError
    from unisinger_cli.pipeline import voices

    if voices.path_of(name).exists() and not force:
        raise InputError(f"there is a voice called {name} already", "add --force to replace it")
    made = _measured(name, recordings, consent.strip(), checkpoint, device)
    path = voices.save(made, force=force)
    output.result(str(path), {"schema": 1, "output": str(path), "voice": made.described()})


@voice.command("list")
def list_(json: options.Json = False) -> None:
    """Show the saved voices."""
    output.screen.json = json
    from unisinger_cli.pipeline import voices

    found = [voices.load(name) for name in voices.names()]
    rows = [["NAME", "SECONDS", "CREATED", "CHECKPOINT", "CONSENT"]]
    for one in found:
        seconds = sum(recording.seconds for recording in one.recordings)
        rows.append([one.name, f"{seconds:.1f}", one.created, one.checkpoint[:12], one.consent])
    text = output.table(rows) if found else "no voices are saved"
    output.result(text, {"schema": 1, "voices": [one.described() for one in found]})


@voice.command()
def show(name: Name, json: options.Json = False) -> None:
    """Show where a voice came from, and on what consent it rests."""
    output.screen.json = json
    from unisinger_cli.pipeline import voices

    one = voices.load(name)
    rows = [
        ["name", one.name],
        ["consent", one.consent],
        ["created", one.created],
        ["checkpoint", one.checkpoint],
    ]
    rows += [["recording", f"{item.file}  {item.seconds:.1f} s  {item.sha256}"] for item in one.recordings]
    output.result(output.table(rows), {"schema": 1, "voice": one.described()})


@voice.command()
def remove(name: Name, json: options.Json = False) -> None:
    """Delete a saved voice."""
    output.screen.json = json
    from unisinger_cli.pipeline import voices

    path = voices.remove(name)
    output.result(str(path), {"schema": 1, "removed": str(path)})


@voice.command()
def compare(
    one: Annotated[str, typer.Argument(metavar="NAME|WAV", help="A saved voice or a recording.")],
    other: Annotated[str, typer.Argument(metavar="NAME|WAV", help="Another.")],
    json: options.Json = False,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
) -> None:
    """Tell how alike two voices are: the cosine of their angle in the speaker space, 1 for the same.

    \b
    Examples:
      unisinger voice compare me anna
      unisinger voice compare me song.vocal.wav
    """
    output.screen.json = json
    from unisinger_cli.pipeline import voices

    both = [
        voices.load(text) if text in voices.names() else _measured(text, [Path(text)], "", checkpoint, device)
        for text in (one, other)
    ]
    alike = voices.similarity(both)
    output.result(f"{alike:.3f}", {"schema": 1, "one": one, "other": other, "similarity": alike})


def _measured(name: str, recordings: list[Path], consent: str, checkpoint: str | None, device: str) -> Voice:
    """A voice from recordings, not saved yet."""
    from unisinger_cli.audio import read
    from unisinger_cli.backends.weights import sha256_of
    from unisinger_cli.pipeline.studio import Studio
    from unisinger_cli.pipeline.voices import Recording, Voice

    sounds = [read(path, min_seconds=checks.MIN_VOICE) for path in recordings]
    studio = Studio.open(checkpoint, device=device)
    heard = tuple(
        Recording(path.name, sha256_of(path), round(sound.seconds, 3))
        for path, sound in zip(recordings, sounds, strict=True)
    )
    today, median = date.today().isoformat(), studio.median_midi(sounds)
    return Voice(name, studio.timbre(sounds), consent, studio.sha256, today, heard, median)
