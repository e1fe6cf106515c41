"""What stands in a written score, before it has seconds: notes with their words, bars, metres, keys, tempo marks.

Positions are in quarter notes from the start of their bar.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from unisinger_cli.errors import InputError

_USUAL = 90.0  # quarter notes per minute
# Quarter notes per minute for what stands above the first bar, where no number does. First match counts.
_TEMPO_WORDS = {
    "larghetto": 63, "largo": 48, "grave": 44, "adagio": 58, "lento": 56, "lent": 60, "andantino": 84,
    "andante": 76, "sehr langsam": 50, "langsam": 60, "allegretto": 108, "allegro": 126, "vivace": 144,
    "presto": 168, "schnell": 138, "geschwind": 126, "lebhaft": 126, "vif": 132, "animé": 120, "bewegt": 108,
    "con moto": 96, "mässig": 88, "moderato": 96, "modéré": 92, "ruhig": 72, "slow": 60, "fast": 132,
}  # fmt: skip


@dataclass
class Written:
    """A note as it stands in its bar: position and length in quarter notes."""

    bar: int
    at: Fraction
    length: Fraction
    midi: int
    voice: str
    velocity: int
    tied: bool  # to the note before
    lyrics: dict[str, str]
    ends_line: bool = False  # of the lyrics


@dataclass
class Repeat:
    """What the bar lines of a bar say."""

    begins: bool = False
    plays: int = 1  # how often the stretch that ends with the bar is played
    endings: set[int] = field(default_factory=set)  # the passes in which the bar is played; none: in all


@dataclass
class Sheet:
    """What is found in the bars, over all parts: notes by part, and by number of bar what is written there."""

    title: str
    composer: str
    notes: dict[str, list[Written]] = field(default_factory=lambda: defaultdict(list))
    lengths: dict[int, Fraction] = field(default_factory=dict)
    pickups: set[int] = field(default_factory=set)  # bars that are short on purpose
    times: dict[int, tuple[int, int]] = field(default_factory=dict)
    fifths: dict[int, int] = field(default_factory=dict)
    modes: dict[int, str] = field(default_factory=dict)
    tempos: list[tuple[int, Fraction, float]] = field(default_factory=list)
    harmonies: dict[tuple[int, Fraction], tuple[int, str, int] | None] = field(default_factory=dict)
    repeats: dict[int, Repeat] = field(default_factory=lambda: defaultdict(Repeat))
    jumps: set[str] = field(default_factory=set)  # "dacapo" and the like
    words: str = ""


def usual_tempo(sheet: Sheet) -> float:
    """Quarter notes a minute, of a score without a number, by the words above it."""
    return next((float(bpm) for word, bpm in _TEMPO_WORDS.items() if word in sheet.words), _USUAL)


def sung_part(sheet: Sheet, path: Path | str) -> str:
    """The part with the most words. Raises InputError where there is none."""
    words = {name: sum(bool(note.lyrics) for note in notes) for name, notes in sheet.notes.items()}
    if not any(words.values()):
        raise InputError(f"{path} has no part with words", "give a song with lyrics under its notes")
    return max(words, key=lambda name: words[name])


def main_voice(notes: Sequence[Written]) -> str:
    """The voice with the most words, or else the most notes."""
    sung = [note for note in notes if note.lyrics] or notes
    return Counter(note.voice for note in sung).most_common(1)[0][0]


def untied(notes: Sequence[Written], starts: Sequence[Fraction]) -> Iterator[tuple[Written, Fraction, Fraction]]:
    """Notes with their start and end in quarter notes, those tied together as one. `starts`: of the bars."""
    open_notes: dict[tuple[int, str], list[Fraction]] = {}
    whole: list[tuple[Written, list[Fraction]]] = []
    for note in sorted(notes, key=lambda each: starts[each.bar] + each.at):
        begin = starts[note.bar] + note.at
        before = open_notes.get((note.midi, note.voice))
        if note.tied and before and before[1] == begin:
            before[1] = begin + note.length
        else:
            open_notes[note.midi, note.voice] = span = [begin, begin + note.length]
            whole.append((note, span))
    return ((note, span[0], span[1]) for note, span in whole)
