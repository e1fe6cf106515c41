"""Sound from files, checked: whatever is not sound that can be worked with is refused with a reason."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.audio.foreign import SUFFIXES, decoded
from unisinger_cli.audio.levels import decibels
from unisinger_cli.audio.shape import resampled
from unisinger_cli.audio.tape import BLOCK, Tape, record, whole
from unisinger_cli.errors import InputError
from unisinger_cli.types import Audio, Floats

MAX_SECONDS = 20 * 60.0  # of what is held in memory, such as a reference
LONGEST_SECONDS = 4 * 3600.0  # of what streams through; a WAV file holds no more
MIN_RATE, MAX_RATE = 8000, 192_000  # Hz
SILENCE = 1e-3  # peak of what counts as silence, -60 dBFS
LOUDEST = 100.0  # peak above which float samples are not sound but a broken file

# Order of the channels in files with 3 to 8, and how much of each goes left and right (ITU-R BS.775).
MAX_CHANNELS = 8
_LAYOUTS = ("L R C", "L R l r", "L R C l r", "L R C - l r", "L R C - B l r", "L R C - l r l r")
_HALF = math.sqrt(0.5)
_GAINS = {
    "L": (1, 0),
    "R": (0, 1),
    "C": (_HALF, _HALF),
    "l": (_HALF, 0),
    "r": (0, _HALF),
    "B": (0.5, 0.5),
    "-": (0, 0),  # the low-frequency channel
}


def load(
    path: Path, rate: int | None = None, *, min_seconds: float = 0.0, max_seconds: float = LONGEST_SECONDS
) -> Tape:
    """Sound of a file in any format libsndfile knows (WAV, FLAC, Ogg, Opus, MP3, AIFF ...), at `rate` or its own.

    On one or two channels; three to eight are mixed down to stereo after ITU-R BS.775.
    Raises InputError for whatever is not sound that can be worked with: no file, a folder, an empty or
    unreadable file, no samples, NaN or infinite samples, silence (peak under -60 dBFS, constant offset taken
    off), a length outside `min_seconds`..`max_seconds`, more than eight channels, a rate outside 8..192 kHz.
    """
    with _opened(path, max_seconds) as file:
        channels, own = min(file.channels, 2), int(file.samplerate)
        rate = own if rate is None else rate
        mixed = (_downmix(block) for block in _checked(path, file, min_seconds))
        return record(mixed if rate == own else resampled(mixed, channels, own, rate), channels, rate)


def read(path: Path, *, min_seconds: float = 0.0, max_seconds: float = MAX_SECONDS) -> Audio:
    """The same in memory, at the file's own rate: float32 [1 or 2, n]."""
    return whole(load(path, min_seconds=min_seconds, max_seconds=max_seconds))


def examine(path: Path, *, min_seconds: float = 0.0, max_seconds: float = LONGEST_SECONDS) -> float:
    """Seconds of a file that `load` would take; raises what it raises. Nothing is kept."""
    with _opened(path, max_seconds) as file:
        return float(sum(block.shape[1] for block in _checked(path, file, min_seconds)) / file.samplerate)


@contextmanager
def _opened(path: Path, max_seconds: float) -> Iterator[Any]:
    import soundfile

    _require_file(path)
    foreign = path.suffix.lower() in SUFFIXES
    with decoded(path, max_seconds) if foreign else nullcontext(path) as readable:
        try:
            with _hushed():
                # as bytes, since the name of a file need not be text; but Windows has none such
                file = soundfile.SoundFile(str(readable) if os.name == "nt" else os.fsencode(readable))
            with file:
                _check_header(path, file.samplerate, file.channels, file.frames, max_seconds)
                yield file
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise InputError(
                f"{path} is not an audio file that can be read ({_reason(error)})",
                "give a WAV, FLAC, Ogg or MP3 file",
            ) from error


def _next(file: Any) -> Floats:
    with _hushed() if file.format == "MP3" else nullcontext():
        return np.asarray(file.read(BLOCK, dtype="float32", always_2d=True).T)


@contextmanager
def _hushed() -> Iterator[None]:
    """Without what the MP3 decoder prints, past us, on the terminal: of a damaged file, we say what there is to say."""
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # no such stream
        yield
        return
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _checked(path: Path, file: Any, min_seconds: float) -> Iterator[Floats]:
    """The samples of an open file, float32 [channels, k] at a time, all of which are looked at."""
    bad = count = 0
    low, high = np.full(file.channels, np.inf), np.full(file.channels, -np.inf)
    total = np.zeros(file.channels)
    while (block := _next(file)).size:
        bad += block.size - int(np.isfinite(block).sum())
        low, high = np.minimum(low, block.min(axis=1)), np.maximum(high, block.max(axis=1))
        with np.errstate(invalid="ignore"):
            total += block.sum(axis=1, dtype=np.float64)
        count += block.shape[1]
        yield block
    if count == 0:
        raise InputError(f"{path} holds no samples")
    if bad:
        raise InputError(f"{path} has {bad} samples that are NaN or infinite", "export the file again")
    mean = total / count
    peak = float(np.maximum(high - mean, mean - low).max())
    if peak > LOUDEST:
        raise InputError(f"{path} peaks at {peak:.3g}, and full scale is 1", "export the file again")
    if peak < SILENCE:
        raise InputError(f"{path} is silent (its peak is {decibels(peak):.0f} dBFS, and must be over -60)")
    seconds = count / file.samplerate
    if seconds < min_seconds:
        raise InputError(
            f"{path} lasts {seconds:.2f} s, and at least {min_seconds:g} s are needed",
            "give a longer recording of the voice",
        )


def _reason(error: Exception) -> str:
    """The reason that libsndfile gives, without the path (which the message has already)."""
    text = str(getattr(error, "error_string", error)).strip().rstrip(".")
    return text.splitlines()[0][:120] if text else type(error).__name__


def _require_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, not an audio file", "give one audio file")
        if not path.exists():
            raise InputError(f"{path} does not exist", "check the path; quote it if it has spaces")
        if not path.is_file():
            raise InputError(f"{path} is not a regular file", "give one audio file")
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes)")
    except OSError as error:  # no permission, too long a name
        raise InputError(f"{path} cannot be opened: {error.strerror}") from error


def _check_header(path: Path, rate: int, channels: int, frames: int, max_seconds: float) -> None:
    """What can be told before a single sample is decoded."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise InputError(f"{path} is sampled at {rate} Hz, and must be from {MIN_RATE} to {MAX_RATE} Hz")
    if channels > MAX_CHANNELS:
        raise InputError(f"{path} has {channels} channels, and at most {MAX_CHANNELS} can be mixed down")
    if frames == 0:
        raise InputError(f"{path} holds no samples")
    if frames > max_seconds * rate:
        raise InputError(
            f"{path} lasts {frames / rate / 60:.1f} minutes, and at most {max_seconds / 60:g} are accepted",
            "cut it into shorter files",
        )


def _downmix(samples: Floats) -> Floats:
    if len(samples) <= 2:
        return samples
    gains = np.array([_GAINS[name] for name in _LAYOUTS[len(samples) - 3].split()]).T  # [2, channels]
    gains /= gains.sum(axis=1, keepdims=True)  # so that full scale stays full scale
    return np.asarray(gains @ samples, dtype=np.float32)
