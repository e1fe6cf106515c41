"""Sound to files: whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.audio.tape import blocks
from unisinger_cli.types import Sound

BITS = ("16", "24", "float")
FORMATS = {  # suffix -> container, and how samples are stored in it, by bits; what loses anyway has no choice
    ".wav": ("WAV", {"24": "PCM_24", "16": "PCM_16", "float": "FLOAT"}),
    ".flac": ("FLAC", {"24": "PCM_24", "16": "PCM_16"}),
    ".ogg": ("OGG", {"24": "VORBIS"}),
    ".mp3": ("MP3", {"24": "MPEG_LAYER_III"}),
}


@contextmanager
def landing(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Write several files as one: yields a temporary path for each, and renames all when the block ends well.

    Whatever goes wrong (Ctrl-C too), no temporary file stays, and no file is there half or alone.
    """
    temporary = [path.with_name(f".unisinger-{uuid.uuid4().hex}.part") for path in paths]
    landed: list[Path] = []
    try:
        yield temporary
        for source, path in zip(temporary, paths, strict=True):
            os.replace(source, path)
            landed.append(path)
    except BaseException:
        for path in [*temporary, *landed]:
            path.unlink(missing_ok=True)
        raise


class _Watched:
    """A file that remembers why writing failed: libsndfile only tells that it did, and a full disk must be told."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None
        self.seek, self.tell, self.read = file.seek, file.tell, file.read

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            return len(data)

    def check(self) -> None:
        if self.error is not None:
            raise self.error


def encode(path: Path, sound: Sound, suffix: str, bits: str = "24") -> None:
    """Write a sound at exactly `path`, in the format of `suffix`, block by block; see `write` for what users see."""
    import soundfile

    kind, subtypes = FORMATS[suffix.lower()]
    subtype = subtypes[bits]
    with path.open("w+b") as file:
        watched = _Watched(file)
        with soundfile.SoundFile(watched, "w", sound.rate, sound.channels, subtype, format=kind) as out:
            for samples in blocks(sound):
                out.write(_stored(samples.T, subtype))
                watched.check()
        watched.check()


def _stored(samples: NDArray[Any], subtype: str) -> NDArray[Any]:
    if not subtype.startswith("PCM"):
        return samples
    # our own rounding: libsndfile scales by 2**23 - 1 and would break exact sums
    top = 2 ** (int(subtype[4:]) - 1)
    whole = np.rint(samples.astype(np.float64) * top)
    return np.asarray(np.clip(whole, -top, top - 1).astype(np.int64) * (2**31 // top)).astype(np.int32)


def write(path: Path, sound: Sound, bits: str = "24") -> None:
    """Write one file, whole or not at all. `bits` is one of those that FORMATS has for its suffix."""
    with landing([path]) as (temporary,):
        encode(temporary, sound, path.suffix, bits)
