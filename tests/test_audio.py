"""Sound in and out: what is refused and how, what mastering promises, what a file holds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import RATE, store, sung
from unisinger_cli import audio
from unisinger_cli.errors import InputError
from unisinger_cli.types import Audio, Stems


def noise(seconds: float, level: float, seed: int = 0, channels: int = 2) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE)))).astype(np.float32)


# ---------------------------------------------------------------- reading
def test_wav_comes_back_as_it_was_written(tmp_path: Path) -> None:
    sound = sung(1.0, channels=2)
    audio.write(tmp_path / "a.wav", sound)
    back = audio.read(tmp_path / "a.wav")
    assert back.rate == RATE
    assert back.samples.dtype == np.float32
    assert np.abs(back.samples - sound.samples).max() <= 2**-24 + 1e-9
    assert soundfile.info(str(tmp_path / "a.wav")).subtype == "PCM_24"


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3", ".WAV"])
def test_other_formats_are_chosen_by_suffix(tmp_path: Path, suffix: str) -> None:
    sound = sung(1.0, channels=2)
    audio.write(tmp_path / f"a{suffix}", sound)
    back = audio.read(tmp_path / f"a{suffix}")
    assert back.rate == RATE
    assert abs(back.seconds - 1) < 0.1  # MP3 pads
    assert audio.loudness(back) == pytest.approx(audio.loudness(sound), abs=0.5)


def test_eight_bit_eight_kilohertz_mono_is_welcome(tmp_path: Path) -> None:
    store(tmp_path / "phone.wav", sung(2.0, rate=8000).samples, 8000, "PCM_U8")
    sound = audio.read(tmp_path / "phone.wav", min_seconds=1)
    assert (sound.rate, sound.samples.shape) == (8000, (1, 16000))


def test_six_channels_become_two_without_the_low_frequency_channel(tmp_path: Path) -> None:
    tone = sung(0.5).samples[0]
    for channel, (left, right) in {0: (1, 0), 1: (0, 1), 2: (1, 1), 3: (0, 0), 4: (1, 0), 5: (0, 1)}.items():
        six = np.zeros((6, tone.size), np.float32)
        six[channel] = tone
        six[3] += 0.5 * tone  # something to hear, so that it is not refused as silence
        mixed = audio.read(store(tmp_path / "six.wav", six)).samples
        assert mixed.shape[0] == 2
        assert [bool(np.abs(side).max() > 0) for side in mixed] == [bool(left), bool(right)]
        assert np.abs(mixed).max() <= np.abs(six).max()


def test_too_many_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="9 channels"):
        audio.read(store(tmp_path / "nine.wav", noise(0.2, 0.1, channels=9)))


BAD = {
    "missing.wav": "does not exist",
    "folder.wav": "is a folder",
    "empty.wav": "0 bytes",
    "text.wav": "not an audio file",
    "header.wav": "no samples",
    "nan.wav": "3 samples that are NaN or infinite",
    "infinite.wav": "NaN or infinite",
    "silent.wav": "is silent",
    "offset.wav": "is silent",
    "quiet.wav": "is silent",
    "huge.wav": "full scale is 1",
    "slow.wav": "4000 Hz",
    "long.wav": "40.0 minutes, and at most 20",
    "short.wav": "0.50 s, and at least 1 s",
    "x" * 300 + ".wav": "cannot be opened",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_one_line_that_names_them(tmp_path: Path, name: str) -> None:
    second = sung(1.5).samples
    makers = {
        "folder.wav": lambda path: path.mkdir(),
        "empty.wav": lambda path: path.touch(),
        "text.wav": lambda path: path.write_text("la la la\n" * 100),
        "header.wav": lambda path: store(path, np.zeros((1, 0), np.float32)),
        "nan.wav": lambda path: store(path, np.where(np.arange(second.size) % 25000 == 1, np.nan, second)),
        "infinite.wav": lambda path: store(path, np.where(np.arange(second.size) == 7, -np.inf, second)),
        "silent.wav": lambda path: store(path, 0 * second),
        "offset.wav": lambda path: store(path, 0 * second + 0.5),
        "quiet.wav": lambda path: store(path, second * 0.0009 / np.abs(second).max()),
        "huge.wav": lambda path: store(path, second * 30000),
        "slow.wav": lambda path: store(path, second, 4000),
        "long.wav": lambda path: store(path, np.zeros((1, 40 * 60 * 8000), np.float32), 8000, "PCM_U8"),
        "short.wav": lambda path: store(path, sung(0.5).samples),
    }
    path = tmp_path / name
    if name in makers:
        makers[name](path)
    with pytest.raises(InputError, match=BAD[name]) as caught:
        audio.read(path, min_seconds=1)
    assert "\n" not in caught.value.message
    assert str(path) in caught.value.message


def test_every_cut_of_a_file_is_sound_or_one_of_our_errors(tmp_path: Path) -> None:
    whole = tmp_path / "whole.flac"
    audio.write(whole, sung(1.0))
    data = whole.read_bytes()
    for size in range(1, len(data), len(data) // 40):
        cut = tmp_path / "cut.flac"
        cut.write_bytes(data[:size])
        try:
            sound = audio.read(cut)
        except InputError:
            continue
        assert np.isfinite(sound.samples).all()


# ---------------------------------------------------------------- shape and measure
def test_resampling_keeps_pitch_and_length() -> None:
    sound = audio.resample(sung(2.0, hz=300.0, rate=8000), RATE)
    assert sound.samples.shape == (1, 2 * RATE)
    spectrum = np.abs(np.fft.rfft(sound.samples[0]))
    assert 295 < np.argmax(spectrum) / 2 < 305


def test_loudness_of_the_reference_tone() -> None:
    """BS.1770: a 997 Hz sine at full scale in one channel reads -3.01 LUFS."""
    tone = np.sin(2 * np.pi * 997 * np.arange(5 * 48000) / 48000).astype(np.float32)[None]
    assert audio.loudness(Audio(tone, 48000)) == pytest.approx(-3.01, abs=0.05)


def test_true_peak_sees_between_the_samples() -> None:
    """A sine at a quarter of the rate, 45 degrees off, never has a sample on its crest."""
    samples = np.sin(np.pi / 2 * np.arange(RATE) + np.pi / 4).astype(np.float32)[None]
    swell = np.hanning(RATE).astype(np.float32)
    assert np.abs(samples * swell).max() < 0.71
    assert audio.true_peak(Audio(samples * swell, RATE)) == pytest.approx(1, abs=0.02)


# ---------------------------------------------------------------- mastering
def crest(seconds: float = 6.0) -> np.ndarray:
    """A close-miked vocal at its worst: soft singing with plosives far above it."""
    soft = sung(seconds, level=0.02, channels=2).samples.copy()
    rng = np.random.default_rng(3)
    for at in range(RATE // 3, soft.shape[1] - 900, RATE // 2):
        soft[:, at : at + 900] += 0.12 * np.hanning(900) * rng.standard_normal(900)
    return soft.astype(np.float32)


MATERIAL = {
    "sung": sung(5.0, channels=2).samples,
    "whispered": sung(5.0, level=0.002, channels=2).samples,
    "clipped": np.clip(sung(5.0, level=3.0, channels=2).samples, -1, 1),
    "loud noise": noise(5.0, 0.3),
    "crest": crest(),
    "one side": sung(5.0, channels=2).samples * np.array([[1], [0]], np.float32),
}


@pytest.mark.parametrize("name", MATERIAL)
@pytest.mark.parametrize("accompanied", [False, True])
def test_mastered_song_has_the_loudness_and_the_peaks_that_are_promised(name: str, accompanied: bool) -> None:
    vocal = MATERIAL[name]
    accomp = Audio(noise(vocal.shape[1] / RATE, 0.3 * float(np.std(vocal)), 1), RATE) if accompanied else None
    done = audio.master(Stems(Audio(vocal, RATE), accomp))
    assert -16 <= audio.loudness(done.mix) <= -12
    for part in (done.mix, done.vocal, done.accomp):
        assert part is None or audio.decibels(audio.true_peak(part)) <= -1
    # one and the same gain over both stems: their proportion has not changed anywhere
    if accomp is not None and done.accomp is not None:
        sung, played = audio.whole(done.vocal).samples, audio.whole(done.accomp).samples
        np.testing.assert_allclose(sung * accomp.samples, played * vocal, atol=1e-5)


def test_stems_that_cancel_do_not_clip_on_their_own() -> None:
    loud = sung(3.0, level=0.9, channels=2).samples
    rest = noise(3.0, 0.02)
    done = audio.master(Stems(Audio(loud, RATE), Audio(rest - loud, RATE)))
    assert done.accomp is not None
    assert audio.true_peak(done.vocal) <= 10 ** (-1 / 20)
    assert audio.true_peak(done.accomp) <= 10 ** (-1 / 20)


def test_limiting_is_gentle() -> None:
    """Away from the plosives nothing dips, and the gain never jumps."""
    vocal = crest()
    probe = Audio(np.full(vocal.shape, 1e-6, np.float32), RATE)
    done = audio.master(Stems(Audio(vocal, RATE), probe)).accomp
    assert done is not None
    gain = 20 * np.log10(audio.whole(done).samples[0] * 1e6)
    assert gain.max() - gain.min() > 6  # there was something to limit
    assert np.median(gain) == pytest.approx(gain.max(), abs=0.01)
    assert np.abs(np.diff(gain)).max() < 0.1


def test_silence_stays_silence() -> None:
    nothing = Stems(Audio(np.zeros((2, RATE), np.float32), RATE), None)
    assert not audio.whole(audio.master(nothing).vocal).samples.any()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), level=st.floats(-50, 0), share=st.floats(0.01, 1))
def test_mix_in_the_files_is_the_sum_of_the_stems(
    tmp_path_factory: pytest.TempPathFactory, seed: int, level: float, share: float
) -> None:
    from unisinger_cli.pipeline.deliver import deliver

    folder = tmp_path_factory.mktemp("sum")
    gain = 10 ** (level / 20) * 0.2
    stems = Stems(Audio(noise(0.1, gain, seed), RATE), Audio(noise(0.1, gain * share, seed + 1), RATE))
    files = {name: folder / f"{name}.wav" for name in ("mix", "vocal", "accomp")}
    deliver(files | {"receipt": folder / "r.json"}, audio.master(stems), {})
    mix, vocal, accomp = (soundfile.read(str(path), dtype="int32")[0] >> 8 for path in files.values())
    assert mix.any()
    assert np.array_equal(mix, vocal + accomp)


# ---------------------------------------------------------------- writing
def test_several_files_land_together_or_not_at_all(tmp_path: Path) -> None:
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    with pytest.raises(KeyboardInterrupt), audio.landing(paths) as (one, _two):
        one.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with audio.landing(paths) as temporary:
        for path in temporary:
            path.write_text(path.name)
            assert not any(p.exists() for p in paths)
    assert sorted(tmp_path.iterdir()) == paths


def test_a_failed_rename_takes_its_companions_back(tmp_path: Path) -> None:
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(OSError), audio.landing([tmp_path / "a.txt", tmp_path / "b.txt"]) as temporary:
        for path in temporary:
            path.write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


def test_decibels() -> None:
    assert audio.decibels(1) == 0
    assert audio.decibels(0.5) == pytest.approx(-6.02, abs=0.01)
    assert audio.decibels(0) == -math.inf
