"""A song's chords -> notes for a band: styles are tables of layers, a layer plays one pattern on one instrument.

Everything follows `ScoreSong.score` (chords, bass notes, metre), so that what sounds and what the network is told
agree; the style "as written" plays the accompaniment of the score itself. `rng` chooses instruments, leaves
out optional layers, and moves every note a little, as people do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unisinger_cli.corpus.patterns import DRUM_PATTERNS, PATTERNS, Groove, MidiNote
from unisinger_cli.corpus.song import ScoreSong
from unisinger_cli.errors import InputError

AS_WRITTEN = "as written"
_TIMING, _MOST_LATE, _VELOCITY = 0.007, 0.02, 5.0  # s and MIDI velocity: spread of what people do; s at most
_DOUBLED, _DOUBLE_VELOCITY = 0.1, 44  # how often an instrument plays the melody along, and how softly
_SLOW, _FAST = 82.0, 112.0  # beats per minute, the limits of `stages.style`
_FAMILIES = (  # General MIDI programs 0.. and the tag of what they sound like
    (range(0, 8), "piano"), (range(16, 21), "organ"), (range(24, 32), "guitar"), (range(32, 40), "bass"),
    (range(40, 52), "strings"), (range(80, 104), "synth"),
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One instrument: General MIDI program 0..127 (of no account for drums), pan -1..1."""

    program: int
    notes: tuple[MidiNote, ...]
    drums: bool = False
    pan: float = 0.0


@dataclass(frozen=True)
class Arrangement:
    """What a band plays for `seconds`; `tags` are a subset of `model.config.TAGS`."""

    style: str
    parts: tuple[Part, ...]
    seconds: float
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Layer:
    """A pattern of `corpus.patterns` (one of several), on one of several programs; `chance` that it plays."""

    patterns: tuple[str, ...]
    programs: tuple[int, ...]
    velocity: int
    chance: float = 1.0
    pan: float = 0.0


@dataclass(frozen=True)
class Style:
    """Layers, drum patterns to choose from (none: no drums), genre and mood tags."""

    layers: tuple[Layer, ...]
    tags: tuple[str, ...]
    drums: tuple[str, ...] = ()


_BASS_GUITAR, _PIANOS, _STRINGS = (33, 33, 34), (0, 0, 1), (48, 49)
STYLES: dict[str, Style] = {
    "piano ballad": Style(
        (
            Layer(("arpeggio", "block", "broken"), _PIANOS, 68),
            Layer(("roots",), (0,), 66),
            Layer(("pad",), _STRINGS, 46, 0.3, 0.3),
        ),
        ("ballad", "calm"),
    ),
    "pop band": Style(
        (
            Layer(("block", "push"), (0, 4, 5), 70, pan=-0.3),
            Layer(("roots", "pulse"), _BASS_GUITAR, 84),
            Layer(("strum", "arpeggio"), (25, 27), 60, 0.6, 0.4),
            Layer(("pad",), (48, 50, 89), 44, 0.4),
        ),
        ("pop", "bright"),
        ("backbeat", "backbeat", "half time"),
    ),
    "acoustic": Style(
        (
            Layer(("strum", "arpeggio", "broken"), (24, 25, 25), 74, pan=-0.2),
            Layer(("roots",), (32, 33), 66, 0.5),
            Layer(("pad",), (21, 48), 40, 0.2, 0.3),
        ),
        ("folk", "acoustic", "calm"),
    ),
    "strings": Style(
        (
            Layer(("pad", "block"), _STRINGS, 66, pan=-0.2),
            Layer(("roots",), (42, 43), 70, pan=0.3),
            Layer(("arpeggio",), (45, 46), 58, 0.5, 0.2),
        ),
        ("classical", "calm"),
    ),
    "electronic": Style(
        (
            Layer(("pad",), (89, 90, 91, 94), 58),
            Layer(("pulse",), (38, 39), 84),
            Layer(("arpeggio", "push"), (80, 81, 87), 56, 0.7, 0.3),
        ),
        ("electronic", "energetic"),
        ("four on the floor",),
    ),
    "rock": Style(
        (
            Layer(("power",), (29, 30), 78, pan=-0.4),
            Layer(("pulse",), (33, 34), 90),
            Layer(("strum", "pad"), (27, 18), 60, 0.6, 0.4),
        ),
        ("rock", "energetic"),
        ("backbeat",),
    ),
    "jazz": Style(
        (
            Layer(("push", "block"), (0, 4, 26), 64, pan=-0.2),
            Layer(("walking",), (32,), 80),
        ),
        ("jazz",),
        ("ride",),
    ),
    "organ": Style(
        (
            Layer(("pad", "block"), (16, 19, 19, 20), 66),
            Layer(("roots",), (19,), 60),
        ),
        ("classical", "dark"),
    ),
}
STYLE_NAMES = (*STYLES, AS_WRITTEN)


def arrange(song: ScoreSong, style: str, rng: np.random.Generator) -> Arrangement:
    """What a band in `style` (one of `STYLE_NAMES`) plays along with `song`, usually a `window` of one.

    The melody is left to the singer, but for one time in ten. Raises InputError for an unknown style, or where
    the song has no chords (or, "as written", no accompaniment) to play.
    """
    if style == AS_WRITTEN:
        parts = _written(song, rng)
        tags: tuple[str, ...] = ("classical",) if song.set == "lieder" else ("pop",)
    elif style in STYLES:
        parts, tags = _played(song, STYLES[style], rng), STYLES[style].tags
    else:
        raise InputError(f"style {style!r} is not known", f"choose from {', '.join(STYLE_NAMES)}")
    if not any(part.notes for part in parts):
        raise InputError(f"{song.id} has nothing to play in the style {style!r}", "choose another window of it")
    if style != AS_WRITTEN and rng.random() < _DOUBLED:
        melody = [MidiNote(n.start, n.end, round(n.midi), _DOUBLE_VELOCITY) for n in song.notes]
        parts.append(replace(parts[0], notes=tuple(melody)))
    parts = [replace(part, notes=_humanised(part.notes, song.seconds, rng)) for part in parts if part.notes]
    return Arrangement(style, tuple(parts), song.seconds, (*tags, *_heard_tags(parts), *_score_tags(song)))


def _played(song: ScoreSong, style: Style, rng: np.random.Generator) -> list[Part]:
    groove = Groove(song.score, song.seconds, _division(song))
    parts = []
    for layer in style.layers:
        if rng.random() >= layer.chance:
            continue
        pattern = PATTERNS[str(rng.choice(layer.patterns))]
        program = int(rng.choice(layer.programs))
        parts.append(Part(program, tuple(pattern(groove, layer.velocity)), pan=layer.pan))
    if style.drums:
        notes = DRUM_PATTERNS[str(rng.choice(style.drums))](groove)
        parts.append(Part(0, tuple(notes), drums=True))
    return parts


def _division(song: ScoreSong) -> int:
    """Into how many the melody divides a beat: 3 where its onsets lie on thirds rather than halves, else 2."""
    beats = (np.array([note.start for note in song.notes]) - song.score.downbeat) * song.score.bpm / 60 % 1
    thirds = np.abs(np.abs(beats - 0.5) - 1 / 6) < 0.05
    halves = np.abs(beats - 0.5) < 0.05
    return 3 if thirds.sum() > halves.sum() else 2


def _written(song: ScoreSong, rng: np.random.Generator) -> list[Part]:
    """The score's accompaniment on a piano; a second part (POP909's BRIDGE) sometimes on something else."""
    names = sorted({note.part for note in song.accompaniment})
    main = max(names, key=lambda name: sum(note.part == name for note in song.accompaniment), default="")
    parts = []
    for name in names:
        program = int(rng.choice((0, 0, 0, 1))) if name == main else int(rng.choice((0, 11, 24, 48)))
        notes = tuple(
            MidiNote(note.start, note.end, note.midi, note.velocity) for note in song.accompaniment if note.part == name
        )
        parts.append(Part(program, notes, pan=0.0 if name == main else 0.25))
    return parts


def _humanised(notes: Sequence[MidiNote], seconds: float, rng: np.random.Generator) -> tuple[MidiNote, ...]:
    late = np.clip(rng.normal(0, _TIMING, len(notes)), -_MOST_LATE, _MOST_LATE)
    louder = rng.normal(0, _VELOCITY, len(notes))
    moved = []
    for note, shift, change in zip(notes, late, louder, strict=True):
        start = max(0.0, note.start + float(shift))
        end = min(seconds, note.end)
        if end - start >= 0.02:
            velocity = min(127, max(1, round(note.velocity + float(change))))
            moved.append(MidiNote(start, end, note.midi, velocity))
    return tuple(moved)


def _heard_tags(parts: Sequence[Part]) -> tuple[str, ...]:
    heard = {tag for part in parts for family, tag in _FAMILIES if not part.drums and part.program in family}
    if any(part.drums for part in parts):
        heard.add("drums")
    return tuple(sorted(heard))


def _score_tags(song: ScoreSong) -> tuple[str, ...]:
    bpm = song.score.bpm
    pace = "slow" if bpm < _SLOW else "fast" if bpm > _FAST else "medium"
    return pace, "minor" if song.score.key.endswith("min") else "major"
