"""Sound from files, checked: whatever is not sound that can be worked with is refused with a reason."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from unisinger_cli.audio.levels import decibels
from unisinger_cli.errors import InputError
from unisinger_cli.types import Audio, Floats

MAX_SECONDS = 20 * 60.0
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


def read(path: Path, *, min_seconds: float = 0.0, max_seconds: float = MAX_SECONDS) -> Audio:
    """Sound of a file in any format libsndfile knows (WAV, FLAC, Ogg, Opus, MP3, AIFF ...), at its own rate.

    Returns float32 [1 or 2, n]; three to eight channels are mixed down to stereo after ITU-R BS.775.
    Raises InputError for whatever is not sound that can be worked with: no file, a folder, an empty or
    unreadable file, no samples, NaN or infinite samples, silence (peak under -60 dBFS, constant offset taken
    off), a length outside `min_seconds`..`max_seconds`, more than eight channels, a rate outside 8..192 kHz.
    """
    import soundfile

    _require_file(path)
    try:
        with soundfile.SoundFile(str(path)) as file:
            _check_header(path, file.samplerate, file.channels, file.frames, max_seconds)
            samples = np.ascontiguousarray(file.read(dtype="float32", always_2d=True).T)
            rate = int(file.samplerate)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise InputError(
            f"{path} is not an audio file that can be read ({_reason(error)})",
            "give a WAV, FLAC, Ogg or MP3 file",
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    _check_samples(path, samples)
    seconds = samples.shape[1] / rate
    if seconds < min_seconds:
        raise InputError(
            f"{path} lasts {seconds:.2f} s, and at least {min_seconds:g} s are needed",
            "give a longer recording of the voice",
        )
    return Audio(_downmix(samples), rate)


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


def _check_samples(path: Path, samples: Floats) -> None:
    if samples.shape[1] == 0:
        raise InputError(f"{path} holds no samples")
    bad = samples.size - int(np.isfinite(samples).sum())
    if bad:
        raise InputError(f"{path} has {bad} samples that are NaN or infinite", "export the file again")
    peak = float(np.abs(samples - samples.mean(axis=1, keepdims=True, dtype=np.float64)).max())
    if peak > LOUDEST:
        raise InputError(f"{path} peaks at {peak:.3g}, and full scale is 1", "export the file again")
    if peak < SILENCE:
        raise InputError(f"{path} is silent (its peak is {decibels(peak):.0f} dBFS, and must be over -60)")


def _downmix(samples: Floats) -> Floats:
    if len(samples) <= 2:
        return samples
    gains = np.array([_GAINS[name] for name in _LAYOUTS[len(samples) - 3].split()]).T  # [2, channels]
    gains /= gains.sum(axis=1, keepdims=True)  # so that full scale stays full scale
    return np.asarray(gains @ samples, dtype=np.float32)
