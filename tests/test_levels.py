"""Levels of octaves as channels of the latents: told, kept to, and given to weights from before there were any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toy_flow import awake_flow, conditions
from unisinger_cli.model.config import PRESETS, ModelConfig
from unisinger_cli.model.levels import brought_to, gain_of_bins, levels, octave_of_bins
from unisinger_cli.model.ops import overlap_add, stft
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.training.growth import with_levels
from unisinger_cli.training.parts import load_parts, save_part

DEBUG = PRESETS["debug"]
BEFORE = replace(DEBUG, codec=DEBUG.codec.without_levels())
RATE, HOP, N_FFT, OCTAVES = 44100, 1024, 4096, 8
OCTAVE, GAIN = octave_of_bins(N_FFT // 2 + 1, OCTAVES), gain_of_bins(N_FFT // 2 + 1, OCTAVES)
BEL = 0.5  # of a level's channel


def power(sound: torch.Tensor) -> torch.Tensor:
    return stft(sound, N_FFT, HOP).abs().square()


def heard(sound: torch.Tensor) -> torch.Tensor:
    return levels(power(sound), OCTAVE)


def noise(gains: torch.Tensor, frames: int = 120) -> torch.Tensor:
    """Noise whose octaves are as much louder as `gains` say, in dB."""
    spectrum = torch.fft.rfft(0.05 * torch.randn(1, frames * HOP, generator=torch.Generator().manual_seed(3)))
    share = torch.linspace(0, 1, spectrum.shape[1]).clamp_min(1e-9)
    at = (share.log2() + OCTAVES).clamp(0, OCTAVES - 1).long()
    return torch.fft.irfft(spectrum * 10 ** (gains[at] / 20), frames * HOP)


def test_each_bin_lies_in_one_octave_and_gets_one_gain() -> None:
    hz = torch.arange(N_FFT // 2 + 1) * RATE / N_FFT
    assert OCTAVE.sum(1).tolist() == (hz >= RATE / 2 / 2**OCTAVES).float().tolist()
    torch.testing.assert_close(GAIN.sum(0), torch.ones(len(hz)))
    inside = (hz > 1600) & (hz < 2400)  # the middle of an octave
    assert GAIN[4, inside].min() == 1 == OCTAVE[inside, 4].min()


@pytest.mark.parametrize("hz", [120, 240, 480, 960, 1900, 3900, 7700, 15000])
def test_a_tone_is_told_in_its_octave_and_ten_times_the_power_is_a_bel(hz: int) -> None:
    tone = 0.02 * torch.sin(torch.arange(100 * HOP) * 2 * torch.pi * hz / RATE)[None]
    quiet, loud = heard(tone)[0, 50], heard(tone * 10**0.5)[0, 50]
    octave = int(torch.log2(torch.tensor(hz / (RATE / 2)))) + OCTAVES - 1
    assert int(quiet.argmax()) == octave
    assert float(loud[octave] - quiet[octave]) == pytest.approx(BEL, abs=1e-3)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=OCTAVES, max_size=OCTAVES))
def test_octaves_that_are_off_are_brought_back(errors: list[float]) -> None:
    real, made = noise(torch.zeros(OCTAVES)), noise(torch.tensor(errors))
    mended = overlap_add(brought_to(heard(real), stft(made, N_FFT, HOP), OCTAVE, GAIN), HOP)
    off, left = ((heard(x) - heard(real))[0, 30:-30].mean(0).abs().max() / BEL * 10 for x in (made, mended))
    assert left < 0.35 or left < 0.25 * off  # dB


def test_what_has_its_levels_stays_as_it_is() -> None:
    sound = noise(torch.tensor([3.0, -2, 0, 5, 1, -4, 0, -20]))
    spectrum = stft(sound, N_FFT, HOP)
    torch.testing.assert_close(brought_to(heard(sound), spectrum, OCTAVE, GAIN), spectrum)


def test_a_wild_level_moves_an_octave_by_six_decibels_at_most() -> None:
    """Whoever predicts a level of nothing, or of a jet, is wrong: the voice goes on."""
    spectrum = stft(noise(torch.zeros(OCTAVES)), N_FFT, HOP)
    for wild in (-1e3, 1e3):
        moved = brought_to(torch.full((1, spectrum.shape[2], OCTAVES), wild), spectrum, OCTAVE, GAIN)
        torch.testing.assert_close(moved, spectrum * 10 ** (0.3 if wild > 0 else -0.3))


def test_one_wrong_frame_hardly_counts() -> None:
    spectrum = stft(noise(torch.zeros(OCTAVES)), N_FFT, HOP)
    told = levels(spectrum.abs().square(), OCTAVE)
    told[0, 60] += 0.3 * BEL
    moved = brought_to(told, spectrum, OCTAVE, GAIN)
    assert float(20 * (moved.abs() / spectrum.abs().clamp_min(1e-9)).log10()[..., 30:-30].max()) < 0.1


def test_silence_is_no_number_to_stumble_over() -> None:
    silence = torch.zeros(1, 50 * HOP)
    told = heard(silence)
    assert torch.isfinite(told).all()
    assert not brought_to(told + 1, stft(silence, N_FFT, HOP), OCTAVE, GAIN).abs().any()


def test_a_codec_tells_levels_in_its_first_channels_and_keeps_to_them() -> None:
    """An untrained one, too: that is what telling them outright is for."""
    torch.manual_seed(1)
    codec = UniSinger.random(DEBUG).codec.eval()
    sound = noise(torch.tensor([0.0, -3, 0, -6, -9, -9, -12, -15]))
    with torch.inference_mode():
        latents = codec.encode(sound)
        torch.testing.assert_close(latents[..., :OCTAVES], heard(sound))
        once = codec.decode(latents)  # as near to these levels as six decibels take it
        back = 0.3 * BEL * (heard(once) - latents[..., :OCTAVES]).mean(1).sign()
        wanted = torch.cat([heard(once) + back[:, None], latents[..., OCTAVES:]], dim=-1)
        again = codec.decode(wanted)
    torch.testing.assert_close((heard(again) - heard(once))[0, 40:-40].mean(0), back[0], atol=0.12 * BEL, rtol=0)


@pytest.mark.parametrize("parts", [("codec",), ("codec", "flow")])
def test_weights_without_levels_go_on_as_they_were(tmp_path: Path, parts: tuple[str, ...]) -> None:
    old, new = UniSinger.random(BEFORE).eval(), UniSinger.random(DEBUG).eval()
    old.flow, new.flow = awake_flow(BEFORE).eval(), awake_flow(DEBUG).eval()
    old.flow.network.conditions.sounds.usual.normal_()
    for part in parts:
        save_part(old, part, tmp_path / f"{part}.safetensors", {})
    assert set(load_parts(new, [tmp_path / f"{part}.safetensors" for part in parts])) == set(parts)
    load_parts(old, [tmp_path / f"{part}.safetensors" for part in parts])  # as halves, like the other

    sound = noise(torch.zeros(OCTAVES), 16)
    with torch.inference_mode():
        before, after = old.codec.encode(sound), new.codec.encode(sound)
        torch.testing.assert_close(after[..., OCTAVES:], before)
        if "flow" in parts:
            latent, t = torch.randn(1, 2, 16, DEBUG.codec.channels), torch.tensor([0.4])
            told = conditions(1, 16)
            without = told.map({name: getattr(told, name)[..., OCTAVES:] for name in ("moments", "sounds")})
            with_them = new.flow.network(latent, t, told)
            torch.testing.assert_close(
                with_them[..., OCTAVES:], old.flow.network(latent[..., OCTAVES:], t, without), atol=1e-5, rtol=1e-4
            )
            assert not with_them[..., :OCTAVES].any()


def test_weights_with_levels_are_left_alone() -> None:
    state = UniSinger.random(DEBUG).state_dict()
    assert with_levels(state, DEBUG) is state
    plain = UniSinger.random(BEFORE).state_dict()
    assert with_levels(plain, BEFORE) is plain


def test_a_header_from_before_levels_is_of_a_codec_without() -> None:
    told = BEFORE.to_dict()
    del told["codec"]["levels"]
    assert ModelConfig.from_dict(told) == BEFORE
