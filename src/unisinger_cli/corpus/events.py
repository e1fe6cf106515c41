"""Scores -> the events that the composer learns from: each a choice and what it was made by.

An event is a row of categories, those of `model.composer.FEATURES` and at last the class that was chosen. Harmony comes
from POP909 and from the Lieder, note values and steps from the sung syllables of the Lieder alone: no melody of POP909
is read, as they are other people's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from unisinger_cli.corpus.pop909 import load_harmony
from unisinger_cli.corpus.scores import Entry
from unisinger_cli.corpus.song import Bar, ScoreSong
from unisinger_cli.errors import InputError
from unisinger_cli.model.composer import (
    FEATURES,
    NO_CHORD,
    NO_STEP,
    OCTAVE,
    REPERTOIRES,
    SIXTEENTHS,
    chord_class,
)  # fmt: skip
from unisinger_cli.notation.keys import tonic_and_mode
from unisinger_cli.stages.lyrics import LANGUAGES, pronounce
from unisinger_cli.stages.melody import degree_of, step_context
from unisinger_cli.stages.rhythm import BEATS, onset_context, strength, stresses, value_context, word_ends
from unisinger_cli.types import Chord, Ints, Note, Word

POP, LIED = range(len(REPERTOIRES))
_OFF_GRID = 0.1  # of a sixteenth: farther off it is a triplet, or a slip
_PHRASE, _REST = 1.0, 0.25  # beats of silence that part two phrases; that do where the writing says so, too
Rows: TypeAlias = list[tuple[int, ...]]


def events(entries: Iterable[Entry]) -> dict[str, Ints]:
    """All events of some songs by choice, int64 [events, features + 1], in the order of the songs."""
    found: dict[str, Rows] = {name: [] for name in FEATURES}
    for entry in entries:
        if entry.set == "pop909":
            bars, chords = load_harmony(entry.path, entry.title)
            found["chord"] += chord_events(bars, chords, POP)
        else:
            song = entry.load()
            found["chord"] += chord_events(song.bars, song.score.chords, LIED)
            for name, rows in song_events(song).items():
                found[name] += rows
    return {name: np.array(rows, dtype=np.int64).reshape(-1, len(FEATURES[name]) + 1) for name, rows in found.items()}


# ---------------------------------------------------------------- harmony
def chord_events(bars: Sequence[Bar], chords: Sequence[Chord], repertoire: int) -> Rows:
    """The chord of each half bar of 4/4, that which sounds for most of it; another metre or a silence begins anew."""
    rows: Rows = []
    ends = [chord.end for chord in chords]
    before = earlier = NO_CHORD
    number = 0
    for bar in bars:
        middle = bar.beats[BEATS // 2] if len(bar.beats) == BEATS else bar.end
        tonic, mode = tonic_and_mode(bar.key)
        for half, (start, end) in enumerate(((bar.start, middle), (middle, bar.end))):
            chord = None if len(bar.beats) != BEATS else _sounding(chords, ends, start, end)
            if chord is None:
                before = earlier = NO_CHORD
                number = 0
                continue
            found = chord_class((chord.root - tonic) % 12, chord.quality)
            rows.append((int(mode == "min"), repertoire, 2 * (number % 4) + half, before, earlier, found))
            before, earlier = found, before
        number += 1
    return rows


def _sounding(chords: Sequence[Chord], ends: Sequence[float], start: float, end: float) -> Chord | None:
    heard: dict[Chord, float] = {}
    for chord in chords[bisect_right(ends, start) :]:
        if chord.start >= end:
            break
        heard[chord] = min(chord.end, end) - max(chord.start, start)
    longest = max(heard, key=lambda chord: heard[chord], default=None)
    return longest if longest is not None and heard[longest] >= 0.4 * (end - start) else None


# ---------------------------------------------------------------- the sung line
@dataclass(frozen=True)
class _Sung:
    """A syllable of a score: its first note, when it ends, and where it begins (beats from the first, bar, and beats
    from the bar line)."""

    note: Note
    text: str
    end: float
    beat: float
    bar: int
    within: float


def song_events(song: ScoreSong) -> dict[str, Rows]:
    """Onsets and values of a song's lines where they are in 4/4 and its language can be pronounced; steps of all."""
    rows: dict[str, Rows] = {"onset": [], "value": [], "step": []}
    phrases = list(_phrases(song))
    rows["step"] = list(_step_events(song, phrases))
    for phrase in phrases if song.language in LANGUAGES else ():
        if all(len(song.bars[max(each.bar, 1) if song.bars[1:] else 0].beats) == BEATS for each in phrase):
            onset, values = _value_events(phrase, song.language)
            rows["onset"] += onset
            rows["value"] += values
    return rows


def _phrases(song: ScoreSong) -> Iterator[list[_Sung]]:
    """Sung syllables, parted by long rests, and by shorter ones after a stop and before a capital."""
    first = np.cumsum([0, *(len(bar.beats) for bar in song.bars)])  # beats before each bar
    times = [*(beat for bar in song.bars for beat in bar.beats), song.bars[-1].end]
    starts = [i for i, text in enumerate(song.syllables) if text is not None]
    missing = max(0, len(song.bars[1].beats) - len(song.bars[0].beats)) if song.bars[1:] else 0  # of an upbeat
    phrase: list[_Sung] = []
    for i, after in pairwise([*starts, len(song.notes)]):
        note, text = song.notes[i], song.syllables[i] or ""
        beat = float(np.interp(note.start, times, np.arange(len(times))))
        bar = min(int(np.searchsorted(first, beat + 1e-3, side="right")) - 1, len(song.bars) - 1)
        sung = _Sung(note, text, song.notes[after - 1].end, beat, bar, beat - first[bar] + (missing if bar == 0 else 0))
        if phrase:
            rest = beat - float(np.interp(phrase[-1].end, times, np.arange(len(times))))
            stop = phrase[-1].text[-1:] in (",", ".", ";", ":", "!", "?") and text[:1].isupper()
            if rest >= _PHRASE or (rest >= _REST and stop):
                yield phrase
                phrase = []
        phrase.append(sung)
    if phrase:
        yield phrase


def _value_events(phrase: Sequence[_Sung], language: str) -> tuple[Rows, Rows]:
    """Where a line begins, and each of its values, as far as they lie on the grid of sixteenths."""
    words = _words(phrase, language)
    stressed, ends = stresses(words), word_ends(words)
    on = [_whole(4 * each.within) for each in phrase]
    onset: Rows = [] if on[0] is None else [(*onset_context(stressed).tolist(), on[0] % SIXTEENTHS)]
    values: Rows = []
    before: int | None = SIXTEENTHS
    for i, (each, following) in enumerate(pairwise(phrase)):
        value, position = _whole(4 * (following.beat - each.beat)), on[i]
        found = None if value is None or not 1 <= value <= SIXTEENTHS else value - 1
        if found is not None and position is not None and before is not None:
            context = value_context(i, stressed, ends, np.array(position % SIXTEENTHS), np.array(before))
            values.append((*context.tolist(), found))
        before = found
    return onset, values


def _whole(sixteenths: float) -> int | None:
    return round(sixteenths) if abs(sixteenths - round(sixteenths)) <= _OFF_GRID else None


def _words(phrase: Sequence[_Sung], language: str) -> list[Word]:
    """The words of a phrase; those whose pronunciation has other syllables than the score keep their number alone."""
    words: list[Word] = []
    text, count = "", 0
    for each in phrase:
        text, count = text + each.text.rstrip("-"), count + 1
        if not each.text.endswith("-") or each is phrase[-1]:
            spoken = _syllables(text, language)
            words.append(Word(text.strip(",.;:!?"), spoken if len(spoken) == count else ((),) * count))
            text, count = "", 0
    return words


@lru_cache(maxsize=65536)
def _syllables(text: str, language: str) -> tuple[tuple[str, ...], ...]:
    try:
        return tuple(syllable for word in pronounce(text, language) for syllable in word.syllables)
    except InputError:
        return ()


def _step_events(song: ScoreSong, phrases: Sequence[Sequence[_Sung]]) -> Iterator[tuple[int, ...]]:
    """The step to each syllable's first note, over the chord that sounds there."""
    chords = song.score.chords
    starts = [chord.start for chord in chords]
    line = [(i, len(phrase), each) for phrase in phrases for i, each in enumerate(phrase)]
    heights = [degree_of(round(each.note.midi), song.bars[each.bar].key) for _, _, each in line]
    if not line:
        return
    middle = round(float(np.mean(heights)))
    step = NO_STEP - OCTAVE
    for at, (number, count, each) in enumerate(line[1:], 1):
        earlier = line[at - 1][2]
        key = song.bars[each.bar].key
        chord = bisect_right(starts, each.note.start + 0.02) - 1
        here = degree_of(round(each.note.midi), key)
        degree = degree_of(round(earlier.note.midi), key)
        if chord >= 0:
            position = _whole(4 * each.within)
            following = line[at + 1][2].beat if number + 1 < count else each.beat + 4
            context = step_context(
                number,
                count,
                key.endswith("min"),
                int(strength(1 if position is None else position, len(song.bars[each.bar].beats))),
                following - each.beat,
                4.0 if number == 0 else each.beat - earlier.beat,
                degree_of(chords[chord].root, key),
                degree,
                step,
                degree - middle,
            )
            yield (*context.tolist(), int(np.clip(here - degree, -OCTAVE, OCTAVE)) + OCTAVE)
        step = here - degree
