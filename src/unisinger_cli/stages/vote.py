"""Several recognisers' words for one recording -> the words that most of them heard.

ROVER (Fiscus, "A post-processing system to yield reduced word error rates", ASRU 1997): the hypotheses are aligned
one after the other into a row of slots, each holding what every engine has there, a word or nothing; then each slot is
put to the vote. The alignment is the cheapest one, by dynamic programming; its costs are means over the engines that
are aligned already, so that two or ten of them are one case.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import combinations
from statistics import median
from typing import TypeAlias

from unisinger_cli.stages.transcribe import HeardWord

GAP = 0.75  # cost of a word beside nothing; ROVER's ratio to a substitution, 3 to 4
_APART = 0.01  # for each second between two words, at most one: of alignments that cost the same, the nearer in time
Slot: TypeAlias = tuple[HeardWord | None, ...]  # what each engine has, in the order of the engines


@dataclass(frozen=True)
class Verdict:
    """The words that won. `agreement` is the share of slots, 0..1, in which two engines of those asked say the same,
    on average over their pairs; 1 for a lone engine, and where none heard anything."""

    words: tuple[HeardWord, ...]
    agreement: float


def spelling(word: HeardWord | None) -> str:
    """What is compared: letters and digits in one case; "" for nothing."""
    text = "" if word is None else unicodedata.normalize("NFKC", word.text).casefold()
    return "".join(c for c in text if c.isalnum() or unicodedata.category(c).startswith("M"))


@lru_cache(maxsize=100_000)
def _unlike(a: str, b: str) -> float:
    """Cost of one spelling beside another: 0 for the same, 0.5 (few letters differ) to 1 (all do)."""
    return 0.0 if a == b else 1 - 0.5 * SequenceMatcher(None, a, b, autojunk=False).ratio()


def cost(a: HeardWord | None, b: HeardWord | None) -> float:
    """Of two engines having `a` and `b` in one slot."""
    if a is None or b is None:
        return 0.0 if a is b else GAP
    apart = abs(a.start + a.end - b.start - b.end) / 2
    return _unlike(spelling(a), spelling(b)) + _APART * min(1.0, apart)


def align(slots: Sequence[Slot], words: Sequence[HeardWord]) -> list[tuple[int | None, int | None]]:
    """The cheapest way through `slots` and `words` in order: pairs of their indices, None where one has nothing.

    A word beside a slot costs the mean of `cost` over the slot's engines. Of ways that cost the same, the one that
    pairs the last ones first.
    """
    n, m = len(slots), len(words)
    beside: Callable[[Slot, HeardWord | None], float] = lambda slot, word: sum(cost(e, word) for e in slot) / len(slot)  # noqa: E731
    alone = [beside(slot, None) for slot in slots]
    best = [[0.0] * (m + 1) for _ in range(n + 1)]
    back = [[""] * (m + 1) for _ in range(n + 1)]
    for i in range(n + 1):
        for j in range(m + 1):
            ways = []
            if i and j:
                ways.append((best[i - 1][j - 1] + beside(slots[i - 1], words[j - 1]), "both"))
            if i:
                ways.append((best[i - 1][j] + alone[i - 1], "slot"))
            if j:
                ways.append((best[i][j - 1] + GAP, "word"))
            if ways:
                best[i][j], back[i][j] = min(ways, key=lambda way: way[0])
    path: list[tuple[int | None, int | None]] = []
    i, j = n, m
    while i or j:
        move = back[i][j]
        i, j = i - (move != "word"), j - (move != "slot")
        path.append((None if move == "word" else i, None if move == "slot" else j))
    return path[::-1]


def slots_of(hypotheses: Sequence[Sequence[HeardWord]]) -> list[Slot]:
    """All hypotheses side by side, each aligned to what those before it have made."""
    slots: list[Slot] = [(word,) for word in hypotheses[0]] if hypotheses else []
    for engine, words in enumerate(hypotheses[1:], 1):
        nothing: Slot = (None,) * engine
        slots = [
            (*(nothing if i is None else slots[i]), None if j is None else words[j]) for i, j in align(slots, words)
        ]
    return slots


def vote(hypotheses: Sequence[Sequence[HeardWord]]) -> Verdict:
    """What most engines heard; a tie goes to the one that is named first, so name the best first.

    A winner is spelled as by the first who voted for it, and sounds at the median of its voters' times.
    """
    slots = slots_of(hypotheses)
    words = []
    for slot in slots:
        ballots = [spelling(word) for word in slot]
        winner = max(ballots, key=lambda ballot: (ballots.count(ballot), -ballots.index(ballot)))
        voters = [word for word in slot if word is not None and spelling(word) == winner]
        if voters:
            start, end = median(word.start for word in voters), median(word.end for word in voters)
            words.append(HeardWord(voters[0].text, start, end))
    pairs = list(combinations(range(len(hypotheses)), 2))
    same = sum(spelling(slot[a]) == spelling(slot[b]) for slot in slots for a, b in pairs)
    return Verdict(tuple(words), same / (len(slots) * len(pairs)) if slots and pairs else 1.0)
