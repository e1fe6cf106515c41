"""A plan as MusicXML: the melody with its syllables, chord symbols, key, metre and tempo, on one staff."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape

from unisinger_cli.notation.keys import fifths, tonic_and_mode
from unisinger_cli.notation.voice import plan_syllables
from unisinger_cli.types import Chord, SongPlan

DIVISIONS = 16  # of a beat: a 64th note
# Lengths that one note can have, in divisions, with their names and dots; anything else is tied together of these.
_LENGTHS = (
    (64, "whole", 0), (48, "half", 1), (32, "half", 0), (24, "quarter", 1), (16, "quarter", 0), (12, "eighth", 1),
    (8, "eighth", 0), (6, "16th", 1), (4, "16th", 0), (3, "32nd", 1), (2, "32nd", 0), (1, "64th", 0),
)  # fmt: skip
_KINDS = {"maj": "major", "min": "minor", "dim": "diminished", "aug": "augmented", "sus4": "suspended-fourth",
          "maj7": "major-seventh", "min7": "minor-seventh", "7": "dominant"}  # fmt: skip
_SHARP = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLAT = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0">
 <identification><encoding><software>unisinger</software></encoding></identification>
 <part-list><score-part id="P1"><part-name>Voice</part-name></score-part></part-list>
 <part id="P1">
"""


@dataclass(frozen=True)
class _Sounding:
    """A stretch of the staff in divisions: a note, or a rest where `midi` is None."""

    start: int
    end: int
    midi: int | None
    lyric: str = ""


def write_musicxml(plan: SongPlan) -> str:
    """The text of an uncompressed MusicXML 4.0 file. Times are rounded to 1/16 beat, pitches to the semitone."""
    sharp = fifths(plan.score.key) >= 0
    bar = plan.score.beats_per_bar * DIVISIONS
    beat = 60 / plan.score.bpm
    pickup = plan.score.downbeat % (plan.score.beats_per_bar * beat)
    shift = round(pickup / beat * DIVISIONS) % bar

    def place(seconds: float) -> int:
        return max(0, round(seconds / beat * DIVISIONS))

    staff = _staff(plan, place)
    edges = list(range(shift, staff[-1].end, bar))
    edges = [0, *edges] if shift else edges
    ends = [*edges[1:], edges[-1] + bar]
    chords = [(place(chord.start), chord) for chord in plan.score.chords]
    found = [_HEAD]
    for number, (first, end) in enumerate(zip(edges, ends, strict=True)):
        short = ' implicit="yes"' if shift and number == 0 else ""
        found.append(f'  <measure number="{number if shift else number + 1}"{short}>\n')
        found.append(_attributes(plan) if number == 0 else "")
        found += _bar(staff, chords, first, end, sharp)
        found.append("  </measure>\n")
    return "".join([*found, " </part>\n</score-partwise>\n"])


def _staff(plan: SongPlan, place: Callable[[float], int]) -> list[_Sounding]:
    """Notes and the rests between them, gapless; a gap that rounds to nothing is none, a note that does is 1 long."""
    staff: list[_Sounding] = []
    now = 0
    for line, texts in zip(plan.lines, plan_syllables(plan), strict=True):
        inside = False
        for number, (syllable, text) in enumerate(zip(line.syllables, texts, strict=True), 1):
            more = text.endswith("-") and text != "-"
            syllabic = ("middle" if more else "end") if inside else "begin" if more else "single"
            inside = more
            shown = escape("".join(filter(str.isprintable, text.rstrip("-") or text)))
            lyric = f'<lyric number="1"><syllabic>{syllabic}</syllabic><text>{shown}</text>'
            lyric += "<end-line/></lyric>" if number == len(texts) else "</lyric>"
            for i, note in enumerate(syllable.notes):
                start = max(now, place(note.start))
                end = max(start + 1, place(note.end))
                if start > now:
                    staff.append(_Sounding(now, start, None))
                lyric = (
                    f'<lyric number="1"><syllabic>{syllabic}</syllabic><text>{shown}</text></lyric>' if i == 0 else ""
                )
                staff.append(_Sounding(start, end, round(note.midi), lyric))
                now = end
    last = place(plan.seconds)
    return [*staff, _Sounding(now, last, None)] if last > now else staff


def _attributes(plan: SongPlan) -> str:
    mode = "minor" if tonic_and_mode(plan.score.key)[1] == "min" else "major"
    return (
        f"   <attributes><divisions>{DIVISIONS}</divisions>"
        f"<key><fifths>{fifths(plan.score.key)}</fifths><mode>{mode}</mode></key>"
        f"<time><beats>{plan.score.beats_per_bar}</beats><beat-type>4</beat-type></time>"
        "<clef><sign>G</sign><line>2</line></clef></attributes>\n"
        '   <direction placement="above"><direction-type><metronome><beat-unit>quarter</beat-unit>'
        f"<per-minute>{plan.score.bpm:g}</per-minute></metronome></direction-type>"
        f'<sound tempo="{plan.score.bpm!r}"/></direction>\n'
    )


def _bar(staff: list[_Sounding], chords: list[tuple[int, Chord]], first: int, end: int, sharp: bool) -> list[str]:
    """The notes of one bar, cut at its ends and at chords, which stand before the note that begins with them."""
    inside = [(max(at, first), chord) for at, chord in chords if first <= at < end]
    cuts = {at for at, _ in inside}
    found: list[str] = []
    for each in staff:
        if each.end <= first or each.start >= end:
            continue
        edges = sorted({max(each.start, first), min(each.end, end)} | {at for at in cuts if each.start < at < each.end})
        for a, b in pairwise(edges):
            found += [_harmony(chord, sharp) for at, chord in inside if at == a]
            found += _tied(each, a, b, sharp)
    return found


def _tied(each: _Sounding, start: int, end: int, sharp: bool) -> list[str]:
    """`start`..`end` of a note or a rest, of the lengths that notes can have."""
    found = []
    while start < end:
        length, name, dots = next(row for row in _LENGTHS if row[0] <= end - start)
        marks = ("stop" if start > each.start else "", "start" if start + length < each.end else "")
        ties = [mark for mark in marks if mark and each.midi is not None]
        found.append(
            "   <note>"
            + ("<rest/>" if each.midi is None else _pitch(each.midi, sharp))
            + f"<duration>{length}</duration>"
            + "".join(f'<tie type="{mark}"/>' for mark in ties)
            + f"<voice>1</voice><type>{name}</type>"
            + "<dot/>" * dots
            + ("<notations>" + "".join(f'<tied type="{m}"/>' for m in ties) + "</notations>" if ties else "")
            + (each.lyric if start == each.start else "")
            + "</note>\n"
        )
        start += length
    return found


def _named(pitch: int, sharp: bool) -> tuple[str, int]:
    name = (_SHARP if sharp else _FLAT)[pitch % 12]
    return name[0], {"#": 1, "b": -1}.get(name[1:], 0)


def _pitch(midi: int, sharp: bool) -> str:
    step, alter = _named(midi, sharp)
    accidental = f"<alter>{alter}</alter>" if alter else ""
    return f"<pitch><step>{step}</step>{accidental}<octave>{midi // 12 - 1}</octave></pitch>"


def _harmony(chord: Chord, sharp: bool) -> str:
    def tone(name: str, pitch: int) -> str:
        step, alter = _named(pitch, sharp)
        return f"<{name}><{name}-step>{step}</{name}-step><{name}-alter>{alter}</{name}-alter></{name}>"

    bass = tone("bass", chord.bass) if chord.bass != chord.root else ""
    return f"   <harmony>{tone('root', chord.root)}<kind>{_KINDS[chord.quality]}</kind>{bass}</harmony>\n"
