"""Forced alignment against trying every path."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unisinger_cli.stages.align import align


def brute_force(scores: torch.Tensor, symbols: list[tuple[int, bool]]) -> float:
    best = float("-inf")
    optional = [i for i, (_, skip) in enumerate(symbols) if skip]
    for used in itertools.product([False, True], repeat=len(optional)):
        dropped = {i for i, keep in zip(optional, used, strict=True) if not keep}
        left = [s for i, (s, _) in enumerate(symbols) if i not in dropped]
        for cuts in itertools.combinations(range(1, len(scores)), len(left) - 1):
            edges = [0, *cuts, len(scores)]
            total = sum(float(scores[a:b, s].sum()) for s, a, b in zip(left, edges[:-1], edges[1:], strict=True))
            best = max(best, total)
    return best


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(3, 8), st.integers(1, 3), st.booleans(), st.booleans())
def test_best_of_all_paths(seed: int, frames: int, sounds: int, ends: bool, between: bool) -> None:
    g = torch.Generator().manual_seed(seed)
    scores = torch.randn(frames, 5, generator=g)
    symbols: list[tuple[int, bool]] = [(0, True)] if ends else []
    for i in range(sounds):
        symbols.append((1 + int(torch.randint(4, (), generator=g)), False))
        if between if i < sounds - 1 else ends:
            symbols.append((0, True))
    spans = align(scores, symbols)
    assert spans[0][1] == 0 and spans[-1][2] == frames
    assert all(a[2] == b[1] for a, b in itertools.pairwise(spans))
    assert [s for s, _, _ in spans if s] == [s for s, _ in symbols if s]
    made = sum(float(scores[a:b, s].sum()) for s, a, b in spans)
    assert made == pytest.approx(brute_force(scores, symbols), abs=1e-4)


def test_too_many_symbols() -> None:
    with pytest.raises(ValueError, match="3 symbols do not fit into 2 frames"):
        align(torch.zeros(2, 4), [(1, False), (2, False), (3, False)])
