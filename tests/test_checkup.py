"""The check-up of `voice add`: each finding refuses or tells what it should, and lets pass what it should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import store, sung
from corpus_voice import manifest_row, write_manifest
from test_separate import chord
from unisinger_cli.audio import mono_at, read
from unisinger_cli.errors import InputError, MissingExtra, ModelError
from unisinger_cli.evaluation.speakers import check_speakers
from unisinger_cli.pipeline import enrol as enrolment
from unisinger_cli.pipeline.enrol import enrol
from unisinger_cli.pipeline.reporter import Silent
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.pipeline.voicefile import Voice
from unisinger_cli.stages.checkup import Checkup, alike, check_up, clipped, verdict
from unisinger_cli.stages.timbre import likeness, listen
from unisinger_cli.types import Audio, Floats, Sound

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
GOOD = Checkup(seconds=12.0, sounding=11.5, snr=30.0, clipped=0.0, voiced=0.6, alike=0.7)


# ---------------------------------------------------------------- the measures
def test_clipping_is_the_share_of_flat_tops() -> None:
    voice = sung(3.0)
    peak = float(np.abs(voice.samples).max())
    assert clipped(voice) == 0
    shares = [clipped(Audio(np.clip(voice.samples, -peak / by, peak / by), voice.rate)) for by in (1.2, 2, 8)]
    assert 0 < shares[0] < shares[1] < shares[2] < 1
    one_side = np.minimum(voice.samples, peak / 2)
    assert 0 < clipped(Audio(one_side, voice.rate)) < shares[1]
    assert clipped(Audio(np.concatenate([voice.samples, one_side]), voice.rate)) == clipped(Audio(one_side, voice.rate))
    assert clipped(Audio(0.1 * one_side, voice.rate)) == clipped(Audio(one_side, voice.rate))  # turned down afterwards
    assert clipped(Audio(np.zeros((1, 100), np.float32), 44100)) == 0


def turns(*people: int, spread: float = 0.5) -> Floats:
    """Windows of people who take turns: unit vectors about a centre for each."""
    rng = np.random.default_rng(0)
    centres = np.eye(4, 64)
    made = centres[list(people)] + spread * rng.standard_normal((len(people), 64)) / 8
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def test_people_are_told_by_how_far_windows_spread() -> None:
    assert alike(turns(0)) is None
    for one in (turns(0, 0), turns(0, 0, 0, 0, 0)):
        found = alike(one)
        assert found is not None and found > 0.5
    for several in (turns(0, 1), turns(0, 1, 0, 1, 0, 1), turns(0, 0, 0, 0, 0, 1), turns(0, 1, 2, 3)):
        found = alike(several)
        assert found is not None and found < 0.3
    assert alike(np.repeat(turns(0), 4, axis=0)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        ({"sounding": 0.99}, "0.99 s"),
        ({"voiced": 0.0}, "no pitch"),
        ({"snr": 7.9}, "noisy"),
        ({"clipped": 0.21}, "21 %"),
        ({"alike": 0.29}, "several people"),
    ],
)
def test_what_is_refused(finding: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        verdict(replace(GOOD, **finding), "a.wav", solo=False)
    assert caught.value.message.startswith(("a.wav", "nothing in a.wav")) and caught.value.hint


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        ({"sounding": 8.8}, "3.2 s of silence"),
        ({"snr": 14.0}, "SNR 14 dB: noisy, over 20 is good"),
        ({"clipped": 0.02}, "2.0 % of its samples are clipped"),
        ({"alike": 0.31}, "one person all through?"),
    ],
)
def test_what_is_told(finding: dict[str, Any], said: str) -> None:
    (note,) = verdict(replace(GOOD, **finding), "a.wav", solo=False)
    assert said in note


def test_what_passes() -> None:
    assert verdict(GOOD, "a.wav", solo=False) == verdict(replace(GOOD, alike=None), "a.wav", solo=False) == []
    assert len(verdict(replace(GOOD, alike=0.0), "a.wav", solo=True)) == 1


# ---------------------------------------------------------------- on recordings, by the bundled model
@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio.open()


@pytest.fixture(scope="module")
def voice() -> Audio:
    return read(EXAMPLES / "reference.wav")


@pytest.fixture
def take(studio: Studio, tmp_path: Path) -> Callable[..., Voice]:
    """A voice from sounds, mono samples at 44.1 kHz."""

    def add(*sounds: Floats, rate: int = 44100, solo: bool = False) -> Voice:
        paths = [store(tmp_path / f"{i}.wav", samples, rate) for i, samples in enumerate(sounds)]
        return enrol(studio, "me", paths, "mine", Silent(), solo=solo)

    return add


def test_a_good_recording_passes(take: Callable[..., Voice], voice: Audio, studio: Studio) -> None:
    made = take(voice.mono(), rate=voice.rate)
    assert [note for note in made.done if "10 s or more" not in note] == []
    found = made.recordings[0].checkup
    assert found is not None and found.snr > 20 and found.clipped < 0.001 and found.alike is not None
    assert likeness(made.timbre.vector, studio.timbre([voice]).vector) == pytest.approx(1, abs=1e-5)


def test_two_recordings_of_one_voice_pass(take: Callable[..., Voice], voice: Audio) -> None:
    mono = voice.mono()
    half = len(mono) // 2
    made = take(mono[:half], mono[half:], rate=voice.rate)
    assert len(made.recordings) == 2 and not any("one person" in note for note in made.done)


def test_other_people_are_refused(take: Callable[..., Voice], voice: Audio) -> None:
    length = 4 * voice.rate
    one, other = voice.mono()[:length], mono_at(read(EXAMPLES / "vocal.wav"), voice.rate)[:length]
    both = np.concatenate([one, other])
    with pytest.raises(InputError, match="several people"):
        take(both, rate=voice.rate)
    with pytest.raises(InputError, match="do not sound like one voice"):
        take(one, other, rate=voice.rate)
    assert any("one person" in note for note in take(both, rate=voice.rate, solo=True).done)


def test_noise_and_clipping_are_refused(take: Callable[..., Voice], voice: Audio) -> None:
    mono = voice.mono()[: 4 * voice.rate]
    noise = np.random.default_rng(0).standard_normal(mono.size).astype(np.float32) * mono.std()
    with pytest.raises(InputError, match="too noisy"):
        take(mono + noise, rate=voice.rate)
    assert any("noisy" in note for note in take(mono + 0.2 * noise, rate=voice.rate).done)
    with pytest.raises(InputError, match="is clipped"):
        take(np.clip(100 * mono, -0.9, 0.9), rate=voice.rate)


def test_silence_is_left_out_and_does_not_count(take: Callable[..., Voice], voice: Audio) -> None:
    rate = voice.rate
    mono = np.pad(voice.mono()[rate : 4 * rate], (0, 3 * rate))
    assert any("s of silence" in note for note in take(mono, rate=rate).done)
    with pytest.raises(InputError, match="at least 1 s"):
        take(np.pad(sung(0.7).mono(), (0, 44100)))
    with pytest.raises(InputError, match=r"0\.wav: .*sounds for"):
        take(np.pad(sung(0.3).mono(), (0, 44100)))


class Known:
    """A separator that knows the vocal."""

    rate = 44100

    def __init__(self, samples: Floats) -> None:
        self._samples = samples

    def vocal(self, mix: Sound, step: Callable[[int, int], None] | None = None) -> Sound:
        return Audio(np.repeat(self._samples[None], 2, axis=0), mix.rate)


def test_music_is_taken_out_or_refused(
    take: Callable[..., Voice], voice: Audio, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    mono = mono_at(voice, 44100)[: 4 * 44100]
    mix = (mono + 0.3 * chord(4.5)[: len(mono)]).astype(np.float32)
    for missing in (ModelError("no weights", "unisinger models pull htdemucs"), MissingExtra("demucs", "separate")):

        def fail(*_: object, error: Exception = missing, **__: object) -> None:
            raise error

        monkeypatch.setattr(enrolment, "choose_separator", fail)
        with pytest.raises(InputError, match="music behind the voice") as caught:
            take(mix)
        assert missing.hint in caught.value.hint and "--solo" in caught.value.hint
    assert any("taken as it is" in note for note in take(mix, solo=True).done)

    monkeypatch.setattr(enrolment, "choose_separator", lambda **_: Known(mono))
    made = take(mix)
    assert any("the vocal was taken out" in note for note in made.done)
    assert likeness(made.timbre.vector, studio.timbre([Audio(mono[None], 44100)]).vector) > 0.99


def test_the_check_up_is_measured_on_splices(tmp_path: Path) -> None:
    rows = []
    for singer, hz in (("anna", 220.0), ("ben", 131.0)):
        store(tmp_path / f"{singer}.wav", sung(9.5, hz, 16000).samples, 16000)
        rows.append(manifest_row(f"{singer}.wav", singer, kind="song", seconds=9.5))
    write_manifest(tmp_path, rows)
    part = check_speakers(Studio.open("debug"), tmp_path, Silent(), items=4, seed=0)
    assert [score.name for score in part.scores] == ["song_refused", "song_asked_about"] and len(part.items) == 2
    assert all(set(item.values) == {"one", "two"} for item in part.items)
    write_manifest(tmp_path, rows[:1])
    with pytest.raises(InputError, match="too few people"):
        check_speakers(Studio.open("debug"), tmp_path, Silent(), items=4, seed=0)


def test_noise_alone_is_no_voice(studio: Studio) -> None:
    noise = Audio(np.random.default_rng(0).standard_normal((1, 3 * 44100)).astype(np.float32) * 0.1, 44100)
    with pytest.raises(InputError):
        verdict(check_up(noise, listen(studio.model, noise).vectors, studio.pitch(noise)), "noise.wav", solo=True)
