"""What tokens tell of what is said, and of who says it: probes that are nothing but counts.

Shapes: n latent frames, c codes, p phonemes, k offsets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.types import Floats, Ints

_SMOOTHED = 0.1  # added to every count: a code that was not seen with a phoneme may be
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Probe:
    """A linear softmax classifier of one-hot tokens around a frame, fitted in closed form (naive Bayes), and a discrete
    hidden Markov model (Rabiner 1989) with one state a phoneme, which knows how long phonemes last but not which
    follows which: all words come from the tokens.

    table: log P(code at that offset | phoneme), [k, c, p]; the middle offset is the frame itself. prior: log P(phoneme)
    of frames, enter: of whole phonemes, [p]. stay: P(the next frame has the same phoneme), [p].
    """

    table: Doubles
    prior: Doubles
    stay: Doubles
    enter: Doubles

    @classmethod
    def fit(cls, heard: Iterable[tuple[Ints, Ints]], codes: int, phonemes: int, reach: int = 2) -> Probe:
        """From tokens [n] and labels [n] of recordings; label -1 is not known. `reach` neighbours on either side."""
        counts = np.zeros((2 * reach + 1, codes, phonemes))
        spans, frames = np.zeros(phonemes), np.zeros(phonemes)
        for tokens, labels in heard:
            for row, (code, known) in zip(counts, _offsets(tokens, reach), strict=True):
                used = known & (labels >= 0)
                np.add.at(row, (code[used], labels[used]), 1)
            kept = labels[labels >= 0]
            frames += np.bincount(kept, minlength=phonemes)
            begins = np.flatnonzero(np.diff(kept, prepend=-1))
            spans += np.bincount(kept[begins], minlength=phonemes)
        smooth = counts + _SMOOTHED
        return cls(
            np.log(smooth / smooth.sum(1, keepdims=True)),
            np.log((frames + _SMOOTHED) / (frames + _SMOOTHED).sum()),
            (frames - spans + _SMOOTHED) / (frames + 2 * _SMOOTHED),
            np.log((spans + _SMOOTHED) / (spans + _SMOOTHED).sum()),
        )

    def name(self, tokens: Ints, reach: int | None = None) -> Ints:
        """The likeliest phoneme of each frame, [n], by as many neighbours as it was fitted with, or by `reach`."""
        middle = len(self.table) // 2
        reach = middle if reach is None else reach
        scores = np.tile(self.prior, (len(tokens), 1))
        for table, (code, known) in zip(
            self.table[middle - reach : middle + reach + 1], _offsets(tokens, reach), strict=True
        ):
            scores += table[code] * known[:, None]
        return np.asarray(scores.argmax(1), dtype=np.int64)

    def read(self, tokens: Ints) -> list[int]:
        """The likeliest sequence of phonemes, by dynamic programming (Viterbi), of the frames' own tokens."""
        if not len(tokens):
            return []
        emission = self.table[len(self.table) // 2][tokens]
        stay, leave = np.log(self.stay), np.log1p(-self.stay)
        score, came = self.enter + emission[0], np.zeros(emission.shape, dtype=np.int64)
        every = np.arange(len(stay))
        for t in range(1, len(tokens)):
            best = int((score + leave).argmax())
            entered, stayed = (score + leave)[best] + self.enter, score + stay
            came[t] = np.where(entered > stayed, best, every)
            score = np.maximum(entered, stayed) + emission[t]
        path = [int(score.argmax())]
        for t in range(len(tokens) - 1, 0, -1):
            path.append(int(came[t, path[-1]]))
        path.reverse()
        return [p for i, p in enumerate(path) if i == 0 or p != path[i - 1]]


def _offsets(tokens: Ints, reach: int) -> list[tuple[Ints, NDArray[np.bool_]]]:
    """The token at each offset of each frame, and whether there is one: (2 reach + 1) x ([n], [n])."""
    at = [np.arange(len(tokens)) + offset for offset in range(-reach, reach + 1)]
    return [(tokens[np.clip(i, 0, len(tokens) - 1)], (i >= 0) & (i < len(tokens))) for i in at]


def histogram(tokens: Ints, codes: int) -> Floats:
    """How often each code is used, square root, unit length: float32 [c]. Cosines of two are Bhattacharyya's
    coefficient."""
    counts = np.bincount(tokens, minlength=codes).astype(np.float32)
    return np.asarray(np.sqrt(counts / max(1, len(tokens))), dtype=np.float32)


def nearest_centroid(known: Sequence[tuple[str, Floats]], asked: Sequence[tuple[str, Floats]]) -> float | None:
    """Share of the named vectors `asked` [d] that are nearest, by cosine, to the mean of the known ones of their name;
    None where nothing is asked, or known."""
    if not asked or not known:
        return None
    people = sorted({name for name, _ in known})
    centres = np.stack([np.mean([vector for name, vector in known if name == one], axis=0) for one in people])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return float(np.mean([people[int((centres @ vector).argmax())] == name for name, vector in asked]))
