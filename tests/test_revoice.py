"""A recording in another voice: what must change changes by as much as was asked for, and what must stay stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unisinger_cli.stages.pitch import track
from unisinger_cli.training.revoice import revoiced
from unisinger_cli.types import Audio

RATE, HOP, FRAMES = 44100, 1024, 60
VOWEL = (700.0, 1200.0, 2600.0)  # Hz, formants of an open vowel


def vowel(hz: float) -> torch.Tensor:
    """Harmonics under three resonances, [1, FRAMES * HOP]."""
    t = torch.arange(FRAMES * HOP, dtype=torch.float64) / RATE
    sound = torch.zeros_like(t)
    for k in range(1, int(8000 / hz)):
        height = sum(1 / (1 + ((k * hz - formant) / 100) ** 2) for formant in VOWEL)
        sound += height * torch.sin(2 * torch.pi * k * hz * t + k)
    return (0.2 * sound / sound.abs().max()).float()[None]


def other(audio: torch.Tensor, hz: float, pitch: float, formants: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    tracks = torch.full((1, FRAMES), hz)
    return revoiced(audio, tracks, torch.tensor([pitch]), torch.tensor([formants]), RATE, generator)


def strongest(audio: torch.Tensor, low: float, high: float) -> float:
    """Hz at which the smoothed spectrum is highest between two frequencies."""
    spectrum = torch.fft.rfft(audio[0] * torch.hann_window(audio.shape[1])).abs().square()
    step = RATE / audio.shape[1]
    width = int(300 / step)
    smooth = np.convolve(spectrum.numpy(), np.hanning(width), mode="same")
    first = int(low / step)
    return (first + int(smooth[first : int(high / step)].argmax())) * step


@pytest.mark.parametrize("pitch", [0.5, 1.0, 1.37, 2.0])
def test_the_voice_sings_at_the_pitch_that_is_asked_for(pitch: float) -> None:
    made = other(vowel(180.0), 180.0, pitch, 1.0)
    heard = track(Audio(made.numpy(), RATE), RATE / HOP).hz[4:-4]
    assert (heard > 0).mean() > 0.9
    cents = 1200 * np.log2(heard[heard > 0] / (180.0 * pitch))
    assert np.abs(np.median(cents)) < 10


def test_formants_stay_when_the_pitch_moves_and_move_when_they_are_told_to() -> None:
    audio = vowel(120.0)
    for pitch, formants in ((1.0, 1.0), (1.6, 1.0), (1.0, 1.2), (1.3, 0.85)):
        made = other(audio, 120.0, pitch, formants)
        wanted = VOWEL[2] * formants
        assert strongest(made, wanted - 500, wanted + 500) == pytest.approx(wanted, abs=120)


def test_loudness_and_length_stay_and_silence_stays_silent() -> None:
    audio = vowel(200.0)
    made = other(audio, 200.0, 1.5, 0.9)
    assert made.shape == audio.shape
    assert made.square().mean().sqrt() == pytest.approx(float(audio.square().mean().sqrt()), rel=0.02)
    assert other(torch.zeros_like(audio), 0.0, 2.0, 1.0).abs().max() < 1e-4


def test_what_is_voiceless_becomes_noise_of_the_same_colour() -> None:
    generator = torch.Generator().manual_seed(1)
    spectrum = torch.fft.rfft(torch.randn(1, FRAMES * HOP, generator=generator))
    hz = torch.fft.rfftfreq(FRAMES * HOP, 1 / RATE)
    hiss = torch.fft.irfft(spectrum * torch.exp(-(((hz - 6000) / 1000) ** 2))) * 0.3
    made = other(hiss, 0.0, 2.0, 1.0)
    assert strongest(made, 3000, 9000) == pytest.approx(6000, abs=300)
    heard = track(Audio(made.numpy(), RATE), RATE / HOP).hz
    assert (heard > 0).mean() < 0.1


def test_a_batch_is_what_each_of_it_is_alone() -> None:
    voices = torch.cat([vowel(150.0), vowel(240.0)])
    hz = torch.tensor([[150.0], [240.0]]).expand(2, FRAMES)
    pitch, formants = torch.tensor([1.2, 0.8]), torch.tensor([1.1, 0.9])
    both = revoiced(voices, hz, pitch, formants, RATE)
    for i in range(2):
        alone = revoiced(voices[i : i + 1], hz[i : i + 1], pitch[i : i + 1], formants[i : i + 1], RATE)
        # the noise is drawn anew, the harmonics are not
        low = [torch.fft.rfft(x[0])[: int(2000 * FRAMES * HOP / RATE)] for x in (both[i : i + 1], alone)]
        assert (low[0] - low[1]).norm() < 0.3 * low[0].norm()
        swapped = torch.fft.rfft(both[1 - i])[: len(low[0])]
        assert (low[0] - swapped).norm() > low[0].norm()
