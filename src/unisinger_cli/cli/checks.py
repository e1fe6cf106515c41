"""Cheap checks of what the user gave, made before anything heavy loads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from unisinger_cli.errors import InputError, UsageError
from unisinger_cli.requests import Job, SongRequest, Voice, VoicePart, blend, one_voice

MAX_WORDS = 2000
MAX_TEXT_BYTES = 1 << 20


def lyrics_text(path: Path) -> str:
    """The text of a lyrics file. Raises InputError unless it is UTF-8 text of 1 to 2000 words."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a text file")
        with path.open("rb") as file:  # a pipe and a device have no size, and /dev/zero has no end
            data = file.read(MAX_TEXT_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist", "check the path; quote it if it has spaces") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_TEXT_BYTES:
        raise InputError(f"{path} has over {MAX_TEXT_BYTES} bytes, which are no lyrics", "sing it in parts")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        hint = "save the lyrics as plain text in UTF-8"
        raise InputError(f"{path} is not UTF-8 text (byte {error.start} cannot be read)", hint) from error
    if any(ord(letter) < 32 and letter not in "\t\n\r\f\v" for letter in text):
        raise InputError(f"{path} is not text (it has control characters)", "save the lyrics as plain text")
    words = len(text.split())
    if words == 0:
        raise InputError(f"{path} is empty", "write the words to sing, one line of the song a line")
    if words > MAX_WORDS:
        raise InputError(f"{path} has {words} words, and at most {MAX_WORDS} are sung", "sing it in parts")
    return text


def outputs(
    path: Path, names: Sequence[str], *, force: bool, inputs: Sequence[Path], report: bool = False
) -> dict[str, Path]:
    """The files that will be written: "mix" at `path`, each of `names` beside it, the "receipt", and perhaps a "page".

    Raises UsageError for a format that cannot be written, and what `output` raises for each file.
    """
    from unisinger_cli.audio import FORMATS

    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"--output is {path}, and must end in {', '.join(FORMATS)}", "give -o NAME.wav")
    files = {"mix": path}
    files |= {name: path.with_name(f"{path.stem}.{name}{path.suffix}") for name in names}
    files["receipt"] = path.with_suffix(".json")
    if report:
        files["page"] = path.with_suffix(".html")
    for file in files.values():
        output(file, force=force, inputs=inputs)
    return files


def bits(asked: str | None, path: Path) -> str:
    """How samples are stored in a file of that name. Raises UsageError for what its format does not hold."""
    from unisinger_cli.audio import FORMATS

    held = FORMATS[path.suffix.lower()][1]
    if asked is None:
        return "24"
    if asked not in held or len(held) == 1:
        has = f"holds {' or '.join(held)}" if len(held) > 1 else "has no bits to choose"
        raise UsageError(f"--bits is {asked}, and {path.suffix} {has}", "give -o NAME.wav, or leave out --bits")
    return asked


def exports(path: Path, text: str | None, *, force: bool, inputs: Sequence[Path]) -> dict[str, Path]:
    """The files beside `path` that --export names. Raises UsageError for other names, and what `output` raises."""
    from unisinger_cli.notation.write import EXPORTS

    names = [name.strip().lower() for name in (text or "").split(",") if name.strip()]
    unknown = [name for name in names if name not in EXPORTS]
    if unknown:
        raise UsageError(f"--export has {unknown[0]!r}, and knows {', '.join(EXPORTS)}", "such as --export mid,lrc")
    files = {name: path.with_name(path.stem + EXPORTS[name]) for name in names}
    for file in files.values():
        output(file, force=force, inputs=inputs)
    return files


def plannable(request: SongRequest) -> None:
    """Raise what `pipeline.plan.planned` raises, for a plan or a written melody; of a recording only its sound is
    checked, and plain lyrics are left to the composer."""
    from unisinger_cli.audio import read
    from unisinger_cli.notation.plan_json import LONGEST
    from unisinger_cli.pipeline.plan import MIDI, MUSICXML, planned

    written = request.melody is not None and request.melody.suffix.lower() in (*MIDI, *MUSICXML)
    if request.plan is not None or written:
        planned(request, None)
    elif request.melody is not None:
        read(request.melody, min_seconds=MIN_VOICE, max_seconds=LONGEST)


def output(path: Path, *, force: bool, inputs: Sequence[Path]) -> None:
    """Raise UsageError where `path` is an input too, and InputError where its folder is missing or cannot be
    written to, or where it exists and `force` is not given."""
    _writable(path.parent)
    if os.path.lexists(path) and not path.is_file():
        raise InputError(f"{path} exists and is not a regular file", "choose another name with -o")
    if not path.exists():
        return
    if any(source.exists() and path.samefile(source) for source in inputs):
        raise UsageError(f"{path} is an input, not to be overwritten", "choose another name with -o")
    if not force:
        raise InputError(f"{path} exists", "add --force to overwrite it, or choose another name with -o")


def still_free(job: Job) -> None:
    """Raise InputError where an output came to be since it was checked, and may not be overwritten."""
    there = [path for path in job.files.values() if os.path.lexists(path)]
    if there and not job.overwrite:
        raise InputError(f"{there[0]} exists", "add --force to overwrite it, or choose another name with -o")


def _writable(folder: Path) -> None:
    """Try it: permission bits lie for root, on read-only mounts and in odd file systems."""
    if not folder.is_dir():
        raise InputError(f"the folder {folder} does not exist", f"mkdir -p '{folder}'")
    probe = folder / f".unisinger-{os.getpid()}.probe"
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        reason = f"cannot write in {folder}: {error.strerror}"
        raise InputError(reason, "choose another place with -o") from error


MIN_SOURCE = 0.5  # s
MIN_VOICE = 1.0  # s; a reference shorter than that does not tell a voice


def recording(path: Path) -> None:
    """Raise InputError unless `path` is sound that can be sung again; see `audio.load`."""
    from unisinger_cli.audio import examine

    examine(path, min_seconds=MIN_SOURCE)


def reference(path: Path) -> None:
    """Raise InputError unless `path` is sound that a voice can be taken from; see `audio.read`."""
    from unisinger_cli.audio import MAX_SECONDS, examine

    examine(path, min_seconds=MIN_VOICE, max_seconds=MAX_SECONDS)


def voice(text: str) -> Voice:
    """What --ref or --target means, checked: a recording, a voice file, the name of a saved voice, or a blend of such
    as in "anna:0.7,ben:0.3". A file that exists goes before all else, whatever its name looks like.

    Raises UsageError for a blend that is none, InputError for a part that is not there or cannot be worked with.
    """
    from unisinger_cli.pipeline import voices

    whole = voices.find(text)
    if whole is not None:
        return one_voice(_heard(whole))
    parts = [_part(piece.strip()) for piece in text.split(",") if piece.strip()]
    if len(parts) < 2 and all(piece.path == Path(text) for piece in parts):
        return one_voice(_heard(Path(text)))  # neither is there, and that is told
    made = blend(parts)
    for part in made:
        _heard(part.path)
    return made


def _part(text: str) -> VoicePart:
    """A part of a blend: a file or a saved voice, then perhaps a colon and its weight."""
    from unisinger_cli.pipeline import voices

    whole = voices.find(text)
    if whole is not None:
        return VoicePart(whole)
    name, colon, number = text.rpartition(":")
    try:
        weight = float(number)
    except ValueError:
        colon = ""
    if not colon or not name:
        return VoicePart(Path(text))
    return VoicePart(voices.find(name) or Path(name), weight)


def _heard(path: Path) -> Path:
    """Raise InputError unless `path` is a recording or a voice file; else give it back."""
    from unisinger_cli.pipeline import voices
    from unisinger_cli.pipeline.voicefile import is_voice, read_voice

    if not os.path.lexists(path) and voices.names():
        hint = f"saved voices: {', '.join(voices.names())}"
        raise InputError(f"{path} does not exist, and no voice is called that", hint)
    if is_voice(path):
        read_voice(path)
    else:
        reference(path)
    return path


def voice_inputs(name: str, voice: Voice) -> dict[str, Path]:
    """The files of a voice by the name under which a receipt lists them: "ref", or "ref 1", "ref 2" of a blend."""
    if len(voice) == 1:
        return {name: voice[0].path}
    return {f"{name} {i}": part.path for i, part in enumerate(voice, 1)}
