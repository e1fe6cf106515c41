"""A stretch of a sound in place of another: cross-faded, at the same level, and under the ceiling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unisinger_cli.audio.levels import envelopes
from unisinger_cli.audio.mastering import CEILING, LOOK_AHEAD, smooth_dips
from unisinger_cli.types import Audio, Floats, View


@dataclass(frozen=True)
class Spliced(View):
    """A sound with `stretch` [channels, n] in place of what it had from sample `start` on. All else is as it was."""

    start: int
    stretch: Floats

    def read(self, start: int, stop: int) -> Floats:
        found = self.sound.read(start, stop)
        first, last = max(start, self.start), min(stop, self.start + self.stretch.shape[1])
        if first >= last:
            return found
        found = np.array(found)
        found[:, first - start : last - start] = self.stretch[:, first - self.start : last - self.start]
        return found


def crossfade(old: Floats, new: Floats, fade_in: int, fade_out: int) -> Floats:
    """`new` [channels, n], which grows out of `old` over the first `fade_in` samples and into it over the last."""
    out = np.array(new, dtype=np.float32)
    if fade_in:
        out[:, :fade_in] = _mixed(old[:, :fade_in], new[:, :fade_in])
    if fade_out:
        out[:, -fade_out:] = _mixed(new[:, -fade_out:], old[:, -fade_out:])
    return out


def _mixed(before: Floats, after: Floats) -> Floats:
    """From one sound to another over their length, at constant expected power.

    Of sounds that are alike the amplitudes add up, of others the powers: gains are divided by what the two amount to
    with the correlation that they have, which is a linear fade for 1 and an equal-power one for 0.
    """
    n = before.shape[1]
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / n)
    energy = float(np.sqrt(np.square(before, dtype=np.float64).sum() * np.square(after, dtype=np.float64).sum()))
    alike = float((before.astype(np.float64) * after).sum() / energy) if energy > 0 else 1.0
    total = np.sqrt(rise**2 + (1 - rise) ** 2 + 2 * max(0.0, alike) * rise * (1 - rise))
    return np.asarray((before * (1 - rise) + after * rise) / total, dtype=np.float32)


def laid_over(old: Floats, new: Floats, rest: Floats, fades: tuple[int, int], rate: int) -> Floats:
    """`new` in place of `old`, [channels, n] each, cross-faded over so many samples at the beginning and at the end.

    Where it, or it and the `rest` of the mix together, would go over the ceiling of masters, it is turned down, and not
    what is there already: by dips like those of the limiter, and what they leave over, by a hair, off all of it.
    """
    loud, other, both = (_envelope(sound, rate) for sound in (new, rest, new + rest))
    room = np.maximum(CEILING - other, 0.05 * CEILING)
    wanted = np.where(both > CEILING, np.minimum(1.0, room / np.maximum(loud, 1e-9)), 1.0)
    wanted = np.minimum(wanted, CEILING / np.maximum(loud, 1e-9)).astype(np.float32)
    part = new if wanted.min() >= 1 else new * smooth_dips(np.minimum(wanted, 1), max(1, round(LOOK_AHEAD * rate)))
    limit = max(CEILING, *(float(_envelope(sound, rate).max()) for sound in (old, rest, old + rest)))  # lossy files
    out = crossfade(old, part, *fades)
    for i in range(1, 60):
        over = max(float(_envelope(sound, rate).max()) for sound in (out, out + rest)) / limit
        if over <= 1:
            break
        part = part * np.float32(min(0.99**i, 1 / over))  # first by a hair; under a mix at the ceiling nothing fits
        out = crossfade(old, part, *fades)
    return out


def _envelope(samples: Floats, rate: int) -> Floats:
    return np.concatenate(list(envelopes(Audio(samples, rate))))
