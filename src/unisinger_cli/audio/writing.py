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

FORMATS = {  # suffix -> container, how samples are stored
    ".wav": ("WAV", "PCM_24"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
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


def encode(path: Path, sound: Sound, suffix: str, subtype: str | None = None) -> None:
    """Write a sound at exactly `path`, in the format of `suffix`, block by block; see `write` for what users see."""
    import soundfile

    kind, usual = FORMATS[suffix.lower()]
    subtype = subtype or usual
    with path.open("w+b") as file:
        watched = _Watched(file)
        with soundfile.SoundFile(watched, "w", sound.rate, sound.channels, subtype, format=kind) as out:
            for samples in blocks(sound):
                out.write(_stored(samples.T, subtype))
                watched.check()
        watched.check()


def _stored(samples: NDArray[Any], subtype: str) -> NDArray[Any]:
    if subtype != "PCM_24":
        return samples
    # our own rounding: libsndfile scales by 2**23 - 1 and would break exact sums
    whole = np.rint(samples.astype(np.float64) * 2**23)
    return np.asarray(np.clip(whole, -(2**23), 2**23 - 1).astype(np.int32) << 8)


def write(path: Path, sound: Sound, subtype: str | None = None) -> None:
    """Write one file, whole or not at all; WAV and FLAC get 24 bits unless `subtype` says otherwise."""
    with landing([path]) as (temporary,):
        encode(temporary, sound, path.suffix, subtype)
