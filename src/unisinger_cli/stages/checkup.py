"""Whether a recording will do to take a voice from: how much of it sounds, how clean it is, and who else is in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unisinger_cli.audio.snr import snr
from unisinger_cli.errors import InputError
from unisinger_cli.stages.timbre import likeness, middle, sounding
from unisinger_cli.types import Audio, Floats, Pitch

LEAST, GOOD = 1.0, 10.0  # s of sounding voice: needed in each recording, and better in all of them together
SILENCE = 1.0  # s of silence that are worth telling
# Noise and clipping are judged by what they do to the timbre: the cosine of 4 s with other 4 s of the same recording,
# mean of 16 by people who were not trained on. As recorded 0.67. White noise that measures 17 dB: 0.41; 9 dB: 0.11;
# 4 dB: 0.05 (other people: 0.03). Clipping of 1.4 % of the samples: 0.66; 8 %: 0.58; 24 %: 0.39; 45 %: 0.21.
# The noisiest of 274 recordings of the training corpus measures 10 dB, most 15 to 50; none of them is called a mix.
CLEAN, NOISY = 20.0, 8.0  # dB of SNR: over it all is well, under it nobody is recognised
CLIPPED, RUINED = 0.001, 0.20  # share of samples at flat tops: told, and refused
# `unisinger prepare check --speakers CORPUS --items 60` measures on recordings cut to 8 s of voice. Of 36 by people who
# were not trained on, 3 % are refused and 8 % asked about; of splices of two of them 89 and 97 %. Of 15 sung ones (six
# singers, most of them trained on) none and none; of splices 40 and 60 %: singers are harder to tell apart.
SEVERAL, UNSURE = 0.30, 0.45  # cosine of two parts or two recordings: under it of two people, and perhaps so
_TOP = 1e-3  # of the peak: within it, a sample is as high as the highest
_FLAT = 3  # samples that stay there: a top is flat


@dataclass(frozen=True)
class Checkup:
    """What was found in a recording. `sounding` is what is left of its `seconds` without silence; `snr` in dB;
    `clipped` the share of samples at flat tops; `voiced` that of frames with a pitch; `alike` the cosine of its two
    most different parts, None where it is too short to have parts.
    """

    seconds: float
    sounding: float
    snr: float
    clipped: float
    voiced: float
    alike: float | None


def check_up(audio: Audio, vectors: Floats, pitch: Pitch) -> Checkup:
    """Examine a recording of a voice alone, whose windows have the unit vectors [k, d] of `stages.timbre.listen`."""
    return Checkup(
        seconds=round(audio.seconds, 3),
        sounding=round(len(sounding(audio, audio.rate)) / audio.rate, 3),
        snr=round(snr(audio), 1),
        clipped=round(clipped(audio), 5),
        voiced=round(float(pitch.voiced.mean()) if pitch.hz.size else 0.0, 3),
        alike=alike(vectors),
    )


def clipped(audio: Audio) -> float:
    """Share of samples on flat tops: three or more in a row within 0.1 % of their channel's highest or lowest."""
    share = 0.0
    for channel in audio.samples:
        flat = np.zeros(channel.size, bool)
        for side in (channel, -channel):
            at_top = side >= (1 - _TOP) * side.max() if side.size and side.max() > 0 else np.zeros(side.size, bool)
            edges = np.flatnonzero(np.diff(np.pad(at_top, 1).astype(np.int8)))
            for start, end in edges.reshape(-1, 2):
                flat[start:end] |= end - start >= _FLAT
        share = max(share, float(flat.mean()) if flat.size else 0.0)
    return share


def alike(vectors: Floats) -> float | None:
    """Cosine of the two most different parts of a recording [k, d]: its windows in two groups about the two that are
    least alike (2-means on the sphere), so that people who take turns are found too. None of less than two windows.
    """
    if len(vectors) < 2:
        return None
    i, j = np.unravel_index(int((vectors @ vectors.T).argmin()), (len(vectors), len(vectors)))
    one, other = vectors[i], vectors[j]
    for _ in range(5):
        near = vectors @ one >= vectors @ other
        if near.all() or not near.any():
            break
        one, other = middle(vectors[near]), middle(vectors[~near])
    return round(likeness(one, other), 3)


def verdict(found: Checkup, name: str, *, solo: bool) -> list[str]:
    """What is worth telling of a recording that will do. With `solo` it is of one person, whatever it sounds like.

    Raises InputError for one that will not: too little voice, no pitch, too much noise or clipping, several people.
    """
    if found.sounding < LEAST:
        told = f"{name} sounds for {found.sounding:.2f} s, and at least {LEAST:g} s are needed"
        raise InputError(told, "give a longer recording of the voice")
    if found.voiced <= 0:
        raise InputError(f"nothing in {name} is sung or spoken: no pitch was found", "give a recording of a voice")
    if found.snr < NOISY:
        told = f"{name} is too noisy to tell whose voice it is (SNR {found.snr:.0f} dB, at least {NOISY:g} are needed)"
        raise InputError(told, "record it nearer, in a quiet room")
    if found.clipped > RUINED:
        share = f"{100 * found.clipped:.0f} % of its samples lie on flat tops, and at most {100 * RUINED:g} may"
        told = f"{name} is clipped: {share}"
        raise InputError(told, "record it again with less gain")
    if found.alike is not None and found.alike < SEVERAL and not solo:
        limit = f"its parts are alike by {found.alike:.2f}, and two people are so by less than {SEVERAL:g}"
        raise InputError(
            f"{name} sounds like several people ({limit})",
            "cut out the one whose voice it is, or add --solo if it is one person",
        )
    notes = []
    if found.seconds - found.sounding >= SILENCE:
        notes.append(f"left out {found.seconds - found.sounding:.1f} s of silence")
    if found.snr < CLEAN:
        notes.append(f"SNR {found.snr:.0f} dB: noisy, over {CLEAN:g} is good")
    if found.clipped > CLIPPED:
        notes.append(f"{100 * found.clipped:.1f} % of its samples are clipped: record with less gain")
    if found.alike is not None and found.alike < UNSURE:
        notes.append(f"its parts are alike by {found.alike:.2f} only: is it one person all through?")
    return notes
