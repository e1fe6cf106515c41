"""Spectra that the metrics look at: log-mel and chroma, and Griffin-Lim as the floor for a codec."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.types import Floats

CHROMA_FFT, CHROMA_HOP = 16384, 4096  # 2.7 Hz a bin at 44.1 kHz: semitones are told apart from 65 Hz
CHROMA_HZ = (65.0, 2100.0)


def magnitudes(samples: Floats, n_fft: int, hop: int) -> Floats:
    """|STFT| of samples [n], Hann window, frame i centred on sample i*hop: float32 [n // hop + 1, n_fft // 2 + 1]."""
    padded = np.pad(samples, n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    return np.abs(np.fft.rfft(frames * window)).astype(np.float32) / np.float32(n_fft**0.5)


def mel(samples: Floats, rate: int, bands: int = 80, n_fft: int = 2048, hop: int = 1024) -> Floats:
    """Magnitudes in `bands` mel bands from 0 Hz to half the rate: float32 [frames, bands]."""
    from unisinger_cli.model.ops import mel_filterbank

    bank: Floats = mel_filterbank(rate, n_fft, bands).numpy()
    return magnitudes(samples, n_fft, hop) @ bank.T


def log_mel(samples: Floats, rate: int, bands: int = 80, n_fft: int = 2048, hop: int = 1024) -> Floats:
    """`mel` in dB, cut off at -80 dB."""
    power = np.maximum(mel(samples, rate, bands, n_fft, hop), 1e-4)
    return np.asarray(20 * np.log10(power), dtype=np.float32)


def chroma(samples: Floats, rate: int) -> tuple[Floats, NDArray[np.float64]]:
    """Power in each of the twelve pitch classes (0 = C), [frames, 12], and the times of the frames in seconds.

    Every bin goes to the nearest semitone (Fujishima, "Realtime chord recognition of musical sound", ICMC 1999).
    """
    power = np.square(magnitudes(samples, CHROMA_FFT, CHROMA_HOP))
    hz = np.fft.rfftfreq(CHROMA_FFT, 1 / rate)
    used = (hz >= CHROMA_HZ[0]) & (hz <= CHROMA_HZ[1])
    classes = np.rint(69 + 12 * np.log2(hz[used] / 440)).astype(np.int64) % 12
    belongs = (classes[:, None] == np.arange(12)).astype(np.float32)
    found: Floats = power[:, used] @ belongs
    return found, np.arange(len(found)) * CHROMA_HOP / rate


def griffin_lim(samples: Floats, rate: int, bands: int, hop: int, iterations: int = 32) -> Floats:
    """The sound [n] again from `bands` mel magnitudes every `hop` samples: what a codec of as many numbers a second
    would give without any training.

    Pseudo-inverse of the mel bank, then Griffin & Lim's algorithm in its fast form (Perraudin et al., "A fast
    Griffin-Lim algorithm", WASPAA 2013), from zero phase, with windows of four hops.
    """
    import torch

    from unisinger_cli.model.ops import mel_filterbank

    n_fft = 4 * hop
    bank = mel_filterbank(rate, n_fft, bands)
    window = torch.hann_window(n_fft)
    sound = torch.from_numpy(samples)
    with torch.inference_mode():
        true = torch.stft(sound, n_fft, hop, window=window, return_complex=True).abs()
        wanted = (torch.linalg.pinv(bank) @ (bank @ true)).clamp_min(0)
        guess = before = wanted.to(torch.complex64)
        for _ in range(iterations):
            made = torch.istft(guess, n_fft, hop, window=window, length=len(samples))
            now = torch.stft(made, n_fft, hop, window=window, return_complex=True)
            guess = wanted * torch.sgn(now + 0.99 * (now - before))
            before = now
        found: Floats = torch.istft(guess, n_fft, hop, window=window, length=len(samples)).numpy()
    return found
