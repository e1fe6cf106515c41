"""VAE codec: 44.1 kHz sound <-> latents of 72 channels at 43.07 frames a second, of which 8 are levels of octaves.

A phase-free encoder (log spectra at three resolutions), and a Vocos-like decoder (Siuzdak 2023, arXiv 2306.00814):
ConvNeXt blocks at the latent rate and an inverse STFT, no transposed convolutions. Where the pitch is known, the
decoder takes the harmonics from it (`model.source`); the levels it keeps to (`model.levels`).

Shapes: b batch, l samples (a multiple of hop), n = l/hop latent frames, c latent channels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from unisinger_cli.model.config import CodecConfig
from unisinger_cli.model.levels import SPAN, brought_to, gain_of_bins, levels, octave_of_bins
from unisinger_cli.model.ops import (
    ConvNeXtBlock,
    compress,
    from_mel,
    mel_filterbank,
    overlap_add,
    stft,
    stft_magnitude,
    to_mel,
)
from unisinger_cli.model.source import Harmonics, band_weights, with_harmonics

_LOW_BINS = 400  # linear-frequency bins below 4.3 kHz: they resolve the harmonics
_UNKNOWN = -9.0  # logit of the harmonic share in a decoder that was never trained with harmonics
_TOLD = -6.0  # log-variance of levels, which nobody learns: a decoder should not lean on their last digit
_LOWEST_HZ = 15.0  # mel losses do not see what lies below, and it grows unless it is masked


class CodecEncoder(nn.Module):
    """[b, l] -> mean and log-variance [b, n, c] each. The first channels are the levels of octaves, where the codec has
    them."""

    mel_long: Tensor
    mel_short: Tensor
    octave: Tensor

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mel_long", mel_filterbank(config.rate, 2048, 160), persistent=False)
        self.register_buffer("mel_short", mel_filterbank(config.rate, 1024, 96), persistent=False)
        self.register_buffer("octave", octave_of_bins(2049, config.levels), persistent=False)
        features = _LOW_BINS + 2 * 160 + 4 * 96
        self.project = nn.Linear(features, config.encoder_width)
        self.norm_in = nn.LayerNorm(config.encoder_width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(config.encoder_width, config.expansion * config.encoder_width)
            for _ in range(config.encoder_blocks)
        )
        self.norm_out = nn.LayerNorm(config.encoder_width)
        self.head = nn.Linear(config.encoder_width, 2 * (config.channels - config.levels))

    def features(self, audio: Tensor, finest: Tensor) -> Tensor:
        """Log spectra at three resolutions, the `finest` given, side by side on the latent clock: [b, l] -> [b, n,
        features]."""
        hop, b = self.config.hop, audio.shape[0]
        low = finest[:, :_LOW_BINS].transpose(1, 2)
        long = (self.mel_long @ stft_magnitude(audio, 2048, hop // 2)).transpose(1, 2).reshape(b, -1, 2 * 160)
        short = (self.mel_short @ stft_magnitude(audio, 1024, hop // 4)).transpose(1, 2).reshape(b, -1, 4 * 96)
        return compress(torch.cat([low, long, short], dim=-1))

    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        finest = stft_magnitude(audio, 4096, self.config.hop)
        x = self.norm_in(self.project(self.features(audio, finest)))
        for block in self.blocks:
            x = block(x)
        mean, log_variance = self.head(self.norm_out(x)).float().chunk(2, dim=-1)
        log_variance = log_variance.clamp(-12, 6)
        if self.config.levels:
            told = levels(finest.square(), self.octave)
            mean = torch.cat([told, mean], dim=-1)
            log_variance = torch.cat([torch.full_like(told, _TOLD), log_variance], dim=-1)
        return mean, log_variance


class CodecDecoder(nn.Module):
    """Latents [b, n, c] and, for a voice of known pitch, its harmonics -> [b, n*hop]."""

    bands: Tensor
    octave: Tensor
    gain: Tensor

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        self.project = nn.Conv1d(config.channels, config.decoder_width, 3, padding=1)
        self.norm_in = nn.LayerNorm(config.decoder_width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(config.decoder_width, config.expansion * config.decoder_width)
            for _ in range(config.decoder_blocks)
        )
        self.norm_out = nn.LayerNorm(config.decoder_width)
        self.head = nn.Linear(config.decoder_width, config.n_fft + 2)
        self.periodic = nn.Linear(config.decoder_width, config.source_bands)  # logits of the harmonic share of power
        nn.init.zeros_(self.periodic.weight)
        nn.init.constant_(self.periodic.bias, _UNKNOWN)
        bins = config.n_fft // 2 + 1
        self.register_buffer("bands", band_weights(config.source_bands, bins, config.rate), persistent=False)
        self.register_buffer("octave", octave_of_bins(bins, config.levels), persistent=False)
        self.register_buffer("gain", gain_of_bins(bins, config.levels), persistent=False)

    @property
    def context(self) -> int:
        """Latent frames on either side that a frame's sound can depend on."""
        overlap = self.config.n_fft // self.config.hop
        levelled = 2 * (SPAN // 2) + 2 * overlap if self.config.levels else 0
        return 1 + 3 * self.config.decoder_blocks + 3 * overlap + levelled

    def forward(self, latent: Tensor, source: Harmonics | None = None) -> Tensor:
        x = self.norm_in(self.project(latent.transpose(1, 2)).transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        x = self.norm_out(x)
        magnitude, phase = self.head(x).float().transpose(1, 2).chunk(2, dim=1)
        magnitude = magnitude.clamp(max=7).exp()
        lowest = math.ceil(_LOWEST_HZ * self.config.n_fft / self.config.rate)
        keep = torch.arange(magnitude.shape[1], device=magnitude.device)[:, None] >= lowest
        hop = self.config.hop
        sound = overlap_add(torch.polar(magnitude * keep, phase), hop)
        # frames whose phases disagree weaken each other: what is heard is in the spectrum of the sum
        if source is not None:
            share = (self.periodic(x).float() @ self.bands).sigmoid().transpose(1, 2)
            spectrum = stft(sound, self.config.n_fft, hop)
            sound = overlap_add(with_harmonics(spectrum, share, source, hop, self.config.rate), hop)
        if self.config.levels:
            spectrum = stft(sound, self.config.n_fft, hop)
            told = latent[..., : self.config.levels].float()
            sound = overlap_add(brought_to(told, spectrum, self.octave, self.gain), hop)
        return sound

    @torch.no_grad()
    def expect_harmonics(self) -> None:
        """Before training: voices are harmonic in the bass and noisy in the treble. What was learned is kept."""
        if not self.periodic.weight.any():
            top = to_mel(torch.tensor(self.config.rate / 2, device="cpu"))  # a number, on the meta device too
            self.periodic.bias.copy_(5 - from_mel(torch.linspace(0, float(top), self.config.source_bands)) / 2500)


class Codec(nn.Module):
    """Encoder and decoder. Latents handed out are normalised to zero mean and unit variance per channel."""

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = CodecEncoder(config)
        self.decoder = CodecDecoder(config)
        self.register_buffer("latent_mean", torch.zeros(config.channels))
        self.register_buffer("latent_std", torch.ones(config.channels))

    def encode(self, audio: Tensor) -> Tensor:
        """[b, l] -> normalised latents [b, n, c] (the posterior's mean)."""
        mean, _ = self.encoder(audio)
        return (mean - self.latent_mean) / self.latent_std

    def decode(self, latent: Tensor, source: Harmonics | None = None) -> Tensor:
        """Normalised latents [b, n, c], and the harmonics where they are a voice of known pitch, -> [b, n*hop]."""
        return self.decoder(latent * self.latent_std + self.latent_mean, source)
