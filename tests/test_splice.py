"""A stretch of sound in place of another: no click, no peak over the ceiling, and nothing else touched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conftest import RATE
from unisinger_cli.audio import CEILING, Spliced, crossfade, laid_over, true_peak
from unisinger_cli.types import Audio


def tone(hz: float, n: int, level: float = 0.3, phase: float = 0.0) -> np.ndarray:
    wave = level * np.sin(2 * np.pi * hz * np.arange(n) / RATE + phase)
    return np.repeat(wave[None], 2, axis=0).astype(np.float32)


@pytest.mark.parametrize("phase", [0.0, 1.0, np.pi / 2, np.pi])
@pytest.mark.parametrize("other", [220.0, 313.0])
def test_no_click(phase: float, other: float) -> None:
    """No jump in a fade is larger than in what it goes between, and the level does not bulge or, of strangers, sink."""
    n, fade = 8820, 2205
    old, new = tone(220, n), tone(other, n, phase=phase)
    made = np.concatenate([old[:, -1:], crossfade(old, new, fade, fade), old[:, :1]], axis=1)
    steps = np.abs(np.diff(made[:, 1:-1]))
    assert steps.max() <= 1.5 * max(np.abs(np.diff(old)).max(), np.abs(np.diff(new)).max())
    assert np.array_equal(made[:, 1 + fade : -1 - fade], new[:, fade:-fade])
    middle = made[:, 1 + fade // 4 : 1 + 3 * fade // 4]
    if phase == 0 or other == 313:
        assert np.sqrt(np.mean(middle**2)) == pytest.approx(np.sqrt(np.mean(old**2)), rel=0.25)


@given(st.floats(0.05, 3), st.floats(0, 1), st.integers(0, 5))
@settings(max_examples=60)
@example(1.0, 1.0, 0)
def test_under_the_ceiling(level: float, band: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 6000
    rest = band * CEILING * tone(150, n, 1.0)
    old = np.zeros((2, n), dtype=np.float32)
    new = level * tone(400, n, 1.0) * rng.uniform(0, 1, n).astype(np.float32)
    made = laid_over(old, new, rest, (400, 400), RATE)
    limit = max(CEILING, true_peak(Audio(rest, RATE)))  # what is there already is not turned down
    assert max(true_peak(Audio(sound, RATE)) for sound in (made, made + rest)) <= limit * 1.001
    if true_peak(Audio(new, RATE)) + true_peak(Audio(rest, RATE)) < CEILING:
        assert np.array_equal(made, crossfade(old, new, 400, 400))  # nothing to turn down


@given(st.integers(0, 900), st.integers(1, 100), st.integers(-50, 1100), st.integers(0, 300))
def test_spliced_in_any_block(start: int, size: int, first: int, length: int) -> None:
    sound = Audio(np.arange(1000, dtype=np.float32)[None], RATE)
    stretch = -np.ones((1, size), dtype=np.float32)
    whole = sound.samples.copy()
    whole[:, start : start + size] = -1
    wanted = Audio(whole, RATE).read(first, first + length)
    assert np.array_equal(Spliced(sound, start, stretch[:, : 1000 - start]).read(first, first + length), wanted)
    assert sound.samples.min() == 0
