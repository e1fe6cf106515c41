"""Reading, resampling, measuring, mastering and writing sound: the only module that touches audio files.

Everything in here is numpy; soundfile, soxr and pyloudnorm are imported where they are used, so that the
command line starts fast. Loudness and true peak follow ITU-R BS.1770 (gated; four-fold oversampled).
"""

from __future__ import annotations

import io
import math
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.errors import InputError
from unisinger_cli.types import Audio, Floats, Stems

MAX_SECONDS = 20 * 60.0
MIN_RATE, MAX_RATE = 8000, 192_000  # Hz
SILENCE = 1e-3  # peak of what counts as silence, -60 dBFS
LOUDEST = 100.0  # peak above which float samples are not sound but a broken file

TARGET_LUFS = -14.0
CEILING = 10 ** (-1.1 / 20)  # true peak of what we write: -1 dBFS and a hair for the quantiser
LOOK_AHEAD = 0.008  # s; half the width of the limiter's smoothing window
MAX_REDUCTION = 20.0  # dB that the limiter may take off the loudest peak

FORMATS = {  # suffix -> container, how samples are stored
    ".wav": ("WAV", "PCM_24"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}

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


# ---------------------------------------------------------------- in
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


# ---------------------------------------------------------------- shape
def resample(audio: Audio, rate: int) -> Audio:
    """The same sound at `rate` Hz (soxr, high quality); the same object where it is at that rate already."""
    import soxr

    if audio.rate == rate:
        return audio
    samples = soxr.resample(audio.samples.T, audio.rate, rate, quality="HQ").T
    return Audio(np.ascontiguousarray(samples, dtype=np.float32), rate)


def mono_at(audio: Audio, rate: int) -> Floats:
    """The sound mixed down, at `rate` Hz: float32 [n]."""
    return resample(Audio(audio.mono()[None], audio.rate), rate).mono()


def stereo(audio: Audio) -> Audio:
    """float32 [2, n]: a mono sound on both sides, a stereo one as it is."""
    return audio if audio.samples.shape[0] == 2 else Audio(np.repeat(audio.samples, 2, axis=0), audio.rate)


# ---------------------------------------------------------------- measure
def decibels(value: float) -> float:
    """20 log10(value), and -inf for zero."""
    return 20 * math.log10(value) if value > 0 else -math.inf


def loudness(audio: Audio) -> float:
    """Integrated loudness in LUFS (ITU-R BS.1770-4); -inf where all is below the gate of -70 LUFS."""
    import pyloudnorm

    samples = audio.samples.T.astype(np.float64)
    short = math.ceil(0.4 * audio.rate) + 1 - samples.shape[0]  # the meter needs one block of 400 ms
    if short > 0:
        samples = np.pad(samples, ((0, short), (0, 0)))
    with np.errstate(divide="ignore"):
        return float(pyloudnorm.Meter(audio.rate).integrated_loudness(samples))


def _envelope(samples: Floats, rate: int) -> Floats:
    """The largest true magnitude at each sample, over the channels: float32 [channels, n] -> [n]."""
    import soxr

    n = samples.shape[1]
    fine = np.abs(soxr.resample(samples.T, rate, 4 * rate, quality="HQ")).max(axis=1)
    fine = np.pad(fine, (0, max(0, 4 * n - fine.size)))[: 4 * n].reshape(n, 4).max(axis=1)
    between = np.maximum(fine, np.concatenate([fine[1:], fine[-1:]]))  # a peak may lie between two samples
    return np.asarray(np.maximum(between, np.abs(samples).max(axis=0)), dtype=np.float32)


def true_peak(audio: Audio) -> float:
    """Largest magnitude of the four-fold oversampled sound (linear, 1 = full scale)."""
    return float(_envelope(audio.samples, audio.rate).max())


# ---------------------------------------------------------------- master
def master(stems: Stems, target: float = TARGET_LUFS) -> Stems:
    """Bring the mix to `target` LUFS with every true peak under -1 dBFS, and keep the stems' sum.

    One gain curve goes over all stems alike, so that mix = vocal + accompaniment still holds: a constant, and
    where that lifts peaks over the ceiling, dips around them (a look-ahead limiter whose curve is a sliding
    minimum smoothed over the same width, and so never lets a peak through). What the dips cost in loudness
    is made up for in a few rounds, as long as no peak is taken down by more than 20 dB.
    """
    start = loudness(stems.mix)
    if math.isinf(start):
        return stems
    rate = stems.vocal.rate
    parts = [stems.vocal] if stems.accomp is None else [stems.vocal, stems.accomp, stems.mix]
    envelope = np.maximum.reduce([_envelope(part.samples, rate) for part in parts])
    most = CEILING / float(envelope.max()) * 10 ** (MAX_REDUCTION / 20)
    gain = min(10 ** ((target - start) / 20), most)
    out = _scaled(stems, _curve(envelope, gain, rate))
    for _ in range(8):
        missing = target - loudness(out.mix)
        if abs(missing) < 0.2 or (missing > 0 and gain >= most):
            break
        gain = min(gain * 10 ** (1.5 * missing / 20), most)  # 1.5: a part of each step is limited away
        out = _scaled(stems, _curve(envelope, gain, rate))
    over = max(true_peak(part) for part in (out.vocal, out.accomp, out.mix) if part is not None) / CEILING
    return _scaled(out, np.float32(1 / over)) if over > 1 else out  # the curve itself bends the wave a little


def _curve(envelope: Floats, gain: float, rate: int) -> Floats:
    """Gain over time, float32 [n]: `gain`, dipping so that gain times envelope stays under the ceiling."""
    wanted = np.minimum(1.0, CEILING / np.maximum(envelope * gain, 1e-9))
    if wanted.min() >= 1:
        return np.full(envelope.shape, gain, dtype=np.float32)
    half = max(1, round(LOOK_AHEAD * rate))
    lowest = _sliding_minimum(wanted, half)
    window = np.hanning(2 * half + 3)[1:-1]
    smooth = np.convolve(np.pad(lowest, half, mode="edge"), window / window.sum(), mode="valid")
    return np.asarray(smooth * gain, dtype=np.float32)


def _sliding_minimum(values: Floats, half: int) -> Floats:
    """Minimum over `half` samples to either side, by doubling windows (log steps, no loop over samples)."""
    width = 2 * half + 1
    lowest, reach = np.pad(values, half, constant_values=1.0), 1
    while reach < width:
        step = min(reach, width - reach)
        lowest = np.minimum(lowest[:-step], lowest[step:])
        reach += step
    return lowest


def _scaled(stems: Stems, curve: Floats | np.float32) -> Stems:
    accomp = stems.accomp and Audio(stems.accomp.samples * curve, stems.accomp.rate)
    return Stems(Audio(stems.vocal.samples * curve, stems.vocal.rate), accomp)


def quantised(audio: Audio) -> Audio:
    """On the 24-bit grid, where float32 sums are exact: a mix of such stems is their sum to the last bit."""
    return Audio(np.asarray(np.rint(audio.samples * 2**23) / 2**23, dtype=np.float32), audio.rate)


# ---------------------------------------------------------------- out
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
