"""Two sequences side by side: when each phoneme of a known one sounds (forced alignment), and how many of them are
wrong."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def align(scores: Tensor, symbols: Sequence[tuple[int, bool]]) -> list[tuple[int, int, int]]:
    """Best path through a left-to-right model by dynamic programming (Viterbi).

    Every symbol (id, may be skipped) takes one frame or more, in order; together they cover all frames. Two optional
    symbols must not be neighbours.

    Args:
        scores: log-likelihoods [t frames, ids].
        symbols: what is said, in order.
    Returns:
        (id, first frame, frame after the last) of the symbols that were used.
    Raises:
        ValueError: more obligatory symbols than frames, or none at all.
    """
    import torch

    if any(a and b for (_, a), (_, b) in pairwise(symbols)):
        raise ValueError("two optional symbols in a row")
    optional = torch.tensor([skip for _, skip in symbols])
    frames, states = scores.shape[0], len(symbols)
    if not states or int((~optional).sum()) > frames:
        raise ValueError(f"{int((~optional).sum())} symbols do not fit into {frames} frames")
    emission = scores[:, torch.tensor([i for i, _ in symbols])]  # t, states
    impossible = float("-inf")
    best = torch.full((states,), impossible)
    best[0] = emission[0, 0]
    if states > 1 and optional[0]:
        best[1] = emission[0, 1]
    may_jump = torch.zeros(states, dtype=torch.bool)  # over the optional symbol just before
    may_jump[2:] = optional[1:-1]
    moves = torch.zeros(frames, states, dtype=torch.int8)
    for t in range(1, frames):
        one = torch.cat([best.new_full((1,), impossible), best[:-1]])
        two = torch.cat([best.new_full((2,), impossible), best[:-2]])[:states]
        two = torch.where(may_jump, two, impossible)
        best, moves[t] = torch.stack([best, one, two]).max(dim=0)
        best = best + emission[t]
    last = states - 1
    if states > 1 and optional[-1] and best[-2] > best[-1]:
        last -= 1
    path = [last]
    for t in range(frames - 1, 0, -1):
        path.append(path[-1] - int(moves[t, path[-1]]))
    path.reverse()
    spans = []
    begin = 0
    for t in range(1, frames + 1):
        if t == frames or path[t] != path[begin]:
            spans.append((symbols[path[begin]][0], begin, t))
            begin = t
    return spans


def edits(heard: Sequence[str], said: Sequence[str]) -> int:
    """Levenshtein distance: substitutions, insertions and deletions that turn one into the other."""
    row = list(range(len(said) + 1))
    for i, symbol in enumerate(heard, 1):
        diagonal, row[0] = row[0], i
        for j, wanted in enumerate(said, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (symbol != wanted))
    return row[-1]
