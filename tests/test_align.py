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


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(4, 8), st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_every_symbol_keeps_to_its_frames_and_to_its_length(seed: int, frames: int, least: list[int]) -> None:
    """Against every path, where some symbols are longer than others and times are known beforehand."""
    assume(frames >= sum(least))
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(frames, 5))
    symbols = [(1 + int(rng.integers(4)), False) for _ in least]
    edges = [0, *np.cumsum(least)[:-1].tolist(), frames]  # one path that surely is allowed
    within = [(max(0, a - int(rng.integers(3))), b + int(rng.integers(3))) for a, b in itertools.pairwise(edges)]
    spans = align(scores, symbols, least, within)
    paths = []
    for cuts in itertools.combinations(range(1, frames), len(least) - 1):
        parts = list(itertools.pairwise([0, *cuts, frames]))
        fits = zip(parts, least, within, strict=True)
        if all(b - a >= n and first <= a and b <= last for (a, b), n, (first, last) in fits):
            paths.append(sum(float(scores[a:b, s].sum()) for (a, b), (s, _) in zip(parts, symbols, strict=True)))
    assert all(b - a >= n for (_, a, b), n in zip(spans, least, strict=True))
    assert all(first <= a and b <= last for (_, a, b), (first, last) in zip(spans, within, strict=True))
    assert sum(float(scores[a:b, s].sum()) for s, a, b in spans) == pytest.approx(max(paths))


def test_times_that_cannot_be_kept_are_left_by_as_little_as_may_be() -> None:
    spans = align(np.zeros((6, 2)), [(0, False), (1, False)], within=[(0, 5), (5, 5)])
    assert spans == [(0, 0, 5), (1, 5, 6)]


def test_the_same_sound_twice_is_two_spans() -> None:
    assert align(np.zeros((4, 2)), [(1, False), (1, False)], least=2) == [(1, 0, 2), (1, 2, 4)]


def test_too_many_symbols() -> None:
    with pytest.raises(ValueError, match="3 symbols need 3 frames, and there are 2"):
        align(np.zeros((2, 4)), [(1, False), (2, False), (3, False)])
    with pytest.raises(ValueError, match="2 symbols need 4 frames, and there are 3"):
        align(np.zeros((3, 4)), [(1, False), (2, False)], least=2)
