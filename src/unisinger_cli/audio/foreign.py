"""What libsndfile cannot read (M4A, AAC, WMA ...), decoded by the program ffmpeg where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unisinger_cli.errors import InputError

SUFFIXES = (".m4a", ".aac", ".mp4", ".m4b", ".wma", ".ac3", ".webm", ".mka", ".amr", ".3gp", ".mov", ".mkv")


@contextmanager
def decoded(path: Path, max_seconds: float) -> Iterator[Path]:
    """A WAV file, gone after the block, with the first sound in `path`: a little more than `max_seconds` at most.

    ffmpeg gets one local file and no protocol beside it. Raises InputError where there is no ffmpeg, or it finds no
    sound.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        hint = "install ffmpeg, or convert it to WAV"
        raise InputError(f"{path} is not an audio file that can be read without the program ffmpeg", hint)
    with tempfile.TemporaryDirectory(prefix="unisinger-") as folder:
        sound = Path(folder) / "sound.w64"  # as WAV, without its limit of 4 GiB
        command = [program, "-nostdin", "-v", "error", "-protocol_whitelist", "file", "-i", f"file:{path.absolute()}"]
        command += ["-map", "0:a:0", "-t", str(max_seconds + 1), "-c:a", "pcm_f32le", "-f", "w64", str(sound)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0 or not sound.is_file():
            told = done.stderr.decode("utf-8", "replace").strip().splitlines()
            reason = "".join(letter for letter in told[-1] if letter.isprintable())[:120] if told else "no sound in it"
            raise InputError(f"{path} is not an audio file that can be read ({reason})", "convert it to WAV")
        yield sound
