"""Who sings: recordings of a voice -> a point of the one speaker space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unisinger_cli.audio import mono_at
from unisinger_cli.errors import InputError
from unisinger_cli.stages.content import voice_gain
from unisinger_cli.types import Audio, Floats, Moments, Timbre

if TYPE_CHECKING:
    import torch

    from unisinger_cli.model.unisinger import UniSinger

WINDOW = 4.0  # s, as in training
SHORTEST = 0.5  # s of sounding voice that can be told from another
# Cosines to compare with, of the bundled model: two halves of a recording, and recordings of two people; means over 25
# people it was not trained on (models/LOG.md, "The timbre encoder").
SAME, DIFFERENT = 0.68, 0.03
_LEAST = 1e-3  # length of a mean that still points somewhere


def without_silence(samples: Floats, rate: int) -> Floats:
    """The stretches that sound: 50 ms blocks within 40 dB of the loudest, each with its neighbours."""
    block = int(0.05 * rate)
    count = len(samples) // block
    if not count:
        return samples
    blocks = samples[: count * block].reshape(count, block)
    power = np.square(blocks, dtype=np.float64).mean(axis=1)
    sounds = power > power.max() * 1e-4
    sounds = sounds | np.roll(sounds, 1) | np.roll(sounds, -1)
    kept: Floats = blocks[sounds].reshape(-1)
    return kept


def sounding(audio: Audio, rate: int) -> Floats:
    """The stretches of a recording that sound, mono [n] at `rate`, at the level that encoders are used to."""
    mono = mono_at(audio, rate)
    return without_silence(mono * np.float32(voice_gain(mono)), rate)


@dataclass(frozen=True)
class Heard:
    """What a recording tells of its voice: unit vectors of its 4 s windows in order, float32 [k, d], a tally of what it
    makes of phonemes, float32 [phonemes, channels] and [phonemes] (see `model.sounds`), and moments of it."""

    vectors: Floats
    sums: Floats
    counts: Floats
    moments: Moments


def _batches(model: UniSinger, audio: Audio) -> Iterator[torch.Tensor]:
    """The windows of a recording of a voice alone, silence left out, some at a time: [b, l].

    Raises InputError where less than half a second sounds.
    """
    import torch

    codec = model.config.codec
    voiced = sounding(audio, codec.rate)
    if len(voiced) < SHORTEST * codec.rate:
        length = len(voiced) / codec.rate
        raise InputError(
            f"the reference sounds for {length:.2f} s, and must for {SHORTEST} s or more",
            "give a longer recording of the voice alone",
        )
    count = max(1, round(len(voiced) / (WINDOW * codec.rate)))
    size = len(voiced) // count // codec.hop * codec.hop
    pieces = voiced[: count * size].reshape(count, size)
    for start in range(0, count, 8):
        yield torch.from_numpy(pieces[start : start + 8].copy()).to(model.codec.latent_mean.device)


def windows(model: UniSinger, audio: Audio) -> Floats:
    """The unit vectors of a recording's windows alone, float32 [k, d], for those who only ask who is heard.

    Raises InputError where less than half a second sounds.
    """
    import torch

    with torch.inference_mode():
        return np.concatenate([model.timbre(batch).cpu().numpy() for batch in _batches(model, audio)])


def listen(model: UniSinger, audio: Audio) -> Heard:
    """Hear a recording of a voice alone. Raises InputError where less than half a second sounds."""
    import torch

    vectors, tallies, moments = [], [], []
    table = model.flow.network.conditions.sounds
    with torch.inference_mode():
        for batch in _batches(model, audio):
            vectors.append(model.timbre(batch).cpu().numpy())
            latents, codes = model.codec.encode(batch), model.content(batch)
            tallies.append([t.sum(0).cpu().numpy() for t in table.tally(latents, codes)])
            said = table.kind[codes] != table.pause
            moments.append(Moments(latents[said].cpu().numpy(), codes[said].cpu().numpy()))
    sums, counts = (np.sum(of_all, axis=0) for of_all in zip(*tallies, strict=True))
    whole = Moments(*(np.concatenate([getattr(m, name) for m in moments]) for name in ("latents", "codes")))
    return Heard(np.concatenate(vectors), sums, counts, spread([whole], [1.0], model.config.flow.moments))


def voice(recordings: Sequence[Heard]) -> Timbre:
    """Whose voice is heard: the mean of the unit vectors of all windows brought back to unit length, and the table of
    all tallies together."""
    import torch

    from unisinger_cli.model.sounds import SoundTable

    sums, counts = (torch.from_numpy(sum(t)) for t in zip(*((h.sums, h.counts) for h in recordings), strict=True))
    moments = [h.moments for h in recordings]
    lengths = [len(m.codes) for m in moments]
    return Timbre(
        middle(np.concatenate([h.vectors for h in recordings])),
        SoundTable.settle(sums, counts).numpy(),
        spread(moments, lengths, max(lengths)),
    )


def spread(parts: Sequence[Moments], weights: Sequence[float], most: int) -> Moments:
    """At most `most` moments, of each part its share by weight, evenly spread over it."""
    total = sum(weights) or 1.0
    taken = []
    for part, weight in zip(parts, weights, strict=True):
        count = min(len(part.codes), int(most * weight / total + 0.5))
        place = ((np.arange(count) + 0.5) * len(part.codes) / max(1, count)).astype(int)
        taken.append(Moments(part.latents[place], part.codes[place]))
    latents, codes = (np.concatenate([getattr(one, name) for one in taken])[:most] for name in ("latents", "codes"))
    return Moments(latents, codes)


def timbre(model: UniSinger, recordings: Sequence[Audio]) -> Timbre:
    """The voice of these recordings. Raises InputError where less than half a second of one sounds."""
    return voice([listen(model, audio) for audio in recordings])


def blend(parts: Sequence[Timbre], weights: Sequence[float]) -> Timbre:
    """The weighted mean of voices. Raises InputError where they cancel each other out."""
    vector = middle(np.stack([part.vector for part in parts]), weights)
    tables = [part.sounds for part in parts if part.sounds is not None]
    moments = [part.moments for part in parts if part.moments is not None]
    return Timbre(
        vector,
        np.average(tables, axis=0, weights=weights).astype(np.float32) if len(tables) == len(parts) else None,
        spread(moments, weights, max(len(m.codes) for m in moments)) if len(moments) == len(parts) else None,
    )


def middle(vectors: Floats, weights: Sequence[float] | None = None) -> Floats:
    """The weighted mean of unit vectors [k, d], brought back to unit length; all weigh the same unless told.

    Raises InputError where they cancel each other out.
    """
    mean = np.average(vectors.astype(np.float64), axis=0, weights=weights)
    length = float(np.linalg.norm(mean))
    if length < _LEAST:
        raise InputError("these voices cancel each other out", "blend others")
    unit: Floats = (mean / length).astype(np.float32)
    return unit


def likeness(one: Floats, other: Floats) -> float:
    """Cosine of the angle between two vectors [d]: 1 for the same voice; SAME and DIFFERENT are what to expect."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
