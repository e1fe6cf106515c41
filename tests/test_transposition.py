"""Where a conversion is sung: what is spoken at the new voice's pitch, what is sung in its key."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unisinger_cli.pipeline.convert import towards
from unisinger_cli.stages.pitch import is_spoken
from unisinger_cli.types import Pitch

RATE = 44100 / 1024


def curve(semitones: np.ndarray) -> Pitch:
    return Pitch((220 * 2 ** (semitones / 12)).astype(np.float32), RATE)


def test_what_holds_its_pitch_is_sung_and_what_glides_is_spoken() -> None:
    time = np.arange(int(6 * RATE)) / RATE
    notes = np.repeat(np.array([0, 2, 4, 5, 7, 4, 2, 0]), int(0.75 * RATE))
    assert not is_spoken(curve(notes + 0.2 * np.sin(2 * np.pi * 5.5 * np.arange(len(notes)) / RATE)))  # with vibrato
    assert is_spoken(curve(4 * np.sin(2 * np.pi * 0.9 * time)))
    assert not is_spoken(curve(np.full(200, 3.0)))
    nothing = Pitch(np.zeros(200, dtype=np.float32), RATE)
    assert not is_spoken(nothing) and not is_spoken(curve(np.zeros(3)))


@settings(max_examples=100, deadline=None)
@given(st.floats(30, 90), st.floats(30, 90))
def test_a_key_is_kept_by_octaves_and_speech_goes_to_the_voice(source: float, target: float) -> None:
    sung = towards(source, target, keyed=True)
    assert sung % 12 == 0 and abs(source + sung - target) <= 6 + 1e-9
    assert source + towards(source, target, keyed=False) == pytest.approx(target, abs=0.006)


def test_what_has_no_pitch_stays() -> None:
    assert towards(None, 60.0, keyed=False) == towards(60.0, None, keyed=True) == 0
