"""Lyrics -> a song to sing: form, tempo, key, chords, rhythm and melody, drawn with one random generator.

The rules are those of a songbook in 4/4: a line takes whole bars, chords come first (one a bar), strong beats get notes
of the chord, the rest moves by step, sections with the same name share their tune, and the end is the tonic.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unisinger_cli.errors import InputError
from unisinger_cli.notation.keys import NAMES, read_key, tonic_and_mode
from unisinger_cli.stages.harmony import triad
from unisinger_cli.stages.melody import Slot, sing, steps_of
from unisinger_cli.stages.rhythm import BEATS, Grid, bars_for, place, stresses
from unisinger_cli.types import Chord, Floats, LyricLine, Lyrics, Note, PlanLine, Score, SongPlan, Syllable

MOST_WORDS = 2000
MOST_SECONDS = 600.0
DENSEST = 8.0  # syllables a second that time stamps may ask for
_CENTRE = 62.0  # MIDI; a melody around D4 suits most voices, or their octave
_TEMPI = {  # beats a minute, the first tag that is found decides
    "slow": (64, 76), "fast": (118, 132), "medium": (88, 104), "ballad": (68, 80), "electronic": (114, 126),
    "rock": (104, 122), "jazz": (88, 112), "folk": (84, 104), "pop": (90, 110),
}  # fmt: skip
# Common four-bar progressions as degrees, I = 0 (de Clercq & Temperley, "A corpus analysis of rock harmony", 2011).
_PROGRESSIONS = {
    "maj": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 5, 4), (5, 3, 0, 4), (0, 3, 0, 4), (3, 0, 4, 5)),
    "min": ((0, 5, 2, 6), (0, 6, 5, 6), (0, 3, 5, 4), (0, 3, 6, 2), (5, 6, 0, 0)),
}
_FORMS = ("ABAC", "AABA", "AABC")
_SNAP = 0.12  # seconds by which a stamped line may move to meet the beat


@dataclass(frozen=True)
class _Tune:
    """What the sections of one name have in common: chords, form, register and the taste of each motif."""

    degrees: tuple[int, ...]
    form: str
    lift: float  # steps of the scale above the centre
    rhythm: Floats  # [4 motifs, slots]
    pitch: Floats  # [4 motifs, slots, steps]


@dataclass(frozen=True)
class _Laid:
    """A line on the grid: which tune, its number within its section, the times of its syllables, their slots."""

    line: LyricLine
    tune: str
    number: int
    start: float  # seconds at slot 0
    slot_seconds: float
    slots: tuple[int, ...]
    bars: int


def _tempo(bpm: float | None, tags: Sequence[str], rng: np.random.Generator) -> float:
    low, high = next((span for tag, span in _TEMPI.items() if tag in tags), (84, 104))
    drawn = float(rng.integers(low, high + 1))
    return drawn if bpm is None else bpm


def _key(key: str | None, tags: Sequence[str], centre: float, rng: np.random.Generator) -> str:
    """A tonic a fourth or so below the centre, in the mode that the tags ask for."""
    minor = rng.random() < 0.3
    if "major" in tags or "bright" in tags:
        minor = False
    if "minor" in tags or ("dark" in tags and "major" not in tags):
        minor = True
    tonic = round(centre) - int(rng.integers(3, 7))
    return read_key(key) if key is not None else f"{NAMES[tonic % 12]}:{'min' if minor else 'maj'}"


def _tune(name: str, mode: str, taken: Sequence[_Tune], size: int, rng: np.random.Generator) -> _Tune:
    used = {tune.degrees for tune in taken}
    table = [degrees for degrees in _PROGRESSIONS[mode] if degrees not in used] or list(_PROGRESSIONS[mode])
    weights = 0.6 ** np.arange(len(table))
    degrees = table[int(rng.choice(len(table), p=weights / weights.sum()))]
    form = _FORMS[int(rng.integers(len(_FORMS)))]
    rhythm = rng.normal(0.0, 0.25, (4, 512)).astype(np.float32)
    pitch = rng.normal(0.0, 0.55, (4, 512, size)).astype(np.float32)
    return _Tune(degrees, form, 1.5 if name.startswith(("chorus", "refrain", "hook")) else -0.5, rhythm, pitch)


def _sections(lines: Sequence[LyricLine]) -> list[tuple[str, int]]:
    """For every line the name of its tune ("verse 2" sings that of "verse") and its number within its section."""
    found: list[tuple[str, int]] = []
    for i, line in enumerate(lines):
        again = i > 0 and line.section == lines[i - 1].section
        found.append((re.sub(r"[\s\d:.#-]+$", "", line.section), found[-1][1] + 1 if again else 0))
    return found


def _lay(
    lyrics: Lyrics, tunes: dict[str, _Tune], sections: Sequence[tuple[str, int]], grid: Grid, intro: int
) -> list[_Laid]:
    """Lines one after the other in whole bars after `intro` bars, or where their time stamps put them."""
    laid: list[_Laid] = []
    bar = 0 if lyrics.lines[0].start is not None else intro
    for line, (name, number) in zip(lyrics.lines, sections, strict=True):
        stressed = stresses(line.words)
        bars = bars_for(len(stressed), grid)
        tune = tunes[name]
        slots = place(stressed, bars, grid, tune.rhythm["ABC".index(tune.form[number % 4])])
        start, slot_seconds = bar * grid.bar * grid.seconds, grid.seconds
        if line.start is not None:
            start, slot_seconds = _stamped(line, slots, grid)
        laid.append(_Laid(line, name, number, start, slot_seconds, tuple(slots), bars))
        bar += bars
    return laid


def _stamped(line: LyricLine, slots: Sequence[int], grid: Grid) -> tuple[float, float]:
    """Time of slot 0, and seconds a slot, of a line that begins at its stamp and ends before the next."""
    assert line.start is not None
    begin = round(line.start / grid.seconds) * grid.seconds
    begin = begin if abs(begin - line.start) <= _SNAP else line.start
    needed = slots[-1] - slots[0] + 2 * grid.per_beat  # the last syllable lasts a beat and a half, then a rest
    seconds = grid.seconds
    if line.end is not None:
        room = line.end - begin
        if len(slots) / max(room, 1e-3) > DENSEST:
            raise InputError(
                f"{line.text[:40]!r}: {len(slots)} syllables in {room:.1f} s, and at most {DENSEST:g} a second",
                "give the line more time between its stamp and the next",
            )
        seconds = min(seconds, room / needed)
    return begin - slots[0] * seconds, seconds


def _notes(line: _Laid, until: float, grid: Grid) -> list[Note]:
    """Notes without pitch: each holds to the next, two beats at most, the last three; `until` is the next line."""
    starts = [line.start + slot * line.slot_seconds for slot in line.slots]
    rest = 0.5 * grid.per_beat * line.slot_seconds
    ends = [*starts[1:], until - rest]
    longest = [2 * grid.per_beat * line.slot_seconds] * (len(starts) - 1) + [3 * grid.per_beat * line.slot_seconds]
    return [Note(a, min(b, a + most), 0.0) for a, b, most in zip(starts, ends, longest, strict=True)]


def _chords(laid: Sequence[_Laid], tunes: dict[str, _Tune], key: str, bar: float, bars: int) -> list[Chord]:
    """One chord a bar: each section starts its progression anew; intro and outro have the tonic, the end a cadence."""
    starts = [round(line.start / bar) for line in laid]
    final = starts[-1] + laid[-1].bars - 1
    found: list[Chord] = []
    at = begun = 0
    for number in range(bars):
        while at + 1 < len(laid) and starts[at + 1] <= number:
            at += 1
            begun = starts[at] if laid[at].number == 0 else begun
        begun = starts[0] if at == 0 else begun
        degrees = tunes[laid[at].tune].degrees
        degree = degrees[(number - begun) % len(degrees)] if number >= starts[0] else degrees[number % len(degrees)]
        if number >= final:
            degree = 0
        elif number == final - 1 and laid[-1].bars > 1:
            degree = 4
        root, quality = triad(key, degree)
        found.append(Chord(number * bar, (number + 1) * bar, root, quality, root))
    return found


def compose(
    lyrics: Lyrics,
    *,
    rng: np.random.Generator,
    bpm: float | None,
    key: str | None,
    tags: Sequence[str],
    centre_midi: float | None,
) -> SongPlan:
    """A whole song for the lyrics, the same for the same generator state.

    Args:
        bpm: 40..240, or None to draw one that suits the tags.
        key: such as "A min", or None for one about the centre.
        tags: of `model.config.TAGS`.
        centre_midi: where the melody lies, or None for about D4.

    Raises:
        InputError: more than MOST_WORDS words or MOST_SECONDS seconds, an unknown key, or stamps too close.
    """
    words = sum(len(line.words) for line in lyrics.lines)
    if words > MOST_WORDS:
        raise InputError(f"lyrics have {words} words, and at most {MOST_WORDS} can be sung", "sing a part of them")
    centre = _CENTRE if centre_midi is None else centre_midi
    bpm = _tempo(bpm, tags, rng)
    key = _key(key, tags, centre, rng)
    tonic, mode = tonic_and_mode(key)
    grid = Grid.at(bpm)
    bar = grid.bar * grid.seconds
    steps = steps_of(key, centre)
    sections = _sections(lyrics.lines)
    tunes: dict[str, _Tune] = {}
    for name in dict.fromkeys(name for name, _ in sections):
        tunes[name] = _tune(name, mode, list(tunes.values()), len(steps), rng)

    laid = _lay(lyrics, tunes, sections, grid, intro=1 if bar > 2.6 else 2)
    end = laid[-1].start + laid[-1].bars * bar
    bars = math.ceil(end / bar - 1e-6) + 1
    if bars * bar > MOST_SECONDS:
        raise InputError(
            f"the song would last {bars * bar:.0f} s, and at most {MOST_SECONDS:g} s can be made",
            "sing fewer lines, or faster",
        )
    chords = _chords(laid, tunes, key, bar, bars)
    lines: list[PlanLine] = []
    before: int | None = None
    for i, line in enumerate(laid):
        until = laid[i + 1].start + laid[i + 1].slots[0] * laid[i + 1].slot_seconds if i + 1 < len(laid) else end
        notes = _notes(line, until, grid)
        goal = tonic if i + 1 == len(laid) else None
        pitches = _pitches(line, notes, tunes[line.tune], chords, steps, grid, before, goal)
        before = pitches[-1]
        sung = [Note(note.start, note.end, float(midi)) for note, midi in zip(notes, pitches, strict=True)]
        lines.append(_plan_line(line.line, sung))
    score = Score(bpm, BEATS, key, tuple(chords))
    return SongPlan(bars * bar, score, tuple(lines), lyrics.language, tuple(tags))


def _pitches(
    line: _Laid,
    notes: Sequence[Note],
    tune: _Tune,
    chords: Sequence[Chord],
    steps: Sequence[int],
    grid: Grid,
    before: int | None,
    goal: int | None,
) -> list[int]:
    """An arch over the line's motif: up to its middle, and down again."""
    bar = chords[0].end
    beat = grid.per_beat * grid.seconds
    below = [chords[min(int(note.start / bar + 1e-6), len(chords) - 1)] for note in notes]
    slots = [
        Slot(chord, grid.weight(slot), (note.end - note.start) / beat)
        for note, slot, chord in zip(notes, line.slots, below, strict=True)
    ]
    places = np.array(line.slots) + grid.per_beat
    through = places / (line.bars * grid.bar)
    height = (len(steps) - 1) / 2 + tune.lift + 2.2 * np.sin(np.pi * np.clip(through, 0, 1)) - 1.2
    taste = tune.pitch["ABC".index(tune.form[line.number % 4]), places % 512]
    return sing(slots, steps, height.astype(np.float32), taste, before, goal)


def _plan_line(line: LyricLine, notes: Sequence[Note]) -> PlanLine:
    """Syllables with their notes; the text of a word stands at its first syllable, "-" at the others."""
    syllables = [(word.text if i == 0 else "-", s) for word in line.words for i, s in enumerate(word.syllables)]
    return PlanLine(
        line.text,
        tuple(Syllable(text, symbols, (note,)) for (text, symbols), note in zip(syllables, notes, strict=True)),
        line.section,
    )
