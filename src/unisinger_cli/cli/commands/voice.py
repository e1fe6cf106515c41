"""`unisinger voice`: voices saved under a name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unisinger_cli.cli import checks, options, output
from unisinger_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    from unisinger_cli.pipeline.voicefile import Voice

voice = typer.Typer(
    help="Voices saved under a name, for --ref NAME and --target NAME.\n\n"
    '\b\nExamples:\n  unisinger voice add me take1.wav --consent "my own voice"\n  unisinger voice list',
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the voice: letters, digits, - and _.")]
Replace = Annotated[bool, typer.Option("--force", help="Replace a voice of that name.")]
MOST_CONSENT = 2000  # characters


@voice.command()
def add(
    name: Name,
    recordings: Annotated[list[Path], typer.Argument(metavar="RECORDING...", help="Recordings of that one voice.")],
    consent: Annotated[
        str | None,
        typer.Option("--consent", metavar="TEXT", help="Who agreed to what, and when. Kept with the voice."),
    ] = None,
    solo: Annotated[
        bool,
        typer.Option("--solo", help="It is one voice alone, even where it sounds like a mix or like several people."),
    ] = False,
    force: Replace = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
) -> None:
    """Save the voice that is heard in one or more recordings.

    Each is looked over first: how much voice there is, noise, clipping, music behind it (taken out where the extra
    `separate` is there), other people. What was found and done is told, and kept with the voice.

    \b
    Examples:
      unisinger voice add me take1.wav take2.wav --consent "my own voice"
      unisinger voice add anna anna.flac --consent "Anna agreed, 2026-03-01"
    """
    output.screen.json, output.screen.quiet = json, quiet
    from unisinger_cli.pipeline.voicefile import clean

    statement = clean(" ".join((consent or "").split()))  # as it is read back
    if not statement:
        raise UsageError("--consent is missing", 'say whose voice it is and who agreed: --consent "my own voice"')
    if len(statement) > MOST_CONSENT:
        raise UsageError(f"--consent has {len(statement)} letters, and at most {MOST_CONSENT} are kept", "be brief")
    from unisinger_cli.pipeline import voices

    voices.require_free(name, force=force)
    made = _measured(name, recordings, statement, checkpoint, device, solo=solo)
    for note in made.done:
        output.say(f"note: {note}")
    path = voices.save(made, force=force)
    output.result(str(path), {"schema": 1, "output": str(path), "voice": made.described(), "notes": list(made.done)})


@voice.command()
def blend(
    name: Name,
    parts: options.Blend,
    force: Replace = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Save a voice between others. It rests on the consent of all of them, which is kept with it.

    \b
    Examples:
      unisinger voice blend duo anna:0.7,ben:0.3
    """
    output.screen.json, output.screen.quiet = json, quiet
    from unisinger_cli.pipeline import voices
    from unisinger_cli.pipeline.voicefile import is_voice

    voices.require_free(name, force=force)
    asked = checks.voice(parts)
    for part in asked:
        if not is_voice(part.path):
            hint = f"unisinger voice add NAME '{part.path}' --consent TEXT, and blend that"
            raise InputError(f"{part.path} is a recording, and nobody has said on what consent it rests", hint)
    made = voices.blend(name, asked)
    path = voices.save(made, force=force)
    output.result(str(path), {"schema": 1, "output": str(path), "voice": made.described()})


@voice.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A voice file, such as `voice export` writes.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What to call it.  [default: as the file]")
    ] = None,
    force: Replace = False,
    json: options.Json = False,
    checkpoint: options.Checkpoint = None,
) -> None:
    """Put a voice file, from another machine or another person, among the saved voices.

    The consent statement in it is kept: read it with `voice show FILE` first, and use the voice for no more than that.
    \b
    Example:
      unisinger voice import anna.safetensors --name anna2
    """
    output.screen.json = json
    from dataclasses import replace

    from unisinger_cli.pipeline import voices
    from unisinger_cli.pipeline.studio import identity
    from unisinger_cli.pipeline.voicefile import read_voice

    read = read_voice(file)
    called = read.name if name is None else name
    try:
        voices.require_free(called, force=force)
    except UsageError as error:
        raise UsageError(error.message, f"{error.hint}: add --name NAME") from error
    path = voices.save(replace(read, name=called), force=force)
    made = voices.load(called)
    output.say(f"consent: {made.consent}")
    fits = made.checkpoint == identity(checkpoint)
    if not fits:
        output.say(f"note: {called} was measured by another checkpoint, and this one cannot sing with it")
    output.result(str(path), {"schema": 1, "output": str(path), "voice": made.described() | {"fits": fits}})


@voice.command()
def export(
    name: options.SavedVoice,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to.  [default: NAME.safetensors]")
    ] = None,
    force: options.Force = False,
    json: options.Json = False,
) -> None:
    """Write a saved voice to a file that works on any machine with the same model: --ref FILE, or `voice import`.

    \b
    Example:
      unisinger voice export anna -o anna.safetensors
    """
    output.screen.json = json
    from unisinger_cli.pipeline import voices
    from unisinger_cli.pipeline.voicefile import SUFFIX, write_voice

    path = Path(f"{name}{SUFFIX}") if out is None else out
    if path.suffix.lower() != SUFFIX:
        raise UsageError(f"--output is {path}, and must end in {SUFFIX}", f"give -o {path.stem}{SUFFIX}")
    one = voices.load(name)
    checks.output(path, force=force, inputs=[voices.path_of(name)])
    write_voice(one, path)
    output.result(str(path), {"schema": 1, "output": str(path), "voice": one.described()})


@voice.command("list")
def list_(json: options.Json = False, checkpoint: options.Checkpoint = None) -> None:
    """Show the saved voices. A * marks what another checkpoint measured: it cannot be sung with by this one.

    \b
    Example:
      unisinger voice list
    """
    output.screen.json = json
    from unisinger_cli.pipeline import voices
    from unisinger_cli.pipeline.studio import identity

    mine, found, damaged = identity(checkpoint), [], []
    for name in voices.names():
        try:
            found.append(voices.load(name))
        except InputError as error:
            damaged.append(name)
            output.say(f"note: {error.message}")
    rows = [["NAME", "SECONDS", "CREATED", "CHECKPOINT", "CONSENT"]]
    for one in found:
        seconds = f"{sum(recording.seconds for recording in one.recordings):.1f}" if one.recordings else "blend"
        mark = "" if one.checkpoint == mine else " *"
        rows.append([one.name, seconds, one.created, one.checkpoint[:12] + mark, one.consent])
    text = output.table(rows) if found else "no voices are saved"
    told = [one.described() | {"fits": one.checkpoint == mine} for one in found]
    output.result(text, {"schema": 1, "voices": told, "damaged": damaged})


@voice.command()
def show(name: options.VoiceOrFile, json: options.Json = False, checkpoint: options.Checkpoint = None) -> None:
    """Show where a voice came from, what was found in its recordings, and on what consent it rests.

    \b
    Example:
      unisinger voice show anna
    """
    output.screen.json = json
    from unisinger_cli.pipeline import voices
    from unisinger_cli.pipeline.studio import identity

    one = voices.voice_of(name)
    fits = one.checkpoint == identity(checkpoint)
    rows = [["name", one.name], ["consent", one.consent], ["created", one.created]]
    rows.append(["checkpoint", one.checkpoint + ("" if fits else " (another than this program's)")])
    for item in one.recordings:
        rows.append(["recording", f"{item.file}  {item.seconds:.1f} s  {item.sha256}"])
        if item.checkup is not None:
            found = item.checkup
            told = f"{found.sounding:.1f} s of voice, SNR {found.snr:.0f} dB, {100 * found.clipped:.1f} % clipped"
            rows.append(["", told + ("" if found.alike is None else f", parts alike by {found.alike:.2f}")])
    rows += [["part", f"{parent.name}  {100 * parent.weight:.0f} %  {parent.sha256}"] for parent in one.parents]
    rows += [["note", note] for note in one.done]
    output.result(output.table(rows), {"schema": 1, "voice": one.described() | {"fits": fits}})


@voice.command()
def remove(name: options.SavedVoice, json: options.Json = False) -> None:
    """Delete a saved voice.

    \b
    Example:
      unisinger voice remove anna
    """
    output.screen.json = json
    from unisinger_cli.pipeline import voices

    path = voices.remove(name)
    output.result(str(path), {"schema": 1, "removed": str(path)})


@voice.command()
def compare(
    one: options.Heard,
    other: options.Heard,
    json: options.Json = False,
    checkpoint: options.Checkpoint = None,
    device: options.Device = "auto",
) -> None:
    """Tell how alike two voices are: the cosine of their angle in the speaker space, 1 for the same.

    Beside it stands what the model finds, on average, for two recordings of one person and of two.

    \b
    Examples:
      unisinger voice compare me anna
      unisinger voice compare me song.vocal.wav
    """
    output.screen.json = json
    from unisinger_cli.pipeline import voices
    from unisinger_cli.stages.timbre import DIFFERENT, SAME

    alike = voices.similarity(*_both((one, other), checkpoint, device))
    usual = {"same": SAME, "different": DIFFERENT}
    told = f"{alike:.3f}  (usual for one person: {SAME:.2f}, for two: {DIFFERENT:.2f})"
    output.result(told, {"schema": 1, "one": one, "other": other, "similarity": alike, "usual": usual})


def _both(texts: tuple[str, str], checkpoint: str | None, device: str) -> list[Voice]:
    """Saved voices, those in voice files, or those of recordings as they are."""
    from unisinger_cli.audio import read
    from unisinger_cli.pipeline import voices
    from unisinger_cli.pipeline.studio import Studio
    from unisinger_cli.pipeline.voicefile import Voice, is_voice
    from unisinger_cli.types import Audio

    heard: list[Voice | Audio] = []
    for text in texts:
        path = voices.find(text) or Path(text)
        heard.append(voices.voice_of(text) if is_voice(path) else read(path, min_seconds=checks.MIN_VOICE))
    if any(isinstance(each, Audio) for each in heard):
        studio = Studio.open(checkpoint, device=device)
    return [
        Voice(text, studio.timbre([each]), "", studio.sha256, "") if isinstance(each, Audio) else each
        for text, each in zip(texts, heard, strict=True)
    ]


def _measured(
    name: str, recordings: list[Path], consent: str, checkpoint: str | None, device: str, *, solo: bool
) -> Voice:
    """A voice from recordings, not saved yet."""
    from unisinger_cli.pipeline.enrol import enrol
    from unisinger_cli.pipeline.studio import Studio

    for path in recordings:
        checks.reference(path)
    with output.progress() as reporter:
        reporter.stage("loading")
        studio = Studio.open(checkpoint, device=device)
        return enrol(studio, name, recordings, consent, reporter, solo=solo)
