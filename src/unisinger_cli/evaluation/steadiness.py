"""Whether a voice holds its notes, and whether a sound shows where it was put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.evaluation.spectra import log_mel, magnitudes
from unisinger_cli.types import Audio, Floats

VIBRATO = (3.0, 9.0)  # Hz, of what goes up and down by itself
HARMONICS, DROP, FAINT = 8, 15.0, 40.0  # how many; dB that a broken one falls; dB under the loudest that do not count
N_FFT, HOP = 4096, 512
STEADY, STEADY_SECONDS = 60.0, 1.0  # cents about the median, and how long, of a held note in a recording


def deviation(hz: Floats, midi: float, frame_rate: float) -> float:
    """How far a held note is from where it is written, vibrato taken out: root mean square, in cents.

    `hz` are the frames of a note, 0 where unvoiced: these are bridged. What moves as fast as vibrato does is filtered
    out by Fourier transform; drift, a wrong height and jitter stay. NaN where nothing is voiced.
    """
    voiced = hz > 0
    if not voiced.any():
        return float("nan")
    at = np.arange(len(hz))
    cents = 1200 * np.log2(np.interp(at, at[voiced], hz[voiced]) / 440) - 100 * (midi - 69)
    spectrum, speed = np.fft.rfft(cents), np.fft.rfftfreq(len(cents), 1 / frame_rate)
    spectrum[(speed >= VIBRATO[0]) & (speed <= VIBRATO[1])] = 0
    return float(np.sqrt(np.mean(np.fft.irfft(spectrum, len(cents)) ** 2)))


def broken_share(audio: Audio, first: int, last: int, hz: float, frame_rate: float) -> float:
    """Share of the partials of a note (frames first..last, F0 about `hz`) that fall away for a moment: by DROP dB under
    what half a second around has in the median, where they are not FAINT anyway."""
    samples = audio.samples[0, round(first / frame_rate * audio.rate) : round(last / frame_rate * audio.rate)]
    spectrum = magnitudes(samples, N_FFT, HOP)[2:-2]
    if len(spectrum) < 3:
        return 0.0
    bins = hz * np.arange(1, HARMONICS + 1) * N_FFT / audio.rate
    reach = max(1, int(0.4 * hz * N_FFT / audio.rate))
    level = np.stack([spectrum[:, max(0, round(b) - reach) : round(b) + reach + 1].max(1) for b in bins], axis=1)
    db = 20 * np.log10(level + 1e-9)
    around = max(3, int(0.5 * audio.rate / HOP) | 1)
    padded = np.pad(db, ((around // 2, around // 2), (0, 0)), mode="edge")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(padded, around, axis=0), axis=-1)
    counted = usual > db.max() - FAINT
    return float((counted & (db < usual - DROP)).sum() / max(1, counted.sum()))


def held_notes(hz: Floats, frame_rate: float) -> list[tuple[int, int]]:
    """Stretches of STEADY_SECONDS in which the pitch stays near its median: frames [first, last)."""
    size, found, at = round(STEADY_SECONDS * frame_rate), [], 0
    while at + size <= len(hz):
        here = hz[at : at + size]
        if (here > 0).all() and np.abs(1200 * np.log2(here / np.median(here))).max() < STEADY:
            found.append((at, at + size))
            at += size
        else:
            at += max(1, size // 8)
    return found


def seam(audio: Audio, borders: Sequence[int], hop: int) -> float:
    """How much more the spectrum changes at the borders (frames of `hop` samples) than elsewhere: the median of the
    largest change within a frame of each border, over the median of the same around every frame."""
    spectrum = log_mel(audio.samples[0], audio.rate, hop=hop)
    change = np.abs(np.diff(spectrum, axis=0)).mean(1)
    largest = np.lib.stride_tricks.sliding_window_view(np.pad(change, 1, mode="edge"), 3).max(1)
    at = [border for border in borders if border < len(largest)]
    return float(np.median(largest[at]) / np.median(largest)) if at else 1.0


def shuffled(audio: Audio, borders: Sequence[int], hop: int) -> Audio:
    """The pieces between the borders in another order, each as long as the one whose place it takes: every border is a
    cut."""
    edges: NDArray[np.int64] = np.array([0, *borders, audio.samples.shape[1] // hop]) * hop
    order = np.arange(len(edges) - 1)
    order[1:-1] = np.roll(order[1:-1], len(order) // 2)
    lengths = np.diff(edges)
    pieces = []
    for place, piece in enumerate(order):
        source = audio.samples[:, edges[piece] : edges[piece + 1]]
        pieces.append(np.resize(source, (1, lengths[place])))
    return Audio(np.concatenate(pieces, axis=1), audio.rate)
