"""A song as sheet music: what is sung, on which syllables, over which chords and accompaniment, when.

`window` cuts a piece that training can use. A human tempo (rubato, ritardandi) is straightened there, so that
beats fall exactly where `Score` says they do: the network is given one tempo, and the sound must keep it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from unisinger_cli.errors import InputError
from unisinger_cli.notation.voice import SHORTEST, written_words
from unisinger_cli.types import Chord, Note, Score


@dataclass(frozen=True)
class AccompNote:
    """A note of the accompaniment: seconds, MIDI note number, velocity 1..127, name of its part."""

    start: float
    end: float
    midi: int
    velocity: int
    part: str


Timed = TypeVar("Timed", AccompNote, Chord)


@dataclass(frozen=True)
class Bar:
    """A bar: the times of its beats in seconds (the first is its start), and its key such as "C:maj"."""

    beats: tuple[float, ...]
    end: float
    key: str

    @property
    def start(self) -> float:
        return self.beats[0]


@dataclass(frozen=True)
class ScoreSong:
    """One song. `split_key` names what must not stand in two splits: the composer, or the pop song's number.

    `notes` are sung by one voice, without overlaps; `syllables` has an entry for each: its text, with a "-"
    at the end where the word goes on, or None where the syllable before goes on (or no words are known).
    """

    id: str
    set: str  # "lieder", "pop909"
    composer: str
    title: str
    language: str  # "" where there are no words
    split_key: str
    notes: tuple[Note, ...]
    syllables: tuple[str | None, ...]
    accompaniment: tuple[AccompNote, ...]
    score: Score
    seconds: float
    bars: tuple[Bar, ...]

    @property
    def words(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Each sung word as written, and the index of the note on which each of its syllables begins."""
        return written_words(self.syllables)


def tempo(bars: Sequence[Bar]) -> float:
    """Mean beats per minute over `bars`."""
    return 60 * sum(len(bar.beats) for bar in bars) / (bars[-1].end - bars[0].start)


# ---------------------------------------------------------------- windows
def starts(song: ScoreSong, seconds: float, *, sung: float = 0.4) -> tuple[float, ...]:
    """Downbeats (s) where a window of `seconds` can begin: one metre throughout, and notes of the voice for
    at least the share `sung` of the time."""
    found = []
    for index, bar in enumerate(song.bars):
        if bar.start + seconds > song.bars[-1].end + 0.5:
            break
        inside = list(_inside(song.bars[index:], seconds))
        voiced = sum(max(0.0, min(note.end, bar.start + seconds) - max(note.start, bar.start)) for note in song.notes)
        if len({len(each.beats) for each in inside}) == 1 and voiced >= sung * seconds:
            found.append(bar.start)
    return tuple(found)


def _inside(bars: Sequence[Bar], seconds: float) -> Iterator[Bar]:
    for bar in bars:
        if bar.start >= bars[0].start + seconds - 0.05:
            return
        yield bar


def window(song: ScoreSong, start: float, seconds: float) -> ScoreSong:
    """`seconds` of a song from the downbeat nearest to `start`, on times of its own: it begins at 0 with a
    downbeat, and its tempo is constant (the mean of what was there).

    The voice's notes that begin inside are kept and cut at the end; a syllable that began earlier is dropped
    with all its notes. Raises InputError where `seconds` is not positive or the song has no bars.
    """
    if seconds <= 0 or not song.bars:
        raise InputError(f"{song.id}: no window of {seconds:g} s can be cut from {len(song.bars)} bars")
    first = min(range(len(song.bars)), key=lambda index: abs(song.bars[index].start - start))
    origin = song.bars[first].start
    bars = list(_inside(song.bars[first:], seconds))
    bpm = tempo(bars)
    old = np.array([*(beat for bar in bars for beat in bar.beats), bars[-1].end])
    new = np.arange(len(old)) * 60 / bpm

    def moved(time: float) -> float:
        """Where a time falls once every beat is as long as every other; beyond the beats, just shifted."""
        if time < origin or time > old[-1]:
            return time - (origin if time < origin else old[-1] - new[-1])
        return float(np.interp(time, old, new))

    notes, syllables = _sung(song, moved, seconds)
    heard = [replace(each, start=moved(each.start), end=moved(each.end)) for each in song.accompaniment]
    chords = [replace(each, start=moved(each.start), end=moved(each.end)) for each in song.score.chords]
    beats = iter(new)
    return replace(
        song,
        notes=notes,
        syllables=syllables,
        accompaniment=tuple(_clipped(heard, seconds)),
        score=Score(bpm, len(bars[0].beats), bars[0].key, tuple(_clipped(chords, seconds))),
        seconds=seconds,
        bars=tuple(Bar(tuple(float(next(beats)) for _ in bar.beats), moved(bar.end), bar.key) for bar in bars),
    )


def _sung(
    song: ScoreSong, moved: Callable[[float], float], seconds: float
) -> tuple[tuple[Note, ...], tuple[str | None, ...]]:
    texts = any(text is not None for text in song.syllables)
    kept: list[tuple[Note, str | None]] = []
    for note, text in zip(song.notes, song.syllables, strict=True):
        start, end = moved(note.start), min(moved(note.end), seconds)
        if start < -1e-6 or end - start < SHORTEST:
            continue
        if kept or text is not None or not texts:
            kept.append((Note(max(0.0, start), end, note.midi), text))
    return tuple(note for note, _ in kept), tuple(text for _, text in kept)


def _clipped(events: Sequence[Timed], seconds: float) -> Iterator[Timed]:
    """What sounds within 0..seconds, cut to it."""
    for each in events:
        start, end = max(0.0, each.start), min(seconds, each.end)
        if end - start >= SHORTEST:
            yield replace(each, start=start, end=end)
