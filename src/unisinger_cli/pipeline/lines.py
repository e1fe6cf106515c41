"""The lines of a song that is there: where each lies between its neighbours, and how well it was sung."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from unisinger_cli.audio import whole
from unisinger_cli.errors import InputError
from unisinger_cli.model.config import VOWELS
from unisinger_cli.pipeline.scores import pitch_agreement, similarity
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.pipeline.takes import merit
from unisinger_cli.stages.clock import phoneme_spans
from unisinger_cli.stages.lyrics import read_lyrics
from unisinger_cli.types import Audio, Floats, Pitch, PlanLine, SongPlan, Sound, Timbre

_REACH = 0.3  # s; in a long rest, no border lies further from what is sung
_FADE = 0.12  # s, at most, in a rest
_SUNG_FADE = 0.03  # s, where a line goes into the next without a rest


@dataclass(frozen=True)
class Border:
    """Where one line may end and the next begin: the fade goes on from `start` to `stop`, in seconds."""

    start: float
    stop: float


@dataclass(frozen=True)
class Passage:
    """Lines `first` to `last` (from 0), and the borders before and after them."""

    first: int
    last: int
    before: Border
    after: Border


def passages(plan: SongPlan, lines: Collection[int]) -> list[Passage]:
    """The runs of neighbouring lines (numbers from 0)."""
    wanted = sorted(set(lines))
    firsts = [i for i in wanted if i - 1 not in wanted]
    lasts = [i for i in wanted if i + 1 not in wanted]
    return [
        Passage(first, last, _border(plan, first, ahead=True), _border(plan, last + 1, ahead=False))
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _border(plan: SongPlan, line: int, *, ahead: bool) -> Border:
    """Between a line (which may be one too far) and the one before: in the longest rest; the breath is the line's.

    `ahead` tells which of the two is near in a long rest: the line itself, or else the one before.
    """
    first = plan.lines[line - 1].syllables[-1].start if line > 0 else 0.0
    last = plan.lines[line].syllables[0].end if line < len(plan.lines) else plan.seconds
    spans = phoneme_spans(plan)
    rests = [(a, b) for symbol, a, b in spans if symbol == "_" and first <= (a + b) / 2 <= last]
    if rests:
        start, stop = max(rests, key=lambda rest: rest[1] - rest[0])
        middle = (start + stop) / 2
        at = max(middle, stop - _REACH) if ahead else min(middle, start + _REACH)
        half = min(_FADE, stop - start) / 2
        return Border(at - half, at + half)
    if line in (0, len(plan.lines)):
        edge = 0.0 if line == 0 else plan.seconds
        return Border(edge, edge)
    at = _onset(plan.lines[line], [a for _, a, _ in spans])
    return Border(at - _SUNG_FADE / 2, at + _SUNG_FADE / 2)


def _onset(line: PlanLine, edges: list[float]) -> float:
    """Where the consonants before the first vowel of a line begin."""
    phonemes = line.syllables[0].phonemes
    consonants = next((i for i, symbol in enumerate(phonemes) if symbol in VOWELS), 0)
    vowel = max((i for i, edge in enumerate(edges) if edge <= line.start + 1e-6), default=0)
    return edges[max(0, vowel - consonants)]


def reworded(plan: SongPlan, line: int, text: str) -> SongPlan:
    """The plan with other words in one line (from 0), on the same notes.

    Raises InputError unless they have as many syllables, and what `read_lyrics` raises.
    """
    lyrics, old = read_lyrics(text, plan.language, name="--words"), plan.lines[line]
    words = [word for one in lyrics.lines for word in one.words]
    new = [(word.text if i == 0 else "-", symbols) for word in words for i, symbols in enumerate(word.syllables)]
    if len(new) != len(old.syllables):
        hint = f"give as many as there are in: {old.text[:80]}"
        raise InputError(f"--words has {len(new)} syllables, and line {line + 1} has {len(old.syllables)}", hint)
    sung = tuple(
        replace(syllable, text=shown, phonemes=symbols)
        for syllable, (shown, symbols) in zip(old.syllables, new, strict=True)
    )
    changed = replace(old, text=" ".join(text.split()), syllables=sung)
    return replace(plan, lines=(*plan.lines[:line], changed, *plan.lines[line + 1 :]))


@dataclass(frozen=True)
class LineScore:
    """A line by its number, from 1, and what was measured on it."""

    number: int
    line: PlanLine
    scores: dict[str, float | None]

    @property
    def merit(self) -> float:
        return merit(self.scores)


def line_scores(studio: Studio, plan: SongPlan, vocal: Sound, hz: Floats, timbre: Timbre | None) -> list[LineScore]:
    """How well each line of a vocal follows the F0 [frames] that was asked for, and whose voice it is."""
    made, rate, found = studio.pitch(vocal), studio.frame_rate, []
    for i, line in enumerate(plan.lines):
        (passage,) = passages(plan, [i])
        start, stop = passage.before.stop, passage.after.start
        frames = slice(int(start * rate), int(np.ceil(stop * rate)))
        scores = pitch_agreement(Pitch(made.hz[frames], rate), hz[frames])
        heard = Audio(vocal.read(int(start * vocal.rate), int(stop * vocal.rate)), vocal.rate)
        scores["similarity_to_reference"] = similarity(studio, whole(heard), timbre)
        found.append(LineScore(i + 1, line, scores))
    return found
