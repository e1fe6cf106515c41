"""Recorded syllables: what the song factory lays on notes.

Where a recording's phonemes are aligned, its syllables are theirs. Where nobody wrote down what is said, loudness and
voicing tell where the nuclei are, and what lies between two nuclei is split at the quietest place.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unisinger_cli.corpus.resynth import FRAME, Analysis, Piece
from unisinger_cli.model.config import VOWELS
from unisinger_cli.stages.clock import VOICELESS
from unisinger_cli.stages.lyrics import syllabify

SHORTEST_VOWEL = 0.03  # seconds; shorter ones are misaligned, or swallowed
SHORTEST_NOISE = 0.02  # seconds of a voiceless consonant; from less nothing longer can be made without a buzz
LONGEST_SPOKEN = 0.45  # seconds of one consonant; longer ones hide a pause or a missed word
_PROMINENCE, _NUCLEUS, _SILENT = (
    2.5,
    5.0,
    38.0,
)  # dB: peak over valleys; fall of a nucleus; below the loudest
_PART = 0.08  # seconds of one consonant where it is not known which consonants there are
ANY_VOWEL, ANY_VOICED, ANY_VOICELESS = "ə", "l", "h"  # stand-ins that tell the clock how to lay them out


@dataclass(frozen=True)
class Unit:
    """One recorded syllable; `after_pause` where the speaker had been silent before it."""

    pieces: tuple[Piece, ...]
    after_pause: bool


def aligned_units(spans: Sequence[Sequence[Any]], analysis: Analysis) -> list[Unit]:
    """Syllables of timed phonemes [symbol, start, end], in order; those that cannot be trusted are left out."""
    units: list[Unit] = []
    run: list[Piece] = []
    for symbol, start, end in [*spans, ("_", 0.0, 0.0)]:
        sounds = symbol not in ("_", "^")
        if sounds and (not run or start - run[-1].end < 0.02):
            run.append(Piece(symbol, analysis, float(start), float(end)))
            continue
        taken = 0
        for syllable in syllabify([piece.symbol for piece in run]):
            pieces = tuple(run[taken : taken + len(syllable)])
            taken += len(syllable)
            if _trusted(pieces):
                units.append(Unit(pieces, after_pause=taken == len(syllable)))
        run = [Piece(symbol, analysis, float(start), float(end))] if sounds else []
    return units


def _trusted(pieces: tuple[Piece, ...]) -> bool:
    vowels = [piece for piece in pieces if piece.symbol in VOWELS]
    if not vowels or max(piece.end - piece.start for piece in vowels) < SHORTEST_VOWEL:
        return False
    if any(piece.end - piece.start > LONGEST_SPOKEN for piece in pieces if piece.symbol not in VOWELS):
        return False
    for piece in pieces:
        if piece.symbol in VOICELESS:
            start, end = piece.voiceless()
            if end - start < SHORTEST_NOISE - FRAME / 2:
                return False
    held = max(vowels, key=lambda piece: piece.end - piece.start)
    first, last = round(held.start / FRAME), round(held.end / FRAME)
    voiced = held.analysis.hz[first:last] > 0
    return bool(voiced.size) and float(voiced.mean()) >= 0.5


def heard_units(analysis: Analysis) -> list[Unit]:
    """Syllables of a recording without words, with stand-in symbols: one vowel between nameless consonants."""
    from scipy.signal import find_peaks

    level = np.convolve(analysis.level(), np.hanning(11) / np.hanning(11).sum(), mode="same")
    voiced = analysis.hz > 0
    floor = float(np.percentile(level, 98)) - _SILENT
    peaks = find_peaks(np.where(voiced, level, floor), prominence=_PROMINENCE, distance=16, height=floor + 12)[0]
    edges = [0, *(int(a + np.argmin(level[a:b])) for a, b in itertools.pairwise(peaks)), len(level)]
    units: list[Unit] = []
    for peak, left, right in zip(peaks, edges[:-1], edges[1:], strict=True):
        loud = voiced & (level > level[peak] - _NUCLEUS)
        first = peak - int(np.argmin(np.append(loud[left : peak + 1][::-1], False)))
        last = peak + int(np.argmin(np.append(loud[peak:right], False)))
        first += 1
        if (last - first) * FRAME < SHORTEST_VOWEL:
            continue
        before = _consonants(analysis, level > floor, max(left, first - round(0.16 / FRAME)), first)
        after = _consonants(analysis, level > floor, last, min(right, last + round(_PART / FRAME)))
        vowel = Piece(ANY_VOWEL, analysis, float(first * FRAME), float(last * FRAME))
        pause = bool(np.any(level[max(0, first - 60) : first] < floor))
        units.append(Unit((*before, vowel, *after), after_pause=pause))
    return units


def _consonants(analysis: Analysis, sounding: Any, first: int, last: int) -> list[Piece]:
    """The sounding frames first..last as pieces of at most `_PART` seconds, voiced and voiceless apart."""
    kinds = [(2 if analysis.hz[i] > 0 else 1) if sounding[i] else 0 for i in range(first, last)]
    changes = [0, *(i for i in range(1, len(kinds)) if kinds[i] != kinds[i - 1]), len(kinds)]
    pieces: list[Piece] = []
    for a, b in itertools.pairwise(changes):
        if b - a < 3 or not kinds[a]:
            continue
        symbol = ANY_VOICED if kinds[a] == 2 else ANY_VOICELESS
        cuts = np.linspace(first + a, first + b, max(1, round((b - a) * FRAME / _PART)) + 1) * FRAME
        pieces += [Piece(symbol, analysis, float(p), float(q)) for p, q in itertools.pairwise(cuts)]
    return pieces
