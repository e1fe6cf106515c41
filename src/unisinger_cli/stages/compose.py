"""Lyrics -> a song to sing: form, tempo, key, chords, rhythm and melody, drawn with one random generator.

Chords, note values and steps are drawn from what `model.composer` learned of scores. The frame is that of a songbook in
4/4: a line takes whole bars, chords come first, strong beats get notes of the chord, sections with the same name share
their tune, and the end is the tonic.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unisinger_cli.errors import InputError
from unisinger_cli.model.composer import Composer
from unisinger_cli.notation.keys import NAMES, read_key, tonic_and_mode
from unisinger_cli.stages.harmony import triad
from unisinger_cli.stages.melody import REACH, Slot, altered, sing, steps_of
from unisinger_cli.stages.progression import HALVES, Loop, progression
from unisinger_cli.stages.rhythm import BEATS, FINEST, Grid, bars_for, place, strength
from unisinger_cli.types import Chord, Floats, LyricLine, Lyrics, Note, PlanLine, Score, SongPlan, Syllable

MOST_WORDS = 2000
MOST_SECONDS = 600.0
DENSEST = 8.0  # syllables a second that time stamps may ask for
_CENTRE = 62.0  # MIDI; a melody around D4 suits most voices, or their octave
_TEMPI = {  # beats a minute, the first tag that is found decides
    "slow": (64, 76), "fast": (118, 132), "medium": (88, 104), "ballad": (68, 80), "electronic": (114, 126),
    "rock": (104, 122), "jazz": (88, 112), "folk": (84, 104), "pop": (90, 110),
}  # fmt: skip
_LOTS = 2048  # of a motif, one a slot: those of the longest line
_FORMS = ("ABAC", "AABA", "AABC")
_SNAP = 0.12  # seconds by which a stamped line may move to meet the beat


@dataclass(frozen=True)
class _Tune:
    """What the sections of one name have in common: chords, form, register and the taste of each motif."""

    loop: Loop
    form: str
    lift: float  # steps of the scale above the centre
    rhythm: Floats  # [3 motifs, slots], 0..1: the lots that rhythms are drawn with
    pitch: Floats  # [3 motifs, slots], 0..1: those of melodies


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


def _tune(
    name: str, key: str, tags: Sequence[str], taken: Sequence[_Tune], composer: Composer, rng: np.random.Generator
) -> _Tune:
    loop = progression(key, tags, [tune.loop for tune in taken], composer, rng)
    form = _FORMS[int(rng.integers(len(_FORMS)))]
    rhythm, pitch = rng.random((2, 3, _LOTS)).astype(np.float32)
    lift = 1.5 if name.startswith(("chorus", "refrain", "hook")) else -0.5
    return _Tune(loop, form, lift, rhythm, pitch)


def _sections(lines: Sequence[LyricLine]) -> list[tuple[str, int]]:
    """For every line the name of its tune ("verse 2" sings that of "verse") and its number within its section."""
    found: list[tuple[str, int]] = []
    for i, line in enumerate(lines):
        again = i > 0 and line.section == lines[i - 1].section
        found.append((re.sub(r"[\s\d:.#-]+$", "", line.section), found[-1][1] + 1 if again else 0))
    return found


def _lay(
    lyrics: Lyrics,
    tunes: dict[str, _Tune],
    sections: Sequence[tuple[str, int]],
    grid: Grid,
    intro: int,
    composer: Composer,
) -> list[_Laid]:
    """Lines one after the other in whole bars after `intro` bars, or where their time stamps put them."""
    laid: list[_Laid] = []
    bar = 0 if lyrics.lines[0].start is not None else intro
    for line, (name, number) in zip(lyrics.lines, sections, strict=True):
        bars = bars_for(sum(len(word.syllables) for word in line.words), grid)
        tune = tunes[name]
        slots = place(line.words, bars, grid, composer, tune.rhythm["ABC".index(tune.form[number % 4])])
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
    """One chord a bar, or two: each section starts its loop anew, the intro has that of the first; the end is a cadence
    on the tonic."""
    starts = [round(line.start / bar) for line in laid]
    final = starts[-1] + laid[-1].bars - 1
    found: list[Chord] = []
    at = begun = 0
    for number in range(bars):
        while at + 1 < len(laid) and starts[at + 1] <= number:
            at += 1
            begun = starts[at] if laid[at].number == 0 else begun
        begun = starts[0] if at == 0 else begun
        half = 2 * (number - begun if number >= starts[0] else number) % HALVES
        first, second = tunes[laid[at].tune].loop[half : half + 2]
        if number >= final:
            first = second = triad(key, 0)
        elif number == final - 1 and laid[-1].bars > 1:
            first = second = triad(key, 4)
        middle = number * bar + bar / 2 if second != first else (number + 1) * bar
        found.append(Chord(number * bar, middle, *first, first[0]))
        if second != first:
            found.append(Chord(middle, (number + 1) * bar, *second, second[0]))
    return found


def compose(
    composer: Composer,
    lyrics: Lyrics,
    *,
    rng: np.random.Generator,
    bpm: float | None,
    key: str | None,
    tags: Sequence[str],
    centre_midi: float | None,
) -> SongPlan:
    """A whole song for the lyrics, the same for the same composer and generator state.

    Args:
        bpm: 40..240, or None to draw one that suits the tags.
        key: such as "A min", or None for one about the centre.
        tags: of `model.config.TAGS`; they choose tempo, mode and whose harmony.
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
    tonic, _ = tonic_and_mode(key)
    # Stamps may leave a line little time, and its slots are made shorter: the finest would be too short.
    grid = Grid.at(bpm, FINEST if lyrics.lines[0].start is None else 2)
    bar = grid.bar * grid.seconds
    steps = steps_of(key, centre)
    sections = _sections(lyrics.lines)
    tunes: dict[str, _Tune] = {}
    for name in dict.fromkeys(name for name, _ in sections):
        tunes[name] = _tune(name, key, tags, list(tunes.values()), composer, rng)

    laid = _lay(lyrics, tunes, sections, grid, 1 if bar > 2.6 else 2, composer)
    end = laid[-1].start + laid[-1].bars * bar
    bars = math.ceil(end / bar - 1e-6) + 1
    if bars * bar > MOST_SECONDS:
        raise InputError(
            f"the song would last {bars * bar:.0f} s, and at most {MOST_SECONDS:g} s can be made",
            "sing fewer lines, or faster",
        )
    chords = _chords(laid, tunes, key, bar, bars)
    lines: list[PlanLine] = []
    before: tuple[int, int] | None = None
    for i, line in enumerate(laid):
        until = laid[i + 1].start + laid[i + 1].slots[0] * laid[i + 1].slot_seconds if i + 1 < len(laid) else end
        notes = _notes(line, until, grid)
        slots = _slots(line, notes, chords, grid, key)
        tune = tunes[line.tune]
        lots = tune.pitch["ABC".index(tune.form[line.number % 4])]
        path = sing(
            slots,
            steps,
            key,
            (len(steps) - 1) / 2 + tune.lift,
            composer,
            lots[(np.array(line.slots) + grid.per_beat) % _LOTS],
            before if line.number else None,
            tonic if i + 1 == len(laid) else None,
        )
        before = (path[-2] if len(path) > 1 else path[-1], path[-1])
        pitches = [_sung(steps[at], slot.chord, key, centre) for at, slot in zip(path, slots, strict=True)]
        sung = [replace(note, midi=float(midi)) for note, midi in zip(notes, pitches, strict=True)]
        lines.append(_plan_line(line.line, sung))
    score = Score(bpm, BEATS, key, tuple(chords))
    return SongPlan(bars * bar, score, tuple(lines), lyrics.language, tuple(tags))


def _slots(line: _Laid, notes: Sequence[Note], chords: Sequence[Chord], grid: Grid, key: str) -> list[Slot]:
    """What is known of a line's notes before they have a pitch; the last counts as long, whatever follows.

    An upbeat to a section is taken to lie over the tonic: the chord there is that of the section before, and another
    one each time."""
    starts = [chord.start for chord in chords]
    below = [chords[max(0, bisect_right(starts, note.start + 1e-6) - 1)] for note in notes]
    if line.number == 0:
        root, quality = triad(key, 0)
        home = Chord(0.0, 0.0, root, quality, root)
        below = [home if slot < 0 else chord for slot, chord in zip(line.slots, below, strict=True)]
    beats = [*(np.diff(line.slots) / grid.per_beat), BEATS]
    strong = strength(grid.position(np.array(line.slots)))
    return [Slot(chord, int(s), float(b)) for chord, s, b in zip(below, strong, beats, strict=True)]


def _sung(midi: int, chord: Chord, key: str, centre: float) -> int:
    """A note of the scale as its chord has it, if that is within the range."""
    found = altered(midi, chord, key)
    return found if abs(found - centre) <= REACH else midi


def _plan_line(line: LyricLine, notes: Sequence[Note]) -> PlanLine:
    """Syllables with their notes; the text of a word stands at its first syllable, "-" at the others."""
    syllables = [(word.text if i == 0 else "-", s) for word in line.words for i, s in enumerate(word.syllables)]
    return PlanLine(
        line.text,
        tuple(Syllable(text, symbols, (note,)) for (text, symbols), note in zip(syllables, notes, strict=True)),
        line.section,
    )
