"""Who sings in the song factory: the speakers of a pack, and syllables of theirs for as many notes as there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from unisinger_cli.audio import read, resample
from unisinger_cli.corpus.pack import Row
from unisinger_cli.corpus.resynth import Analysis, analyse
from unisinger_cli.corpus.units import Unit, aligned_units, heard_units

_ENOUGH = 600.0  # seconds of a voice, after which more do not make it sing more often
_UNKNOWN_WORDS = 0.2  # how often a voice without transcripts sings, beside one with
_SHORTEST = 2.5  # seconds of a clip without transcript that has syllables worth looking for


@dataclass(frozen=True)
class Singer:
    """A speaker with the clips that can be sung from. `transcribed`: phonemes are timed in all of them."""

    name: str
    clips: tuple[Row, ...]
    transcribed: bool

    @property
    def weight(self) -> float:
        seconds = min(_ENOUGH, sum(row["seconds"] for row in self.clips))
        return float(np.sqrt(seconds)) * (1.0 if self.transcribed else _UNKNOWN_WORDS)

    @property
    def sings(self) -> bool:
        """Whether the recordings are sung already, so that their pitch is a singing pitch."""
        return all(row["kind"] != "speech" for row in self.clips)


def timed(row: Row) -> bool:
    """Whether every phoneme of a clip has its time."""
    return bool(row["phonemes"]) and all(start is not None for _, start, _ in row["phonemes"])


def roster(rows: Sequence[Row], split: str) -> tuple[Singer, ...]:
    """The singers of a split, by name. Songs with words of their own (kind "song") are left alone."""
    clips: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["split"] == split and row["kind"] in ("speech", "sung") and row["vocal"]:
            clips[row["speaker"]].append(row)
    singers = []
    for name, own in sorted(clips.items()):
        known = tuple(row for row in own if timed(row))
        unknown = tuple(row for row in own if row["kind"] == "speech" and row["seconds"] >= _SHORTEST)
        if known or unknown:
            singers.append(Singer(name, known or unknown, transcribed=bool(known)))
    return tuple(singers)


@lru_cache(maxsize=8)
def _analysed(path: Path, rate: int) -> Analysis:
    return analyse(resample(read(path), rate))


def units_for(
    singer: Singer, pack: Path, count: int, rate: int, rng: np.random.Generator
) -> tuple[list[Unit], list[Row]]:
    """At least `count` syllables, from whole clips in random order, and the clips; fewer where there are no more.

    Clips are read at `rate` Hz.
    """
    units: list[Unit] = []
    used: list[Row] = []
    for index in rng.permutation(len(singer.clips)):
        if len(units) >= count:
            break
        row = singer.clips[index]
        analysis = _analysed(pack / row["vocal"], rate)
        found = aligned_units(row["phonemes"], analysis) if singer.transcribed else heard_units(analysis)
        units += found
        used += [row] if found else []
    return units, used


def median_midi(units: Sequence[Unit]) -> float:
    """Middle pitch of the voice that recorded these syllables."""
    recordings = {id(piece.analysis): piece.analysis for unit in units for piece in unit.pieces}.values()
    hz = np.concatenate([recording.hz for recording in recordings])
    return float(69 + 12 * np.log2(np.median(hz[hz > 0]) / 440))
