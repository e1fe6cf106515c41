"""Where a conversion is sung: what is spoken at the new voice's pitch, what is sung in its key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import store, sung
from unisinger_cli.pipeline.convert import rehearse_conversion, towards
from unisinger_cli.pipeline.reporter import Silent
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import ConvertRequest, one_voice
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


@pytest.mark.parametrize(("accomp", "shift"), [("new", 0.3), ("none", 0.0)])
def test_who_sang_alone_comes_to_concert_pitch_where_others_play_along(
    tmp_path: Path, accomp: str, shift: float
) -> None:
    flat = 2 ** (-0.3 / 12)
    song = np.concatenate(
        [sung(1.5, hz * flat).samples for hz in (220.0, 246.94, 277.18, 293.66, 329.63, 220.0)], axis=1
    )
    source, voice = store(tmp_path / "song.wav", song), store(tmp_path / "voice.wav", sung(3.0, 233.08).samples)
    request = ConvertRequest(source, one_voice(voice), accomp, separate=False)
    rehearsal = rehearse_conversion(Studio.open("debug", threads=1), request, Silent())
    assert rehearsal.shift == pytest.approx(shift, abs=0.06)
    assert rehearsal.condition.pitch is not None
    first = rehearsal.condition.pitch[20:40]
    assert 12 * np.log2(np.median(first[first > 0]) / (220 * flat)) == pytest.approx(shift, abs=0.15)
