"""What stands in a MusicXML score (.mxl), read with the standard library: notes with their words, bars, metres,
keys, tempo marks. Positions are in quarter notes from the start of their bar.

Grace and cue notes are left out. `corpus.lieder` makes songs of it.
"""

from __future__ import annotations

import zipfile
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

from unisinger_cli.errors import InputError

MAX_BYTES = 16 << 20  # of the unpacked score
_LONGEST_BAR = 256  # quarter notes; cadenzas are long, but not so long
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


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
    tempos: list[tuple[int, Fraction, float]] = field(default_factory=list)
    words: str = ""


def read_musicxml(path: Path) -> Sheet:
    """All parts of a partwise score. Raises InputError for a file that is missing, damaged, larger than
    `MAX_BYTES` unpacked, or says things that no score can (a pitch out of range, a negative length)."""
    root = _parse(path)
    try:
        sheet = Sheet(
            title=(root.findtext("movement-title") or root.findtext("work/work-title") or "").strip(),
            composer=(root.findtext("identification/creator[@type='composer']") or "").strip(),
        )
        names = {part.get("id", ""): part.findtext("part-name") or "" for part in root.iter("score-part")}
        for part in root.findall("part"):
            identifier = part.get("id", "")
            _read_part(part, f"{identifier} {names.get(identifier, '')}".strip(), sheet)
    except (KeyError, ValueError, ZeroDivisionError, OverflowError) as error:
        raise InputError(f"{path} cannot be understood ({type(error).__name__}: {error})") from error
    return sheet


def _parse(path: Path) -> ElementTree.Element:
    try:
        with zipfile.ZipFile(path) as files:
            names = [name for name in files.namelist() if name.endswith((".xml", ".musicxml"))]
            scores = [name for name in names if not name.startswith("META-INF/")]
            if not scores:
                raise InputError(f"{path} has no score inside")
            with files.open(scores[0]) as member:
                data = member.read(MAX_BYTES + 1)
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path} is not an .mxl file that can be read ({error})") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} unpacks to more than {MAX_BYTES >> 20} MiB")
    if b"<!ENTITY" in data:  # nothing that MusicXML needs, and the way to blow up a parser
        raise InputError(f"{path} defines XML entities, which are not read")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise InputError(f"{path} is not well-formed XML ({error})") from error
    if root.tag != "score-partwise":
        raise InputError(f"{path} is <{root.tag}>, and must be <score-partwise>", "export it as partwise MusicXML")
    return root


# ---------------------------------------------------------------- bars
def _read_part(part: ElementTree.Element, name: str, sheet: Sheet) -> None:
    divisions, transpose, velocity = 1, 0, 80
    for index, measure in enumerate(part.findall("measure")):
        at = longest = onset = Fraction(0)
        if measure.get("implicit") == "yes":
            sheet.pickups.add(index)
        for element in measure:
            length = Fraction(element.findtext("duration") or 0) / divisions
            if length < 0:
                raise ValueError(f"a note of negative length in bar {index + 1}")
            if element.tag == "attributes":
                divisions = int(element.findtext("divisions") or divisions)
                transpose = _transposition(element, transpose)
                _read_signature(element, index, sheet)
            elif element.tag in ("direction", "sound"):
                velocity = _read_direction(element, index, at, velocity, sheet)
            elif element.tag == "backup":
                at = max(Fraction(0), at - length)
            elif element.tag == "forward":
                at += length
            elif element.tag == "note" and element.find("grace") is None:
                if element.find("chord") is None:
                    onset, at = at, at + length
                if element.find("cue") is None and element.find("pitch") is not None and length > 0:
                    written = _note(element, index, onset, length, transpose, velocity)
                    sheet.notes[name].append(written)
            longest = max(longest, at)
        if longest > _LONGEST_BAR:
            raise ValueError(f"bar {index + 1} lasts {float(longest):g} quarter notes, and may last {_LONGEST_BAR}")
        sheet.lengths[index] = max(longest, sheet.lengths.get(index, Fraction(0)))


def _transposition(attributes: ElementTree.Element, before: int) -> int:
    transpose = attributes.find("transpose")
    if transpose is None:
        return before
    octaves = int(transpose.findtext("octave-change") or 0)
    return round(float(transpose.findtext("chromatic") or 0)) + 12 * octaves


def _read_signature(attributes: ElementTree.Element, index: int, sheet: Sheet) -> None:
    beats, unit = attributes.findtext("time/beats"), attributes.findtext("time/beat-type")
    if beats and unit:
        sheet.times[index] = (sum(int(each) for each in beats.split("+")), int(unit))
    fifths = attributes.findtext("key/fifths")
    if fifths:
        sheet.fifths[index] = int(fifths)


def _read_direction(element: ElementTree.Element, index: int, at: Fraction, before: int, sheet: Sheet) -> int:
    """Notes tempo marks in `sheet`, and returns the MIDI velocity from here on."""
    if index == 0:
        sheet.words += " ".join(words.text or "" for words in element.iter("words")).lower() + " "
    velocity = before
    for sound in element.iter("sound"):
        bpm, dynamics = sound.get("tempo"), sound.get("dynamics")
        if bpm and not 0 < float(bpm) < 10_000:
            raise ValueError(f"a tempo of {bpm} in bar {index + 1}")
        if bpm:
            sheet.tempos.append((index, at, float(bpm)))
        if dynamics:  # a percentage of forte, which MusicXML sets at 90
            velocity = min(127, max(20, round(0.9 * float(dynamics))))
    return velocity


def _note(
    element: ElementTree.Element, bar: int, at: Fraction, length: Fraction, transpose: int, velocity: int
) -> Written:
    octave = int(element.findtext("pitch/octave") or 4)
    alter = round(float(element.findtext("pitch/alter") or 0))
    midi = 12 * (octave + 1) + _STEPS[element.findtext("pitch/step") or ""] + alter + transpose
    if not 0 <= midi <= 127:
        raise ValueError(f"a note at MIDI {midi} in bar {bar + 1}")
    tied = any(tie.get("type") == "stop" for tie in element.findall("tie"))
    lyrics = {}
    for lyric in element.findall("lyric"):
        text = "".join(each.text or "" for each in lyric if each.tag in ("text", "elision")).strip()
        if text:
            more = lyric.findtext("syllabic") in ("begin", "middle")
            lyrics[lyric.get("number", "1")] = text.rstrip("-") + ("-" if more else "")
    voice = element.findtext("voice") or "1"
    return Written(bar, at, length, midi, voice, velocity, tied, lyrics)
