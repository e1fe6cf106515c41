"""Periods are found where they are, and keep their shape at another pitch."""

from __future__ import annotations

import numpy as np
import pytest

from unisinger_cli.corpus.psola import Grains, lay, pulses, voiced_grains, voiceless_part

RATE, FRAME = 16000, 0.005


def pulse_train(hz: float, seconds: float = 1.0) -> np.ndarray:
    """A resonance at 1 kHz, struck once a period."""
    samples = np.zeros(round(seconds * RATE))
    samples[np.round(np.arange(0.002, seconds, 1 / hz) * RATE).astype(int)] = 1.0
    time = np.arange(200) / RATE
    return np.convolve(samples, np.exp(-time / 0.002) * np.sin(2 * np.pi * 1000 * time))[: len(samples)]


def test_one_mark_a_period_always_at_the_same_place() -> None:
    marks = pulses(pulse_train(125.0), np.full(200, 125.0), FRAME, RATE)
    inner = marks[(marks > 0.1) & (marks < 0.9)]
    assert np.diff(inner) == pytest.approx(1 / 125, abs=2e-4)
    place = (inner - 0.002) % (1 / 125)
    assert np.all(place < 0.003)  # within the loud part of the period


def test_silence_and_noise_have_marks_too() -> None:
    assert len(pulses(np.zeros(RATE), np.zeros(200), FRAME, RATE)) == 200


def test_longest_voiceless_stretch() -> None:
    hz = np.array([100, 0, 0, 100, 0, 0, 0, 100, 100, 0], dtype=np.float64)
    assert voiceless_part(hz, FRAME, 0.0, 0.05) == pytest.approx((0.02, 0.035))
    assert voiceless_part(hz, FRAME, 0.01, 0.03) == pytest.approx((0.02, 0.03))
    assert voiceless_part(hz, FRAME, 0.035, 0.045) == (0.035, 0.035)


def test_periods_at_their_own_places_are_the_recording() -> None:
    samples = pulse_train(125.0)
    marks = pulses(samples, np.full(200, 125.0), FRAME, RATE)
    out = np.zeros(len(samples))
    lay(out, samples, RATE, voiced_grains(marks, marks, marks))
    inner = slice(2000, 14000)
    assert np.sqrt(np.mean((out - samples)[inner] ** 2)) < 0.05 * np.sqrt(np.mean(samples[inner] ** 2))


def test_grains_read_faster_have_higher_resonances() -> None:
    noise = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    out = np.zeros(RATE)
    lay(out, noise, RATE, Grains(np.array([0.5]), np.array([0.5]), np.array([0.1])), warp=1.2)
    assert np.argmax(np.abs(np.fft.rfft(out))) == pytest.approx(1200, abs=5)
