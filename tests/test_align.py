"""Forced alignment against trying every path."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unisinger_cli.stages.align import align


def brute_force(scores: np.ndarray, symbols: list[tuple[int, bool]], least: int) -> float:
    best = float("-inf")
    optional = [i for i, (_, skip) in enumerate(symbols) if skip]
    for used in itertools.product([False, True], repeat=len(optional)):
        dropped = {i for i, keep in zip(optional, used, strict=True) if not keep}
        left = [s for i, (s, _) in enumerate(symbols) if i not in dropped]
        for cuts in itertools.combinations(range(1, len(scores)), len(left) - 1):
            edges = [0, *cuts, len(scores)]
            if any(b - a < (least if s else 1) for s, a, b in zip(left, edges[:-1], edges[1:], strict=True)):
                continue
            total = sum(float(scores[a:b, s].sum()) for s, a, b in zip(left, edges[:-1], edges[1:], strict=True))
            best = max(best, total)
    return best


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**6), st.integers(3, 8), st.integers(1, 3), st.booleans(), st.booleans(), st.sampled_from([1, 2])
)
def test_best_of_all_paths(seed: int, frames: int, sounds: int, ends: bool, between: bool, least: int) -> None:
    assume(frames >= least * sounds)
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(frames, 5))
    symbols: list[tuple[int, bool]] = [(0, True)] if ends else []
    for i in range(sounds):
        symbols.append((1 + int(rng.integers(4)), False))
        if between if i < sounds - 1 else ends:
            symbols.append((0, True))
    spans = align(scores, symbols, least)
    assert spans[0][1] == 0 and spans[-1][2] == frames
    assert all(a[2] == b[1] for a, b in itertools.pairwise(spans))
    assert all(b - a >= least for s, a, b in spans if s)
    assert [s for s, _, _ in spans if s] == [s for s, _ in symbols if s]
    made = sum(float(scores[a:b, s].sum()) for s, a, b in spans)
    assert made == pytest.approx(brute_force(scores, symbols, least), abs=1e-4)


def test_the_same_sound_twice_is_two_spans() -> None:
    assert align(np.zeros((4, 2)), [(1, False), (1, False)], least=2) == [(1, 0, 2), (1, 2, 4)]


def test_too_many_symbols() -> None:
    with pytest.raises(ValueError, match="3 symbols need 3 frames, and there are 2"):
        align(np.zeros((2, 4)), [(1, False), (2, False), (3, False)])
    with pytest.raises(ValueError, match="2 symbols need 4 frames, and there are 3"):
        align(np.zeros((3, 4)), [(1, False), (2, False)], least=2)
