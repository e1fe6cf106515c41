"""MusicXML, plain (.musicxml, .xml) or packed (.mxl): what stands in a partwise score, as a `Sheet`.

Grace and cue notes are left out. `notation.musicxml_tune` makes a tune of it, `corpus.lieder` songs.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from unisinger_cli.errors import InputError
from unisinger_cli.notation.fields import data_of
from unisinger_cli.notation.sheet import Sheet, Written

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES = 16 << 20  # of the unpacked score
_ENTRIES = 1000  # files in an .mxl
_DENSEST = 400  # bytes that one packed byte may become; a score packs about 20 to 1
_MOST_BARS = 5000
_LONGEST_BAR = 256  # quarter notes; cadenzas are long, but not so long
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_JUMPS = ("dacapo", "dalsegno", "tocoda", "coda", "fine")
_KINDS = {  # of chords, to ours; None is silence
    "major": "maj", "minor": "min", "augmented": "aug", "diminished": "dim", "dominant": "7", "major-seventh": "maj7",
    "minor-seventh": "min7", "diminished-seventh": "dim", "half-diminished": "dim", "augmented-seventh": "aug",
    "major-minor": "min", "major-sixth": "maj", "minor-sixth": "min", "dominant-ninth": "7", "major-ninth": "maj7",
    "minor-ninth": "min7", "dominant-11th": "7", "dominant-13th": "7", "suspended-second": "sus4",
    "suspended-fourth": "sus4", "power": "maj", "none": None,
}  # fmt: skip


def read_musicxml(path: Path) -> Sheet:
    """All parts of a partwise score. Raises InputError for a file that is missing, damaged, larger than
    `MAX_BYTES` unpacked, or says things that no score can (a pitch out of range, a negative length)."""
    return parse_musicxml(data_of(path, MAX_BYTES, "a MusicXML score"), str(path))


def parse_musicxml(data: bytes, file: str) -> Sheet:
    """The same of the bytes of a file, which errors call `file`."""
    root = _parse(_unpacked(data, file) if data[:2] == b"PK" else data, file)
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
        raise InputError(f"{file} cannot be understood ({type(error).__name__}: {error})") from error
    return sheet


def _unpacked(data: bytes, file: str) -> bytes:
    """The score in an .mxl file. Nothing is written anywhere: a name is looked up among the entries, no more."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as files:
            entries = {entry.filename: entry for entry in files.infolist()}
            if len(entries) > _ENTRIES:
                raise InputError(f"{file} has {len(entries)} files inside, and may have {_ENTRIES}")
            named = _rootfile(files, file) if "META-INF/container.xml" in entries else None
            scores = [
                name for name in entries if name.endswith((".xml", ".musicxml")) and not name.startswith("META-INF/")
            ]
            if named not in entries and not scores:
                raise InputError(f"{file} has no score inside")
            return _entry(files, named if named in entries else scores[0], file)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{file} is not an .mxl file that can be read ({error})") from error


def _entry(files: zipfile.ZipFile, name: str | None, file: str) -> bytes:
    entry = files.getinfo(name or "")
    if entry.file_size > MAX_BYTES:
        raise InputError(f"{file} unpacks to more than {MAX_BYTES >> 20} MiB")
    if entry.file_size > _DENSEST * max(entry.compress_size, 64):
        raise InputError(f"{file} unpacks to {entry.file_size} bytes of {entry.compress_size}, which is no score")
    with files.open(entry) as member:
        data = member.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"{file} unpacks to more than {MAX_BYTES >> 20} MiB")
    return data


def _rootfile(files: zipfile.ZipFile, file: str) -> str | None:
    """The name of the score, by the container's list."""
    for each in _tree(_entry(files, "META-INF/container.xml", file), file).iter():
        if each.tag.rpartition("}")[2] == "rootfile":
            return each.get("full-path")
    return None


def _tree(data: bytes, file: str) -> Element:
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(data)
    except DefusedXmlException as error:
        raise InputError(f"{file} defines XML entities, which are not read") from error
    except (ParseError, ValueError, LookupError) as error:
        raise InputError(f"{file} is not well-formed XML ({error})") from error
    return root


def _parse(data: bytes, file: str) -> Element:
    root = _tree(data, file)
    if root.tag != "score-partwise":
        raise InputError(f"{file} is <{root.tag[:40]}>, and must be <score-partwise>", "export it as partwise MusicXML")
    return root


# ---------------------------------------------------------------- bars
def _read_part(part: Element, name: str, sheet: Sheet) -> None:
    divisions, transpose, velocity = 1, 0, 80
    for index, measure in enumerate(part.findall("measure")):
        if index >= _MOST_BARS:
            raise ValueError(f"over {_MOST_BARS} bars")
        at = longest = onset = Fraction(0)
        if measure.get("implicit") == "yes":
            sheet.pickups.add(index)
        for element in measure:
            length = _quarters(element.findtext("duration"), divisions)
            if length < 0:
                raise ValueError(f"a note of negative length in bar {index + 1}")
            if element.tag == "attributes":
                divisions = _bounded(int(element.findtext("divisions") or divisions), 1, 10**6, "divisions")
                transpose = _transposition(element, transpose)
                _read_signature(element, index, sheet)
            elif element.tag in ("direction", "sound"):
                velocity = _read_direction(element, index, at, velocity, sheet)
            elif element.tag == "harmony":
                sheet.harmonies[index, max(Fraction(0), at + _quarters(element.findtext("offset"), divisions))] = (
                    _chord(element, transpose)
                )
            elif element.tag == "barline":
                _read_barline(element, index, sheet)
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


def _quarters(text: str | None, divisions: int) -> Fraction:
    """A length in quarter notes. By way of a float: a Fraction of "1e-999999999" would never end."""
    return Fraction(float(text or 0)).limit_denominator(100_000) / divisions


def _bounded(value: int, low: int, high: int, what: str) -> int:
    if not low <= value <= high:
        raise ValueError(f"{what} of {str(value)[:20]}")
    return value


def _transposition(attributes: Element, before: int) -> int:
    transpose = attributes.find("transpose")
    if transpose is None:
        return before
    octaves = int(transpose.findtext("octave-change") or 0)
    return round(float(transpose.findtext("chromatic") or 0)) + 12 * octaves


def _read_signature(attributes: Element, index: int, sheet: Sheet) -> None:
    beats, unit = attributes.findtext("time/beats"), attributes.findtext("time/beat-type")
    if beats and unit:
        count = _bounded(sum(int(each) for each in beats.split("+")), 1, 64, "a metre")
        sheet.times[index] = (count, _bounded(int(unit), 1, 128, "beats"))
    fifths = attributes.findtext("key/fifths")
    if fifths:
        sheet.fifths[index] = _bounded(int(fifths), -7, 7, "a key signature")
        sheet.modes[index] = (attributes.findtext("key/mode") or "").strip().lower()


def _read_barline(element: Element, index: int, sheet: Sheet) -> None:
    repeat, ending = element.find("repeat"), element.find("ending")
    if repeat is not None and repeat.get("direction") == "forward":
        sheet.repeats[index].begins = True
    elif repeat is not None:
        sheet.repeats[index].plays = min(9, max(2, int(repeat.get("times") or 2)))
    if ending is not None and ending.get("type") == "start":
        sheet.repeats[index].endings = {int(each) for each in ending.get("number", "1").split(",") if each.strip()}
    elif ending is not None:  # it ends here: the bars since its start belong to it
        first = next((i for i in range(index, -1, -1) if i in sheet.repeats and sheet.repeats[i].endings), index)
        for bar in range(first + 1, index + 1):
            sheet.repeats[bar].endings = set(sheet.repeats[first].endings)


def _chord(element: Element, transpose: int) -> tuple[int, str, int] | None:
    """Root, quality and bass; None for "no chord"."""
    quality = _KINDS.get((element.findtext("kind") or "none").strip(), "maj")
    step = element.findtext("root/root-step")
    if quality is None or not step:
        return None
    root = (_STEPS[step.strip()] + round(float(element.findtext("root/root-alter") or 0)) + transpose) % 12
    low = element.findtext("bass/bass-step")
    alter = round(float(element.findtext("bass/bass-alter") or 0))
    return root, quality, (_STEPS[low.strip()] + alter + transpose) % 12 if low else root


def _read_direction(element: Element, index: int, at: Fraction, before: int, sheet: Sheet) -> int:
    """Notes tempo marks in `sheet`, and returns the MIDI velocity from here on."""
    if index == 0:
        sheet.words += " ".join(words.text or "" for words in element.iter("words")).lower() + " "
    velocity = before
    for sound in element.iter("sound"):
        bpm, dynamics = sound.get("tempo"), sound.get("dynamics")
        sheet.jumps |= {name for name in _JUMPS if sound.get(name)}
        if bpm and not 0 < float(bpm) < 10_000:
            raise ValueError(f"a tempo of {bpm} in bar {index + 1}")
        if bpm:
            sheet.tempos.append((index, at, float(bpm)))
        if dynamics:  # a percentage of forte, which MusicXML sets at 90
            velocity = min(127, max(20, round(0.9 * float(dynamics))))
    return velocity


def _note(element: Element, bar: int, at: Fraction, length: Fraction, transpose: int, velocity: int) -> Written:
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
    ends = element.find("lyric/end-line") is not None or element.find("lyric/end-paragraph") is not None
    return Written(bar, at, length, midi, voice, velocity, tied, lyrics, ends)
