"""A melody out of anybody's MusicXML: the part with the words, its repeats played, its chord symbols kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from unisinger_cli.errors import InputError
from unisinger_cli.notation.keys import NAMES
from unisinger_cli.notation.metre import beat_of, tune_of
from unisinger_cli.notation.musicxml_read import MAX_BYTES, parse_musicxml
from unisinger_cli.notation.sheet import Sheet, Written, main_voice, sung_part, untied, usual_tempo
from unisinger_cli.types import Tune

_MOST_BARS = 5000  # that are played
_HINT = "export the melody as MusicXML (.musicxml or .mxl)"


def read_musicxml_tune(data: bytes, file: str) -> Tune:
    """The melody of a score: the top line of the part with the most words, or of its first part with notes.

    Repeats with their endings are played, each pass with its verse where there is one; jumps (D.C., D.S., coda) are
    refused. Raises InputError for what cannot be read, too.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{file} has over {MAX_BYTES >> 20} MiB, and a score may have as many", _HINT)
    sheet = parse_musicxml(data, file)
    if not any(sheet.notes.values()):
        raise InputError(f"{file} has no note to sing", _HINT)
    if sheet.jumps:
        raise InputError(f"{file} has jumps ({', '.join(sorted(sheet.jumps))}), which are not played", "write them out")
    worded = any(note.lyrics for notes in sheet.notes.values() for note in notes)
    name = sung_part(sheet, file) if worded else next(name for name, notes in sheet.notes.items() if notes)
    voice = main_voice(sheet.notes[name])
    order = _played(sheet, file)
    if not order:
        raise InputError(f"{file} has no note to sing: none of its bars is played", _HINT)
    starts = [Fraction(0)]
    for bar, _ in order:
        starts.append(starts[-1] + sheet.lengths[bar])
    notes = _unfolded([note for note in sheet.notes[name] if note.voice == voice], order)
    sung = list(untied(notes, starts))
    written = [(begin, end, note.midi, _syllable(note)) for note, begin, end in sung]
    verses = {verse for note in sheet.notes[name] for verse in note.lyrics}
    remarks = [f"the melody is the part {name[:60]!r}"] if sum(map(bool, sheet.notes.values())) > 1 else []
    passes = max(number for _, number in order)
    if len(verses) > passes:
        remarks.append(f"of {len(verses)} verses the first {'is' if passes == 1 else passes} sung")
    beats, unit = next((sheet.times[bar] for bar, _ in order if bar in sheet.times), (4, 4))
    first = next((i for i, (bar, _) in enumerate(order) if sheet.lengths[bar] == Fraction(4 * beats, unit)), 0)
    tempos = [(starts[i] + at, bpm) for i, (bar, _) in enumerate(order) for b, at, bpm in sheet.tempos if b == bar]
    if not any(position == 0 for position, _ in tempos):
        tempos.insert(0, (Fraction(0), tempos[0][1] if tempos else usual_tempo(sheet)))
    return tune_of(
        written,
        unit=1,
        tempos=tempos,
        beat=beat_of(beats, unit),
        bar=Fraction(4 * beats, unit),
        downbeat=starts[first],
        key=_key(sheet, order[0][0]),
        end=starts[-1],
        lines=_lines(sung),
        chords=_chords(sheet, order, starts),
        remarks=remarks,
        file=file,
    )


def _played(sheet: Sheet, file: str) -> list[tuple[int, int]]:
    """The bars in the order in which they are played, each with the number of the pass, from 1."""
    order: list[tuple[int, int]] = []
    bar = begin = 0
    number = 1
    while bar < len(sheet.lengths):
        if len(order) >= _MOST_BARS:
            raise InputError(f"{file} plays over {_MOST_BARS} bars with its repeats", "give a part of it")
        signs = sheet.repeats.get(bar)
        if signs is not None and signs.begins and bar != begin:
            begin, number = bar, 1
        if signs is None or not signs.endings or number in signs.endings:
            order.append((bar, number))
            if signs is not None and number < _passes(sheet, begin, bar):
                bar, number = begin, number + 1
                continue
            if signs is not None and signs.plays > 1 and not signs.endings:
                begin, number = bar + 1, 1
        bar += 1
    return order


def _passes(sheet: Sheet, begin: int, bar: int) -> int:
    """How often the stretch from `begin` is played, whose repeat sign stands at `bar`; 1 where none stands there."""
    signs = sheet.repeats[bar]
    if signs.plays == 1:
        return 1
    return max(signs.plays, *signs.endings) if signs.endings else signs.plays


def _unfolded(notes: Sequence[Written], order: Sequence[tuple[int, int]]) -> list[Written]:
    """The notes of the bars as they are played, `bar` counting those, each with the words of its pass alone."""
    by_bar: dict[int, list[Written]] = {}
    for note in notes:
        by_bar.setdefault(note.bar, []).append(note)
    found = []
    for played, (bar, number) in enumerate(order):
        for note in by_bar.get(bar, ()):
            text = note.lyrics.get(str(number)) or next(iter(note.lyrics.values()), None)
            found.append(replace(note, bar=played, lyrics={"1": text} if text else {}))
    return found


def _syllable(note: Written) -> str | None:
    text = "".join(letter for letter in note.lyrics.get("1", "") if letter.isprintable())
    return " ".join(text.split())[:200] or None


def _lines(sung: Sequence[tuple[Written, Fraction, Fraction]]) -> set[Fraction]:
    """Where lines begin, of words that say where lines end."""
    begins: set[Fraction] = set()
    anew = any(note.ends_line for note, _, _ in sung)
    for note, begin, _ in sung:
        if anew and note.lyrics:
            begins.add(begin)
            anew = False
        anew = anew or note.ends_line
    return begins


def _key(sheet: Sheet, bar: int) -> str:
    """Of the first key signature that says whether it is major or minor; "" where none does."""
    known = sorted(i for i in sheet.fifths if sheet.modes.get(i) in ("major", "minor"))
    if not known:
        return ""
    tonic = 7 * sheet.fifths[known[0]]
    minor = sheet.modes[known[0]] == "minor"
    return f"{NAMES[(tonic + (9 if minor else 0)) % 12]}:{'min' if minor else 'maj'}"


def _chords(
    sheet: Sheet, order: Sequence[tuple[int, int]], starts: Sequence[Fraction]
) -> list[tuple[Fraction, Fraction, int, str, int]]:
    """The chord symbols, each until the next."""
    by_bar: dict[int, list[Fraction]] = {}
    for bar, at in sorted(sheet.harmonies):
        by_bar.setdefault(bar, []).append(at)
    marks = [
        (min(starts[i] + at, starts[i + 1]), sheet.harmonies[bar, at])
        for i, (bar, _) in enumerate(order)
        for at in by_bar.get(bar, ())
    ]
    return [
        (begin, end, *chord)
        for (begin, chord), (end, _) in pairwise([*marks, (starts[-1], None)])
        if chord is not None and end > begin
    ]
