"""POP909 (Wang et al., ISMIR 2020): pop songs as MIDI with beats, chords and keys, read from the zip."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from unisinger_cli.corpus.song import AccompNote, Bar, ScoreSong, tempo
from unisinger_cli.errors import InputError
from unisinger_cli.notation.keys import NAMES, read_key
from unisinger_cli.notation.voice import one_voice
from unisinger_cli.types import Chord, Note, Score

MAX_BYTES = 4 << 20  # of one file in the zip
_PEDAL, _LONGEST = 64, 6.0  # controller of the sustain pedal; s that it may hold a note

# Chord names of the set that ours do not have. sus2 is the same notes as sus4 on its fifth.
_QUALITY = {
    "maj": "maj", "maj6": "maj", "maj7": "maj7", "min": "min", "min6": "min", "minmaj7": "min", "min7": "min7",
    "7": "7", "sus4": "sus4", "sus4(b7)": "sus4", "dim": "dim", "dim7": "dim", "hdim7": "dim", "aug": "aug",
}  # fmt: skip
_DEGREE = {"b3": 3, "3": 4, "5": 7, "b7": 10, "7": 11}


def song_numbers(archive: Path) -> tuple[str, ...]:
    """Numbers ("001") of the songs in the zip."""
    with _open(archive) as files:
        names = files.namelist()
    return tuple(sorted(name[:3] for name in names if name[3:4] == "/" and name == f"{name[:3]}/{name[:3]}.mid"))


def load_pop909(archive: Path, number: str) -> ScoreSong:
    """Song `number` ("001") of the zip: the MELODY track is sung (no words are known), BRIDGE and PIANO are
    the accompaniment, with the sustain pedal written into the lengths of notes.

    Raises InputError where the zip, the song or one of its files is missing, damaged or too large.
    """
    where = f"{archive}: song {number}"
    with _open(archive) as files:
        midi = _member(files, where, f"{number}/{number}.mid")
        bars, harmony = _harmony(files, where, number)
    try:
        tracks = _tracks(midi)
    except (InputError, EOFError, OSError, ValueError, KeyError, IndexError) as error:
        raise _unreadable(where, error) from error
    line = one_voice([(Note(each.start, each.end, each.midi), None) for each in tracks.get("MELODY", ())])
    if not line or not bars:
        raise InputError(f"{where} has {len(line)} notes in its MELODY track and {len(bars)} bars")
    played = [*tracks.get("BRIDGE", ()), *tracks.get("PIANO", ())]
    lengths = [len(bar.beats) for bar in bars]
    beats_per_bar = max(set(lengths), key=lengths.count)
    downbeat = next(bar.start for bar in bars if len(bar.beats) == beats_per_bar)
    return ScoreSong(
        id=f"pop909--{number}",
        set="pop909",
        composer="",
        title=number,
        language="",
        split_key=number,
        notes=tuple(note for note, _ in line),
        syllables=(None,) * len(line),
        accompaniment=tuple(sorted(played, key=lambda note: (note.start, note.midi))),
        score=Score(tempo(bars), beats_per_bar, bars[0].key, harmony, downbeat),
        seconds=bars[-1].end,
        bars=bars,
    )


def load_harmony(archive: Path, number: str) -> tuple[tuple[Bar, ...], tuple[Chord, ...]]:
    """Bars and chords of song `number` ("001"); its notes are not read. Raises InputError as `load_pop909`."""
    with _open(archive) as files:
        return _harmony(files, f"{archive}: song {number}", number)


def _harmony(files: zipfile.ZipFile, where: str, number: str) -> tuple[tuple[Bar, ...], tuple[Chord, ...]]:
    names = ("beat_midi", "chord_midi", "key_audio")
    beats, chords, keys = (
        _rows(_member(files, where, f"{number}/{name}.txt").decode("utf-8", "replace")) for name in names
    )
    try:
        return _bars(beats, keys), tuple(_chords(chords))
    except (InputError, ValueError, KeyError, IndexError) as error:
        raise _unreadable(where, error) from error


def _unreadable(where: str, error: Exception) -> InputError:
    return InputError(f"{where} cannot be read ({type(error).__name__}: {error})")


def _open(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{archive} is not a zip file that can be read ({error})") from error


def _member(files: zipfile.ZipFile, where: str, name: str) -> bytes:
    try:
        with files.open(name) as member:
            data = member.read(MAX_BYTES + 1)
    except (KeyError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{where}: {name} is missing or damaged") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{where}: {name} is larger than {MAX_BYTES >> 20} MiB")
    return data


def _rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip()]


def _tracks(data: bytes) -> dict[str, list[AccompNote]]:
    """Notes of each named track, in seconds."""
    import mido

    file = mido.MidiFile(file=io.BytesIO(data))
    if file.ticks_per_beat <= 0:
        raise ValueError("the MIDI file counts time in frames")
    tempos = [(0, 0.0, 500_000)]  # tick, seconds, microseconds per beat
    for tick, message in _absolute(mido.merge_tracks(file.tracks)):
        if message.type == "set_tempo":
            tempos.append((tick, _at(tempos, tick, file.ticks_per_beat), message.tempo))
    return {track.name: _notes(track, lambda tick: _at(tempos, tick, file.ticks_per_beat)) for track in file.tracks}


def _absolute(track: Any) -> list[tuple[int, Any]]:
    tick, events = 0, []
    for message in track:
        tick += message.time
        events.append((tick, message))
    return events


def _at(tempos: list[tuple[int, float, int]], tick: int, resolution: int) -> float:
    start, seconds, pace = next(row for row in reversed(tempos) if row[0] <= tick)
    return seconds + (tick - start) * pace / 1e6 / resolution


def _notes(track: Any, seconds: Callable[[int], float]) -> list[AccompNote]:
    held: dict[int, tuple[float, int]] = {}  # keys that are down: when and how hard
    waiting: dict[int, tuple[float, int]] = {}  # keys let go while the pedal is down
    pedal = False
    notes: list[AccompNote] = []

    def end(pitch: int, note: tuple[float, int], now: float) -> None:
        notes.append(AccompNote(note[0], min(now, note[0] + _LONGEST), pitch, note[1], track.name))

    now = 0.0
    for tick, message in _absolute(track):
        now = seconds(tick)
        if message.type == "control_change" and message.control == _PEDAL:
            pedal = message.value >= 64
            if not pedal:
                for pitch in list(waiting):
                    end(pitch, waiting.pop(pitch), now)
        elif message.type in ("note_on", "note_off"):
            pitch = message.note
            struck = message.type == "note_on" and message.velocity > 0
            if pitch in held and (struck or not pedal):
                end(pitch, held.pop(pitch), now)
            elif pitch in held:
                waiting[pitch] = held.pop(pitch)
            if struck:
                if pitch in waiting:
                    end(pitch, waiting.pop(pitch), now)
                held[pitch] = (now, message.velocity)
    for pitch, note in [*held.items(), *waiting.items()]:
        end(pitch, note, now)
    return sorted(notes, key=lambda note: (note.start, note.midi))


def _bars(beats: list[list[str]], keys: list[list[str]]) -> tuple[Bar, ...]:
    """Bars from rows "time strong downbeat"; the last, whose end nobody told, is left out."""
    spans = [(float(row[0]), float(row[1]), read_key(row[2])) for row in keys]
    groups: list[list[float]] = []
    for time, _, downbeat, *_ in beats:
        if float(downbeat) == 1 or not groups:
            groups.append([])
        groups[-1].append(float(time))
    times = [time for group in groups for time in group]
    if not all(0 <= a < b < math.inf for a, b in pairwise(times)):
        raise ValueError("beats are not in the order of time")
    bars = []
    for group, following in pairwise(groups):
        key = next((name for start, end, name in spans if start <= group[0] < end), spans[0][2])
        bars.append(Bar(tuple(group), following[0], key))
    return tuple(bars)


def _chords(rows: list[list[str]]) -> Iterator[Chord]:
    for start, end, name, *_ in rows:
        if name == "N":
            continue
        letter, _, rest = name.partition(":")
        kind, _, degree = rest.partition("/")
        root = _pitch_class(letter)
        bass = (root + _DEGREE[degree]) % 12 if degree else root
        if kind == "sus2":
            root, kind = (root + 7) % 12, "sus4"
        yield Chord(float(start), float(end), root, _QUALITY[kind], bass)


def _pitch_class(name: str) -> int:
    step = NAMES.index(name[0])
    return (step + name.count("#") - name.count("b")) % 12
