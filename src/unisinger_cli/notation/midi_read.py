"""A melody out of anybody's MIDI file: which track it is, its notes and words, tempo, metre and key."""

from __future__ import annotations

import io
import re
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import mean
from typing import Any

from unisinger_cli.errors import InputError
from unisinger_cli.notation.keys import read_key
from unisinger_cli.notation.metre import beat_of, tune_of
from unisinger_cli.types import Tune

MAX_BYTES = 1 << 20
_NOTES = 100_000
_TEXT = 200  # bytes of a name or a syllable
_HINT = "export the melody as a standard MIDI file (format 0 or 1)"
_NAMES = re.compile(r"melod|vocal|voice|lead|vox|sing|sopran|gesang|voc\b", re.I)
_DRUMS = 9  # the channel
_RANGE = (36, 84)  # where a melody's mean pitch lies


@dataclass
class _Part:
    """The notes of one channel of one track, in ticks: (start, end, MIDI note)."""

    name: str
    notes: list[tuple[int, int, int]] = field(default_factory=list)
    worded: bool = False  # its track has lyrics

    def overlap(self) -> float:
        """Share of the notes that begin, by more than a slip, before the one before has ended."""
        ordered = sorted(self.notes)
        late = sum(b[0] < a[1] - (a[1] - a[0]) // 3 for a, b in pairwise(ordered))
        return late / len(ordered)


@dataclass
class _Song:
    """All that is taken from the file, in ticks."""

    resolution: int
    parts: list[_Part]
    texts: list[tuple[int, str]]  # lyrics
    tempos: list[tuple[int, int]]  # microseconds in a quarter note
    metres: list[tuple[int, int, int]]
    key: str = ""
    end: int = 0


def read_midi(data: bytes, file: str) -> Tune:
    """The melody of a MIDI file of format 0 or 1; errors call it `file`.

    The melody is the channel of a track whose notes carry the most lyrics, else the one whose name says so, else the
    highest that is one voice; its top line, where it has chords. Raises InputError for a file that is damaged, over
    MAX_BYTES, of format 2, timed in film frames, or without a note.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{file} has over {MAX_BYTES >> 10} KiB, and a melody may have as many", _HINT)
    song = _song(_parsed(data, file), file)
    parts = [part for part in song.parts if part.notes]
    if not parts:
        raise InputError(f"{file} has no note to sing", "give a MIDI file with a melody")
    part, why = _melody(parts, song.texts, song.resolution)
    remarks = [f"the melody is {part.name}, {why}"] if len(parts) > 1 else []
    ordered = sorted(part.notes, key=lambda note: (note[0], -note[2]))
    words, lines = _words(ordered, song.texts, song.resolution)
    written = [(a, b, midi, text) for (a, b, midi), text in zip(ordered, words, strict=True)]
    numerator, denominator = _metre(song, ordered[0][0])[1:]
    return tune_of(
        written,
        unit=song.resolution,
        tempos=[(tick, 60e6 / tempo) for tick, tempo in song.tempos],
        beat=beat_of(numerator, denominator),
        bar=4 * numerator / denominator,
        downbeat=_metre(song, ordered[0][0])[0],
        key=song.key,
        end=song.end,
        lines={ordered[i][0] for i in lines},
        remarks=remarks,
        file=file,
    )


def _parsed(data: bytes, file: str) -> Any:
    import mido

    if data[:4] != b"MThd":
        raise InputError(f"{file} is not a MIDI file", _HINT)
    try:
        parsed = mido.MidiFile(file=io.BytesIO(data), clip=True)
    except Exception as error:  # mido raises what comes: EOFError, OSError, KeySignatureError, IndexError ...
        if isinstance(error, MemoryError | RecursionError):
            raise
        raise InputError(f"{file} is damaged ({str(error) or type(error).__name__})", _HINT) from error
    if parsed.type not in (0, 1):
        raise InputError(f"{file} is of format {parsed.type}, and must be of format 0 or 1", _HINT)
    if parsed.ticks_per_beat <= 0:
        raise InputError(f"{file} counts time in film frames or not at all, and must count it in beats", _HINT)
    return parsed


def _song(parsed: Any, file: str) -> _Song:
    song = _Song(parsed.ticks_per_beat, [], [], [], [])
    lyrics: list[tuple[int, str]] = []
    karaoke: list[tuple[int, str]] = []
    count = 0
    for number, track in enumerate(parsed.tracks, 1):
        held: dict[tuple[int, int], int] = {}
        parts: dict[int, _Part] = {}
        tick, name, worded = 0, "", False
        for message in track:
            tick += message.time
            kind = message.type
            if kind in ("note_on", "note_off") and message.channel != _DRUMS:
                at = (message.channel, message.note)
                begun = held.pop(at, None)
                if begun is not None and tick > begun:
                    parts.setdefault(message.channel, _Part("")).notes.append((begun, tick, message.note))
                    count += 1
                if kind == "note_on" and message.velocity > 0:
                    held[at] = tick
            elif kind == "track_name":
                name = name or _text(message.name)
            elif kind == "lyrics":
                lyrics.append((tick, _text(message.text, strip=False)))
                worded = True
            elif kind == "text" and tick > 0:
                karaoke.append((tick, _text(message.text, strip=False)))
            elif kind == "set_tempo" and message.tempo > 0:
                song.tempos.append((tick, message.tempo))
            elif kind == "time_signature" and message.denominator <= 64:
                song.metres.append((tick, message.numerator, message.denominator))
            elif kind == "key_signature" and not song.key:
                song.key = read_key(message.key)
        if count > _NOTES:
            raise InputError(f"{file} has over {_NOTES} notes, and a melody may have as many", _HINT)
        for channel, part in parts.items():
            part.worded = worded
            called = repr(name[:40]) if name else f"track {number}"
            part.name = called + (f", channel {channel + 1}" if len(parts) > 1 else "")
        song.parts += parts.values()
        song.end = max(song.end, tick)
    song.texts = sorted(lyrics or karaoke, key=lambda each: each[0])
    return song


def _text(text: str, strip: bool = True) -> str:
    """MIDI says nothing of encodings: UTF-8 where it is that, else Latin-1. Control characters go, line ends stay."""
    with suppress(UnicodeError):
        text = text[:_TEXT].encode("latin-1").decode("utf-8")
    text = "".join(letter for letter in text if letter.isprintable() or letter in "\r\n")
    return " ".join(text.split()) if strip else text


def _near(ticks: list[int], tick: int, reach: int) -> int | None:
    """Index of the tick next to `tick`, at most `reach` away."""
    at = bisect_left(ticks, tick)
    found = min((i for i in (at - 1, at) if 0 <= i < len(ticks)), key=lambda i: abs(ticks[i] - tick), default=None)
    return found if found is not None and abs(ticks[found] - tick) <= reach else None


def _melody(parts: list[_Part], texts: list[tuple[int, str]], resolution: int) -> tuple[_Part, str]:
    """The part that is sung, and why that one."""
    if texts:
        sung = []
        for part in parts:
            starts = sorted({note[0] for note in part.notes})
            found = {_near(starts, tick, resolution // 8) for tick, _ in texts} - {None}
            sung.append((len(found) / max(len(texts), len(starts)), len(found)))
        best = max(range(len(parts)), key=lambda i: (parts[i].worded, *sung[i]))
        if sung[best][1] >= 0.5 * len({tick for tick, _ in texts}):
            return parts[best], "which has the lyrics"
    named = [part for part in parts if _NAMES.search(part.name)]
    if named:
        return min(named, key=_Part.overlap), "by its name"
    single = [part for part in parts if part.overlap() < 0.1]
    likely = [part for part in single or parts if _RANGE[0] <= mean(note[2] for note in part.notes) <= _RANGE[1]]
    highest = max(likely or single or parts, key=lambda part: mean(note[2] for note in part.notes))
    return highest, "the highest that is one voice" if single else "the highest; no track is one voice"


def _metre(song: _Song, first: int) -> tuple[int, int, int]:
    """Tick of a downbeat and the metre: the last signature at or before the first note."""
    found = (0, 4, 4)
    for tick, numerator, denominator in sorted(song.metres):
        if tick > first and found != (0, 4, 4):
            break
        if numerator > 0:
            found = (tick, numerator, denominator)
        if tick > first:
            break
    return found


def _words(
    notes: list[tuple[int, int, int]], texts: list[tuple[int, str]], resolution: int
) -> tuple[list[str | None], list[int]]:
    """The syllable of each note, as `types.Tune` has it, and the notes with which lines begin.

    Either "-" or "=" ends a syllable whose word goes on, or words are told by the spaces around them (RP-017, karaoke).
    A new line is a carriage return, a line feed, or "/" or a backslash at the beginning of a karaoke text.
    """
    starts = [note[0] for note in notes]
    placed: list[tuple[int, str]] = []
    for tick, text in texts:
        at = _near(starts, tick, resolution // 8)
        if at is not None and not text.startswith("@"):
            at = bisect_left(starts, starts[at])  # the top note of a chord
            placed.append((at, text))
    spaced = any(re.search(r"\S \S|^ \S|\S $", text) for _, text in placed)
    found: list[str | None] = [None] * len(notes)
    lines: list[int] = []
    before: int | None = None  # the note of the syllable before, while its word may go on
    anew = True
    for at, text in placed:
        anew = anew or text[:1] in "/\\\r\n"
        plain = text.strip("\r\n").lstrip("/\\")
        if before is not None and not anew and not plain.startswith(" "):
            found[before] = f"{(found[before] or '').rstrip('-')}-"
        bare = re.sub(r"[=-]+$", "-", " ".join(plain.split())).strip("_+")
        if bare.strip("-"):
            found[at] = (found[at] or "").rstrip("-") + bare
            lines += [at] if anew and at not in lines[-1:] else []
            before = at if spaced and not plain.endswith(" ") and not bare.endswith("-") else None
            anew = False
        anew = anew or text.endswith(("\r", "\n"))
    return found, lines if len(lines) > 1 else []
