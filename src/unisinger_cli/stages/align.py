"""Two sequences side by side: when each phoneme of a known one sounds (forced alignment), and how many of them are
wrong."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OUTSIDE = 1e4  # nats that a frame outside costs, more than any two symbols are apart


def align(
    scores: NDArray[np.floating[Any]],
    symbols: Sequence[tuple[int, bool]],
    least: int | Sequence[int] = 1,
    within: Sequence[tuple[int, int]] | None = None,
) -> list[tuple[int, int, int]]:
    """Best path through a left-to-right model by dynamic programming (Viterbi).

    Every symbol (id, may be skipped) takes `least` frames (one number for all, or one for each) or more, in order, one
    that may be skipped one or more; together they cover all frames. Two optional symbols must not be neighbours.

    Args:
        scores: log-likelihoods [t frames, ids].
        symbols: what is said, in order.
        within: of each symbol, the frames [first, last) that it should keep to. Where it cannot, it leaves them as
            little as may be.
    Returns:
        (id, first frame, frame after the last) of the symbols that were used.
    Raises:
        ValueError: more frames are needed than there are, or there are no symbols.
    """
    if any(a and b for (_, a), (_, b) in pairwise(symbols)):
        raise ValueError("two optional symbols in a row")
    length = np.where([skip for _, skip in symbols], 1, least).astype(np.int64)  # of each symbol, at least
    needed = sum(length[i] for i, (_, skip) in enumerate(symbols) if not skip)
    if not symbols or needed > len(scores):
        raise ValueError(f"{len(symbols)} symbols need {needed} frames, and there are {len(scores)}")
    owner = np.repeat(np.arange(len(symbols)), length)  # the symbol of each state
    optional = np.array([skip for _, skip in symbols])[owner]
    emission = scores[:, np.array([i for i, _ in symbols])[owner]].astype(np.float64)  # t, states
    frames, states = emission.shape
    if within is not None:
        first, last = np.array(within).T[:, owner]
        frame = np.arange(frames)[:, None]
        emission -= _OUTSIDE * ((frame < first) | (frame >= last))
    leap = np.full(states, -np.inf)  # over the optional state just before
    leap[2:][optional[1:-1]] = 0.0
    best = np.full(states + 2, -np.inf)  # two states before the first, from which nothing comes
    best[2] = emission[0, 0]
    if states > 1 and optional[0]:
        best[3] = emission[0, 1]
    moves = np.zeros((frames, states), dtype=np.int8)
    for t in range(1, frames):
        stay, step, over = best[2:], best[1:-1], best[:-2] + leap
        near = np.maximum(stay, step)
        moves[t] = np.where(over > near, 2, step > stay)
        best[2:] = np.maximum(near, over) + emission[t]
    last = states - 1
    if states > 1 and optional[-1] and best[-2] > best[-1]:
        last -= 1
    path = np.empty(frames, dtype=np.int64)
    for t in range(frames - 1, -1, -1):
        path[t] = owner[last]
        last -= int(moves[t, last])
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), frames]
    return [(symbols[path[a]][0], a, b) for a, b in pairwise(edges)]


def edits(heard: Sequence[str], said: Sequence[str]) -> int:
    """Levenshtein distance: substitutions, insertions and deletions that turn one into the other."""
    row = list(range(len(said) + 1))
    for i, symbol in enumerate(heard, 1):
        diagonal, row[0] = row[0], i
        for j, wanted in enumerate(said, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (symbol != wanted))
    return row[-1]
