"""Where the syllables of a line fall: drawn from the learned note values, within what a line has to keep to.

A grid slot is a quarter, a half or a whole beat, whichever is slow enough to sing. Slot 0 is the downbeat of a line's
first bar; a line may begin up to one beat early, and leaves room for the next to do so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unisinger_cli.model.composer import SIXTEENTHS, Composer
from unisinger_cli.types import Floats, Ints, Word

BEATS = 4  # in a bar
FASTEST = 0.2  # seconds a slot lasts at least: five syllables a second
FINEST = 4  # slots to a beat
_WEAK_VOWELS = frozenset("əɚɐ")
_WEAK_WORDS = frozenset(
    "a an the and or but of to in on at for from with as is are was be am it its it's i'm my your his her our their me "
    "him us you he she we they i that than if so der die das den dem ein eine und zu im ist het de een en van".split()
)
_PER_BAR = 5.5  # syllables that a bar holds in comfort
_SHARP = 1.3  # exponent of what was learned: what is usual becomes more so
# What a syllable gains on a slot of each strength (`strength`), over what was learned: stressed, unstressed, and the
# last of a line, which is held. Words are misheard where their stress is off the beat.
_STRESSED = np.array([-2.0, -1.0, 0.0, 0.3, 0.5])
_WEAK = np.array([0.3, 0.3, 0.0, -0.5, -0.7])
_LAST = np.array([-6.0, -2.0, -0.5, 0.0, 0.7])


@dataclass(frozen=True)
class Grid:
    """Slots of `seconds` each, `per_beat` (1, 2 or 4) to a beat."""

    per_beat: int
    seconds: float

    @classmethod
    def at(cls, bpm: float, finest: int = FINEST) -> Grid:
        """The finest grid, of `finest` slots to a beat at most, whose slots last for FASTEST."""
        per_beat = next((n for n in (4, 2) if n <= finest and 60 / bpm / n >= FASTEST), 1)
        return cls(per_beat, 60 / bpm / per_beat)

    @property
    def bar(self) -> int:
        """Slots in a bar."""
        return BEATS * self.per_beat

    def position(self, slot: int | Ints) -> Ints:
        """Sixteenths from the bar line to a slot, 0..15."""
        return np.asarray(slot, dtype=np.int64) * (4 // self.per_beat) % SIXTEENTHS


def strength(position: float | Ints | Floats, beats: int = BEATS) -> Ints:
    """Metrical strength of a position, in sixteenths from the bar line: 4 the downbeat, 3 the middle of an even bar,
    2 a beat, 1 half a beat, 0 anything else (Lerdahl & Jackendoff, A Generative Theory of Tonal Music, 1983)."""
    at = np.asarray(position)
    middle = (beats % 2 == 0) & (at == 2 * beats)
    return np.select([at == 0, middle, at % 4 == 0, at % 2 == 0], [4, 3, 2, 1], 0).astype(np.int64)


def stresses(words: Sequence[Word]) -> list[bool]:
    """For every syllable of a line, whether it wants a strong beat: full vowels of words that carry meaning."""
    found: list[bool] = []
    for word in words:
        weak_word = word.text.lower() in _WEAK_WORDS
        for i, syllable in enumerate(word.syllables):
            weak = weak_word or not _WEAK_VOWELS.isdisjoint(syllable)
            found.append(not weak and (i == 0 or not found[-1]))
    return found


def word_ends(words: Sequence[Word]) -> list[bool]:
    """For every syllable of a line, whether its word ends with it."""
    return [i + 1 == len(word.syllables) for word in words for i in range(len(word.syllables))]


def sung(number: int) -> int:
    """Category of a syllable's number in its line: 0, 1, 2, and 3 for those after."""
    return min(number, 3)


def to_come(number: int, count: int) -> int:
    """Category of how many syllables of its line come after one: 0, 1, 2, 3, and 4 for more."""
    return min(count - 1 - number, 4)


def onset_context(stressed: Sequence[bool]) -> Ints:
    """What the beginning of a line is chosen by, int64 [f]; see `model.composer.FEATURES`."""
    size = int(np.searchsorted([3, 6, 10], len(stressed), side="right"))
    return np.array([size, stressed[0], len(stressed) > 1 and stressed[1]], dtype=np.int64)


def value_context(number: int, stressed: Sequence[bool], ends: Sequence[bool], position: Ints, before: Ints) -> Ints:
    """What the value of syllable `number` of a line is chosen by, int64 [..., f].

    `position`, int64 [...], is in sixteenths from the bar line, `before` the value of the syllable before it, in
    sixteenths less one, and SIXTEENTHS for the first of a line. The two are broadcast.
    """
    position, before = np.broadcast_arrays(position, before)
    told = (stressed[number], stressed[number + 1], ends[number], sung(number), to_come(number, len(stressed)))
    return np.stack([position, before, *(np.full(position.shape, value) for value in told)], -1).astype(np.int64)


def bars_for(syllables: int, grid: Grid) -> int:
    """Bars that a line takes: one for a shout, two for most, and more for the long ones."""
    if syllables <= 2 + (grid.per_beat >= 2):
        return 1
    comfortable = syllables / (_PER_BAR * min(grid.per_beat, 2) / 2)
    return 2 if comfortable <= 2 else 2 * int(np.ceil(comfortable / 2))


def place(words: Sequence[Word], bars: int, grid: Grid, composer: Composer, taste: Floats) -> list[int]:
    """Slot of each syllable's start, ascending, from -1 beat to 3 beats before the end of the line's last bar.

    Drawn from all ways to end within the first two beats of the last bar, by filtering backwards and sampling forwards
    (Pachet, Roy & Barbieri, "Finite-length Markov processes with constraints", IJCAI 2011). `taste`, float32 [slots of
    the line and one beat] or longer, in 0..1, are the lots: that of a slot decides what follows a syllable on it, so
    that lines with the same taste share a rhythm. `bars` must hold the syllables (`bars_for`).
    """
    stressed, ends = stresses(words), word_ends(words)
    early, count = grid.per_beat, len(stressed)
    slots = np.arange(-early, (BEATS * bars - 3) * early + 1)
    strong = strength(grid.position(slots))
    wish = np.where(np.array(stressed)[:, None], _STRESSED[strong], _WEAK[strong])  # [syllables, slots]
    wish[-1] = np.where(slots >= (bars - 1) * grid.bar, _LAST[strong], -np.inf)
    values = (np.arange(grid.bar) + 1) * (4 // grid.per_beat) - 1  # classes of values of 1, 2, ... slots
    before = np.array([*values, SIXTEENTHS])
    after = np.arange(len(slots))[:, None] + 1 + np.arange(len(values))  # [slots, values] -> index of the next slot

    # worth[i][s, v]: of value v of syllable i on slot s, summed over all that may follow; -inf where nothing may.
    future = np.repeat(wish[-1][:, None], len(before), 1)  # [slots, before] of the last syllable
    worth: list[Floats] = []
    for i in range(count - 2, -1, -1):
        context = value_context(i, stressed, ends, np.arange(SIXTEENTHS)[:, None], before)
        learned = _SHARP * composer.log_probabilities("value", context)[..., values]  # [positions, before, values]
        padded = np.concatenate([future, np.full((len(values), len(before)), -np.inf)])
        ahead = padded[after, np.arange(len(values))]  # [slots, values]
        total = learned[grid.position(slots)] + ahead[:, None, :]  # [slots, before, values]
        worth.append(total.astype(np.float32))
        future = log_sum(total) + wish[i][:, None]
    worth.reverse()

    begin = _SHARP * composer.log_probabilities("onset", onset_context(stressed))[grid.position(slots)]
    first = np.where(slots <= 2 * early, begin + future[:, -1], -np.inf)
    first = first if np.isfinite(first).any() else future[:, -1]
    found = [draw(first, float(taste[-1]))]
    previous = len(values)
    for step in worth:
        previous = draw(step[found[-1], previous], float(taste[found[-1]]))
        found.append(found[-1] + 1 + previous)
    return [int(slots[at]) for at in found]


def draw(logits: Floats, lot: float) -> int:
    """The index at which the cumulated probabilities pass `lot`, 0..1; equal lots give neighbours of like logits."""
    weights = np.cumsum(np.exp(logits - logits.max()))
    return int(min(np.searchsorted(weights, lot * weights[-1], side="right"), len(weights) - 1))


def log_sum(logits: Floats) -> Floats:
    """log(sum(exp)) over the last axis; -inf stays."""
    top = np.maximum(logits.max(-1), -1e30)
    with np.errstate(divide="ignore"):
        total: Floats = top + np.log(np.exp(logits - top[..., None]).sum(-1))
    return total
