"""Words set to a tune that is given: which syllable is sung on which notes.

Lines take phrases, syllables take notes one to one. Notes that are left over prolong a syllable (a melisma); where
notes are missing, the longest are sung twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from unisinger_cli.errors import InputError
from unisinger_cli.notation.voice import written_words
from unisinger_cli.stages.lyrics import pronounce
from unisinger_cli.types import LyricLine, Lyrics, Note, PlanLine, Syllable, Tune, Word

_REST = 0.12  # s; what is silent for longer divides phrases
_PHRASE = 0.45  # s; a rest of that length surely does
_SHORTEST = 0.12  # s that a note must last after it was divided
_MOST_NOTES = 6  # to a syllable, over a line: with more the words are lost
_GAP_COST, _CUT_COST = 3.0, 2.0
_LONGEST_WORD = 100  # letters
_HINT = "give the words of this tune, a syllable a note, one line of text a phrase"
Notes: TypeAlias = tuple[Note, ...]


def set_lyrics(tune: Tune, lyrics: Lyrics) -> tuple[PlanLine, ...]:
    """Lines of a plan: each line of the lyrics on a stretch of the tune, in order, cut at its rests where possible.

    Raises InputError where the words do not fit the tune: not a note for each line, several notes to each syllable, or
    so few that they would have to be divided into nothing.
    """
    counts = [sum(len(word.syllables) for word in line.words) for line in lyrics.lines]
    lines_told = f"{len(counts)} lines" if len(counts) > 1 else "one line"
    told = f"the words have {sum(counts)} syllables in {lines_told}, the tune has {len(tune.notes)} notes"
    if sum(counts) > 2 * len(tune.notes) or len(counts) > len(tune.notes):
        raise InputError(f"{told}, too few for them", _HINT)
    if len(tune.notes) > _MOST_NOTES * sum(counts):
        raise InputError(f"{told}, too many for them", _HINT)
    stretches = _divide(tune, counts)
    if stretches is None:
        raise InputError(f"{told}, too few to share out among the lines", _HINT)
    lines = []
    for line, count, notes in zip(lyrics.lines, counts, stretches, strict=True):
        groups = _dealt([(note,) for note in notes], count)
        if groups is None:
            raise InputError(
                f"{told}, and {line.text[:40]!r} with {count} syllables would fall on {len(notes)} of them", _HINT
            )
        lines.append(_line(line, groups))
    return tuple(lines)


def set_written(tune: Tune, language: str, name: str) -> tuple[PlanLine, ...]:
    """Lines of a plan from the words in the file itself, which errors call `name`; notes before the first word, and
    words that cannot be pronounced, are left out.

    A syllable takes the note it stands under and those after it without one. Lines are those of the file, or else they
    end where there is a rest. Raises InputError where no word is left.
    """
    words = written_words(tune.syllables)
    begins = [index for _, indices in words for index in indices]
    ends = dict(pairwise([*begins, len(tune.notes)]))
    set_: list[tuple[Word, str, list[Notes], int]] = []
    problem: InputError | None = None
    for text, indices in words:
        if len(text) > _LONGEST_WORD:
            raise InputError(
                f"{name}: {text[:40]!r}... is a word of {len(text)} letters", "give the words with --lyrics"
            )
        try:
            spoken = pronounce(text, language)
        except InputError as error:
            if not error.message.startswith("no pronounceable word"):
                raise InputError(f"{name}: {error.message}", error.hint) from error
            problem = error
            continue
        count = sum(len(word.syllables) for word in spoken)
        groups = _dealt([tune.notes[i : ends[i]] for i in indices], count)
        if groups is None:
            raise InputError(f"{name}: {text[:40]!r} has {count} syllables, too many for the notes it stands under")
        word = Word(text, tuple(syllable for word in spoken for syllable in word.syllables))
        set_.append((word, text, groups, indices[0]))
    if not set_:
        raise problem or InputError(f"{name} has no words", "give them with --lyrics")
    lines: list[list[tuple[Word, str, list[Notes], int]]] = []
    for each in set_:
        rest = each[2][0][0].start - lines[-1][-1][2][-1][-1].end if lines else 0.0
        passed = {i for i in tune.lines if lines and lines[-1][-1][3] < i <= each[3]}
        anew = bool(passed) if tune.lines else rest >= _PHRASE or (rest >= _REST and _parted(lines[-1][-1][1], each[1]))
        if not lines or anew:
            lines.append([])
        lines[-1].append(each)
    return tuple(
        _line(
            LyricLine(" ".join(text for _, text, _, _ in line), tuple(word for word, _, _, _ in line)),
            [group for _, _, groups, _ in line for group in groups],
        )
        for line in lines
    )


def _parted(before: str, after: str) -> bool:
    """Whether the writing says that a line ends between two words."""
    return before[-1:] in ",.;:!?" or after[:1].isupper()


def _line(line: LyricLine, groups: Sequence[Notes]) -> PlanLine:
    texts = [(word.text if i == 0 else "-", s) for word in line.words for i, s in enumerate(word.syllables)]
    sung = (Syllable(text, symbols, notes) for (text, symbols), notes in zip(texts, groups, strict=True))
    return PlanLine(line.text, tuple(sung), line.section)


def _divide(tune: Tune, counts: Sequence[int]) -> list[Notes] | None:
    """The tune in as many stretches as there are counts of syllables: the cheapest way, by dynamic programming.

    A stretch costs by how far its notes are from the syllables; a cut costs the less, the longer the rest in which it
    lies, and nothing where the file begins a line. None where the counts and the notes allow no way.
    """
    notes, size = tune.notes, len(tune.notes)
    gaps = np.array([0.0, *(b.start - a.end for a, b in pairwise(notes)), 0.0])
    cut = _CUT_COST * np.clip(1 - gaps / _PHRASE, 0, 1) + _GAP_COST * (gaps < _REST)
    cut[[0, size, *tune.lines]] = 0.0
    best = np.full(size + 1, np.inf)
    best[0] = 0.0
    back = np.zeros((len(counts), size + 1), dtype=np.int32)
    for i, count in enumerate(counts):
        reach = min(size, _MOST_NOTES * count)
        least = max(1, (count + 1) // 2)
        found = np.full(size + 1, np.inf)
        for taken in range(least, reach + 1):
            extra = taken - count
            price = 0.5 * extra if extra > 0 else -1.5 * extra
            total = best[: size + 1 - taken] + price * 4 / (count + 3) + cut[taken:]
            better = total < found[taken:]
            found[taken:][better] = total[better]
            back[i, taken:][better] = taken
        best = found
    if not np.isfinite(best[size]):
        return None
    edges = [size]
    for i in range(len(counts) - 1, -1, -1):
        edges.append(edges[-1] - int(back[i, edges[-1]]))
    return [notes[a:b] for a, b in pairwise(reversed(edges))]


def _dealt(groups: Sequence[Notes], count: int) -> list[Notes] | None:
    """The notes in `count` groups, or None where that would leave notes too short to sing.

    Too many groups: the shortest is joined to the one before it, if need be over a rest. Too few: of the longest, the
    last note becomes a group of its own, or its only note is cut in half.
    """
    dealt = list(groups)
    while len(dealt) > count:
        costs = [b[-1].end - b[0].start + 4 * max(0.0, b[0].start - a[-1].end) for a, b in pairwise(dealt)]
        at = int(np.argmin(costs))
        dealt[at : at + 2] = [dealt[at] + dealt[at + 1]]
    while len(dealt) < count:
        at = max(range(len(dealt)), key=lambda i: dealt[i][-1].end - dealt[i][0].start)
        *others, last = dealt[at]
        middle = (last.start + last.end) / 2
        if others:
            dealt[at : at + 1] = [tuple(others), (last,)]
        elif middle - last.start < _SHORTEST:
            return None
        else:
            dealt[at : at + 1] = [(replace(last, end=middle),), (replace(last, start=middle),)]
    return dealt
