"""The part "long": three minutes of held notes in one go, as windows that overlap sing them: whether the notes stay in
tune and whole, and whether the borders of the windows can be found again in the sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unisinger_cli.audio import mono, read, whole
from unisinger_cli.errors import UnisingerError
from unisinger_cli.evaluation.bench import Bench
from unisinger_cli.evaluation.clips import SINGING, Clip, references
from unisinger_cli.evaluation.findings import Item, Part, Score, mean
from unisinger_cli.evaluation.steadiness import broken_share, deviation, held_notes, seam, shuffled
from unisinger_cli.notation.keys import NAMES
from unisinger_cli.pipeline.condition import from_plan
from unisinger_cli.pipeline.reference import reference
from unisinger_cli.pipeline.reporter import Silent
from unisinger_cli.pipeline.song import SongRehearsal, performance
from unisinger_cli.requests import one_voice
from unisinger_cli.stages.sample import windows_over
from unisinger_cli.types import Audio, Chord, Note, PlanLine, SongPlan, Syllable
from unisinger_cli.types import Score as Harmony

BPM, BEATS, BARS = 96.0, 4, 72  # a bar of 2.5 s for each note: three minutes
HELD = 2.4  # s of each note
SYLLABLES = (("l", "a"), ("n", "o"), ("m", "i"), ("w", "u"), ("d", "e"), ("h", "a"))
STEPS = (0, 2, 4, 5, 7, 5, 4, 2)  # semitones over the lowest note, up and down the scale
CHORDS = ((0, "maj"), (7, "maj"), (0, "maj"), (5, "maj"), (0, "maj"), (5, "maj"), (9, "min"), (7, "maj"))
EDGE = 0.3  # s after a note's beginning and before its end that belong to the way there
DEVIATION, SEAM = 15.0, 1.25  # the bars: cents, and times the usual


@dataclass(frozen=True)
class _Found:
    cents: list[float]
    written: list[float]
    broken: list[float]
    seam: float
    cut: float


def slow_song(centre: float) -> SongPlan:
    """BARS notes of HELD seconds up and down a scale, about the pitch `centre` (MIDI), over its chords."""
    bar = BEATS * 60 / BPM
    low = round(centre) - 4
    syllables = []
    for i in range(BARS):
        phonemes = SYLLABLES[i % len(SYLLABLES)]
        note = Note(i * bar, i * bar + HELD, float(low + STEPS[i % len(STEPS)]))
        syllables.append(Syllable("".join(phonemes), phonemes, (note,)))
    lines = tuple(
        PlanLine(" ".join(s.text for s in syllables[i : i + 8]), tuple(syllables[i : i + 8])) for i in range(0, BARS, 8)
    )
    roots = [((low + root) % 12, quality) for root, quality in CHORDS]
    chords = tuple(Chord(i * bar, (i + 1) * bar, *roots[i % len(roots)], roots[i % len(roots)][0]) for i in range(BARS))
    return SongPlan(BARS * bar, Harmony(BPM, BEATS, f"{NAMES[low % 12]}:maj", chords), lines, "en")


def run(bench: Bench, clips: Sequence[Clip], count: int) -> Part:
    """Sing it in the voices of references, one for each ten of `count`: each takes as long as ten other items."""
    found: list[_Found] = []
    items: list[Item] = []
    singers = references(clips, np.random.default_rng(bench.sampler.seed))
    for i, clip in bench.each("holding notes", singers[: -(-count // 10)]):
        title = f"{BARS} notes by {clip.speaker}"
        try:
            one, item = _sing(bench, i, clip, title)
        except UnisingerError as error:
            bench.miss(title, error)
            continue
        found.append(one)
        items.append(item)
    sung = [clip for clip in clips if clip.kind in SINGING]
    real = [value for _, clip in bench.each("holding notes, real singers", sung) for value in _real(bench, clip)]
    cents, written = (mean(v for one in found for v in getattr(one, name)) for name in ("cents", "written"))
    broken = mean(value for one in found for value in one.broken)
    seam, cut = (mean(getattr(one, name) for one in found) for name in ("seam", "cut"))
    scores = (
        Score("held_note_deviation_cents", cents, written, "the pitch that was asked for", at_most=DEVIATION),
        Score("broken_harmonics_share", broken, mean(real), "held notes of real singers"),
        Score("change_at_window_borders", seam, cut, "windows in another order", at_most=SEAM),
    )
    return Part("long", scores, tuple(items), tuple(bench.failed))


def _sing(bench: Bench, i: int, clip: Clip, title: str) -> tuple[_Found, Item]:
    studio, sampler = bench.studio, bench.seeded(i)
    voice = reference(studio, one_voice(clip.path))
    plan = slow_song(60.0 if voice.median_midi is None else voice.median_midi)
    condition = from_plan(studio.config, plan, voice.timbre, performance(sampler))
    assert condition.pitch is not None  # of a plan it always is
    result = SongRehearsal(studio, plan, voice.timbre, (), {}).take(sampler, Silent())
    vocal, mix = whole(mono(result.stems.vocal)), whole(mono(result.stems.mix))
    heard = studio.pitch(vocal).hz
    notes = [note for line in plan.lines for syllable in line.syllables for note in syllable.notes]
    cents, written = (
        [
            deviation(hz[a:b], note.midi, studio.frame_rate)
            for note, (a, b) in zip(notes, _middles(notes, studio.frame_rate), strict=True)
            if (hz[a:b] > 0).mean() > 0.8
        ]
        for hz in (heard, condition.pitch)
    )
    broken = [
        broken_share(vocal, a, b, float(np.median(hz[hz > 0])), studio.frame_rate)
        for a, b in _middles(notes, studio.frame_rate)
        if (hz := heard[a:b]).any()
    ]
    spans = windows_over(condition.frames, studio.config.flow)
    borders = sorted({edge for span in spans for edge in span} - {0, spans[-1][1]})
    hop = studio.config.codec.hop
    one = _Found(cents, written, broken, seam(mix, borders, hop), seam(shuffled(mix, borders, hop), borders, hop))
    values = {
        "held_note_deviation_cents": mean(cents),
        "worst_note_deviation_cents": max(cents, default=None),
        "notes_that_sound": len(cents) / len(notes),
        "broken_harmonics_share": mean(broken),
        "change_at_window_borders": one.seam,
        "seconds": plan.seconds,
        "windows": float(len(spans)),
    }
    return one, Item(
        title, values, {"mix": bench.keep(f"long-{i:02d}", mix), "vocal": bench.keep(f"long-{i:02d}.vocal", vocal)}
    )


def _middles(notes: Sequence[Note], frame_rate: float) -> Iterator[tuple[int, int]]:
    """First frame, and the one after the last, of each note without its edges."""
    for note in notes:
        yield round((note.start + EDGE) * frame_rate), round((note.end - EDGE) * frame_rate)


def _real(bench: Bench, clip: Clip) -> Iterator[float]:
    """Of the held notes of a recording."""
    sound = read(clip.path)
    audio = Audio(sound.mono()[None], sound.rate)
    pitch = bench.studio.pitch(audio)
    for first, last in held_notes(pitch.hz, pitch.frame_rate):
        yield broken_share(audio, first, last, float(np.median(pitch.hz[first:last])), pitch.frame_rate)
