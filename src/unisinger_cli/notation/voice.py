"""One voice out of written notes, and the words that stand under it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from unisinger_cli.types import Note, SongPlan

SHORTEST = 0.06  # s; shorter notes are slips of a transcription, and cannot be sung
_VOWELS = "aeiouyäöüáàâãéèêëíìîïóòôõúùûœæøåıı"


def one_voice(notes: Sequence[tuple[Note, str | None]]) -> tuple[tuple[Note, str | None], ...]:
    """The top line of `notes`, in time order: a note ends where the next begins; slips (`SHORTEST`) go."""
    line: list[tuple[Note, str | None]] = []
    for note, text in sorted(notes, key=lambda each: (each[0].start, -each[0].midi)):
        if line and note.start - line[-1][0].start < SHORTEST:
            if line[-1][1] is None and text is not None:  # a chord whose lower note has the word
                line[-1] = (line[-1][0], text)
            continue
        if line and line[-1][0].end > note.start:
            line[-1] = (replace(line[-1][0], end=note.start), line[-1][1])
        line.append((note, text))
    return tuple((note, text) for note, text in line if note.end - note.start >= SHORTEST)


def written_words(syllables: Sequence[str | None]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Each word of syllables as `types.Tune` has them, and the index of the note on which each syllable begins."""
    words: list[tuple[str, list[int]]] = []
    inside = False
    for index, text in enumerate(syllables):
        if text is None:
            continue
        if inside:
            words[-1] = (words[-1][0] + text.rstrip("-"), [*words[-1][1], index])
        else:
            words.append((text.rstrip("-"), [index]))
        inside = text.endswith("-")
    return tuple((text, tuple(indices)) for text, indices in words if text)


def plan_words(plan: SongPlan) -> list[list[tuple[str, int, int]]]:
    """The words of each line as they are written, with the numbers, in the line, of their first syllable and of the
    one after their last. A plan has a word's text at its first syllable, and "-" at the others."""
    lines = []
    for line in plan.lines:
        starts = [i for i, syllable in enumerate(line.syllables) if syllable.text != "-" or i == 0]
        written = line.text.split()
        if len(written) != len(starts):  # a number that is many words, a dash between two
            written = [line.syllables[i].text for i in starts]
        lines.append(list(zip(written, starts, [*starts[1:], len(line.syllables)], strict=True)))
    return lines


def plan_syllables(plan: SongPlan) -> list[list[str]]:
    """The text of each syllable of each line, with a "-" at its end where its word goes on."""
    found = []
    for words in plan_words(plan):
        texts: list[str] = []
        for text, first, after in words:
            parts = divided(text, after - first)
            texts += [f"{part}-" for part in parts[:-1]] + parts[-1:]
        found.append(texts)
    return found


def divided(word: str, count: int) -> list[str]:
    """A word in `count` written parts, none empty, which add up to it: cut before the last consonant between two groups
    of vowels. Where its spelling shows another number of syllables it is cut evenly, or padded with "~"."""
    word = word.strip("-") or "~"
    if count <= 1 or len(word) < count:
        return [word, *["~"] * (count - 1)]
    groups = [match.start() for match in re.finditer(f"[{_VOWELS}]+", word.lower())]
    if len(groups) > count and word.lower().rstrip(",.!?;:'\")").endswith("e"):
        groups.pop()  # a mute one
    if len(groups) == count and len(word.lower()) == len(word):
        cuts = [at if word[at - 1].lower() in _VOWELS else at - 1 for at in groups[1:]]
    else:
        cuts = [round(len(word) * i / count) for i in range(1, count)]
    edges = [0, *cuts, len(word)]
    return [word[a:b] for a, b in pairwise(edges)]
