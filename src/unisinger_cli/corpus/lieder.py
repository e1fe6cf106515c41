"""Songs for voice and piano from MusicXML (.mxl): who sings, in seconds, over which chords.

Repeats are played once, grace and cue notes are left out, the words are one verse.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from unisinger_cli.corpus.chords import Sounding, estimate
from unisinger_cli.corpus.song import AccompNote, Bar, ScoreSong, tempo
from unisinger_cli.notation.keys import NAMES
from unisinger_cli.notation.metre import beat_of
from unisinger_cli.notation.musicxml_read import read_musicxml
from unisinger_cli.notation.sheet import Sheet, Written, main_voice, sung_part, untied, usual_tempo
from unisinger_cli.notation.voice import one_voice
from unisinger_cli.types import Chord, Note, Score

_SLOWEST, _FASTEST = 20.0, 300.0  # quarter notes per minute
_MELODY_WEIGHT = 0.5  # of the voice as evidence of a chord: it passes through foreign notes


def load_lieder(path: Path, *, verse: str = "1", language: str = "", composer: str = "", title: str = "") -> ScoreSong:
    """The song of a .mxl file: the part with the most words is sung (its top line, its `verse`), parts without
    words accompany; chords are estimated from all of them (see `corpus.chords`).

    `composer` and `title` replace what the file says of itself. Raises InputError as `read_musicxml` does, and
    where no part has words.
    """
    sheet = read_musicxml(path)
    return _song(sheet, path, verse, language, composer or sheet.composer, title or sheet.title)


# ---------------------------------------------------------------- seconds
def _song(sheet: Sheet, path: Path, verse: str, language: str, composer: str, title: str) -> ScoreSong:
    sung = sung_part(sheet, path)
    starts = [Fraction(0)]
    for index in range(len(sheet.lengths)):
        starts.append(starts[-1] + sheet.lengths[index])
    seconds = _clock(sheet, starts)

    def timed(name: str) -> Iterator[tuple[Written, float, float]]:
        for note, begin, end in untied(sheet.notes[name], starts):
            yield note, seconds(begin), seconds(end)

    voice = main_voice(sheet.notes[sung])
    line = one_voice(
        [
            (Note(start, end, note.midi), note.lyrics.get(verse) or next(iter(note.lyrics.values()), None))
            for note, start, end in timed(sung)
            if note.voice == voice
        ]
    )
    accompaniment = tuple(
        AccompNote(start, end, note.midi, note.velocity, name)
        for name, notes in sheet.notes.items()
        if name != sung and sum(bool(note.lyrics) for note in notes) < 0.05 * len(notes)
        for note, start, end in timed(name)
    )
    evidence = [Sounding(note.start, note.end, int(note.midi), _MELODY_WEIGHT) for note, _ in line]
    evidence += [Sounding(note.start, note.end, note.midi) for note in accompaniment]
    bars = _bars(sheet, starts, seconds)
    chords = estimate(evidence, bars)
    bars = _with_keys(sheet, starts, seconds, bars, chords)
    lengths = Counter(len(bar.beats) for bar in bars)
    beats_per_bar = lengths.most_common(1)[0][0]
    downbeat = next(bar.start for bar in bars if len(bar.beats) == beats_per_bar)
    return ScoreSong(
        id=f"lieder--{path.stem}",
        set="lieder",
        composer=composer,
        title=title,
        language=language,
        split_key=composer,
        notes=tuple(note for note, _ in line),
        syllables=tuple(text for _, text in line),
        accompaniment=tuple(sorted(accompaniment, key=lambda note: (note.start, note.midi))),
        score=Score(tempo(bars), beats_per_bar, bars[0].key, chords, downbeat),
        seconds=bars[-1].end,
        bars=bars,
    )


def _clock(sheet: Sheet, starts: list[Fraction]) -> Callable[[Fraction], float]:
    """From quarter notes to seconds, by the tempo marks."""
    marks = {Fraction(0): usual_tempo(sheet)}
    for index, at, bpm in sorted(sheet.tempos):
        marks[starts[index] + at] = min(_FASTEST, max(_SLOWEST, bpm))
    quarters = [float(each) for each in (*marks, max(starts[-1], *marks) + 1)]
    lengths = [60 / bpm * (b - a) for bpm, a, b in zip(marks.values(), quarters, quarters[1:], strict=False)]
    times = np.concatenate([[0.0], np.cumsum(lengths)])
    return lambda quarter: float(np.interp(float(quarter), quarters, times))


def _bars(sheet: Sheet, starts: list[Fraction], seconds: Callable[[Fraction], float]) -> tuple[Bar, ...]:
    """Bars and their beats, still without keys. A bar that a repeat sign cuts in two is one bar."""
    spans: list[tuple[Fraction, Fraction, Fraction]] = []  # start, end and beat in quarter notes
    beats, unit = 4, 4
    for index in range(len(sheet.lengths)):
        beats, unit = sheet.times.get(index, (beats, unit))
        begin, end = starts[index], starts[index + 1]
        if index in sheet.pickups and len(spans) > 1 and end - spans[-1][0] <= Fraction(4 * beats, unit):
            spans[-1] = (spans[-1][0], end, spans[-1][2])
        elif end > begin:
            spans.append((begin, end, beat_of(beats, unit)))
    return tuple(
        Bar(tuple(seconds(begin + beat * k) for k in range(math.ceil((end - begin) / beat))), seconds(end), "")
        for begin, end, beat in spans
    )


def _with_keys(
    sheet: Sheet,
    starts: list[Fraction],
    seconds: Callable[[Fraction], float],
    bars: tuple[Bar, ...],
    chords: tuple[Chord, ...],
) -> tuple[Bar, ...]:
    """Bars with the keys of the key signatures: of the two that share one, major and its relative minor, the key
    whose tonic and dominant sound longer while it holds."""
    changes = [(seconds(starts[index]), fifths) for index, fifths in sorted(sheet.fifths.items())] or [(0.0, 0)]
    keyed: list[Bar] = []
    for position, (begin, fifths) in enumerate(changes):
        end = changes[position + 1][0] if position + 1 < len(changes) else math.inf
        tonic = 7 * fifths % 12
        heard = [chord for chord in chords if begin <= chord.start < end]
        major = _heard(heard, tonic, ("maj", "maj7")) + _heard(heard, tonic + 7, ("maj", "7"))
        minor = _heard(heard, tonic + 9, ("min", "min7")) + _heard(heard, tonic + 4, ("maj", "7"))
        key = f"{NAMES[tonic]}:maj" if major >= minor else f"{NAMES[(tonic + 9) % 12]}:min"
        keyed += [replace(bar, key=key) for bar in bars if begin <= bar.start < end]
    return tuple(keyed)


def _heard(chords: list[Chord], root: int, qualities: tuple[str, ...]) -> float:
    return sum(each.end - each.start for each in chords if each.root == root % 12 and each.quality in qualities)
