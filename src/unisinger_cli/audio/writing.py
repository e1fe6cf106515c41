"""Sound to files: whole or not at all."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.types import Audio

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


def encode(path: Path, audio: Audio, suffix: str, subtype: str | None = None) -> None:
    """Write `audio` at exactly `path`, in the format of `suffix`; see `write` for what users see."""
    import soundfile

    kind, usual = FORMATS[suffix.lower()]
    subtype = subtype or usual
    samples: NDArray[Any] = audio.samples.T
    if subtype == "PCM_24":  # our own rounding: libsndfile scales by 2**23 - 1 and would break exact sums
        whole = np.rint(samples.astype(np.float64) * 2**23)
        samples = np.clip(whole, -(2**23), 2**23 - 1).astype(np.int32) << 8
    buffer = io.BytesIO()  # libsndfile hides why a write failed; a full disk must be told as one
    soundfile.write(buffer, samples, audio.rate, format=kind, subtype=subtype)
    path.write_bytes(buffer.getbuffer())


def write(path: Path, audio: Audio, subtype: str | None = None) -> None:
    """Write one file, whole or not at all; WAV and FLAC get 24 bits unless `subtype` says otherwise."""
    with landing([path]) as (temporary,):
        encode(temporary, audio, path.suffix, subtype)
