"""Which recordings an evaluation uses: those of the *test* speakers of a pack, whom no training has heard, and
accompaniments of songs that none has heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unisinger_cli.audio import read, resample
from unisinger_cli.corpus.pack import read_index
from unisinger_cli.errors import InputError
from unisinger_cli.types import Audio

MADE = "factory"  # resynthesised: no voice to be judged, but an accompaniment to be coded
SINGING = ("song", "sung")
SOURCE_SECONDS = (4.0, 12.0)
REFERENCE_SECONDS = (4.0, 30.0)


@dataclass(frozen=True)
class Clip:
    """A recording of a test speaker; `accomp` is the accompaniment's file where the pack has one, `said` its phonemes
    where they are known."""

    name: str
    path: Path
    speaker: str
    kind: str
    seconds: float
    accomp: Path | None = None
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """Whose performance, and in whose voice."""

    source: Clip
    reference: Clip


def unheard_clips(packs: Sequence[Path]) -> list[Clip]:
    """All clips with a vocal in the test split, and all factory songs that are not in the train split.

    Raises InputError where a pack has no index, or no pack has a test speaker.
    """
    clips = [
        Clip(
            row["id"],
            pack / row["vocal"],
            row["speaker"],
            row["kind"],
            row["seconds"],
            pack / row["accomp"] if row["accomp"] else None,
            tuple(symbol for symbol, *_ in row["phonemes"] or ()),
        )
        for pack in packs
        for row in read_index(pack)
        if row["vocal"] and (row["split"] == "test" or (row["kind"] == MADE and row["split"] != "train"))
    ]
    if all(clip.kind == MADE for clip in clips):
        raise InputError(f"{packs[0]} has no recording of a test speaker", "give a pack of `unisinger prepare voices`")
    return clips


def _within(clip: Clip, bounds: tuple[float, float]) -> bool:
    return clip.kind != MADE and bounds[0] <= clip.seconds <= bounds[1]


def sources(clips: Sequence[Clip], count: int, rng: np.random.Generator) -> list[Clip]:
    """Up to `count` clips of 4 to 12 s, half of them singing as far as there are enough of either."""
    usable = [clip for clip in clips if _within(clip, SOURCE_SECONDS)]
    usable = [usable[i] for i in rng.permutation(len(usable))]
    sung = [clip for clip in usable if clip.kind in SINGING]
    spoken = [clip for clip in usable if clip.kind not in SINGING]
    singing = min(len(sung), max((count + 1) // 2, count - len(spoken)))
    return [*sung[:singing], *spoken[: count - singing]]


def references(clips: Sequence[Clip], rng: np.random.Generator) -> list[Clip]:
    """Clips of 4 to 30 s, one of each speaker first, then a second of each, and so on."""
    usable = [clip for clip in clips if _within(clip, REFERENCE_SECONDS)]
    speakers: dict[str, list[Clip]] = {}
    for i in rng.permutation(len(usable)):
        speakers.setdefault(usable[i].speaker, []).append(usable[i])
    rounds = max(map(len, speakers.values()), default=0)
    return [own[i] for i in range(rounds) for own in speakers.values() if i < len(own)]


def choose_pairs(clips: Sequence[Clip], count: int, seed: int) -> list[Pair]:
    """Up to `count` pairs, the same for the same seed: no source and no reference twice, never one speaker with
    himself, and as many different reference speakers as there are. Raises InputError where there is no pair."""
    rng = np.random.default_rng(seed)
    left = references(clips, rng)
    pairs = []
    for source in sources(clips, count, rng):
        reference = next((clip for clip in left if clip.speaker != source.speaker), None)
        if reference is not None:
            left.remove(reference)
            pairs.append(Pair(source, reference))
    if not pairs:
        raise InputError(
            "there are not two test speakers with recordings of 4 to 12 s", "give a pack with more test speakers"
        )
    return pairs


def songs_of(clips: Sequence[Clip]) -> list[Clip]:
    """Those that have an accompaniment, in their order."""
    return [clip for clip in clips if clip.accomp is not None]


def mixed(clip: Clip, rate: int, seconds: float | None = None) -> Audio:
    """A song's vocal and accompaniment, as `together` sums them up."""
    return together([path for path in (clip.path, clip.accomp) if path is not None], rate, seconds)


def together(paths: Sequence[Path], rate: int, seconds: float | None = None) -> Audio:
    """The recordings of one song, mono at `rate` Hz, summed up: as long as the shortest, at most `seconds`."""
    length = None if seconds is None else int(seconds * rate)
    parts = [resample(read(path), rate).mono()[:length] for path in paths]
    shortest = min(map(len, parts))
    return Audio(np.stack([part[:shortest] for part in parts]).sum(axis=0, keepdims=True, dtype=np.float32), rate)
