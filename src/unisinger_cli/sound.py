"""Sound as a value: in memory, on disk, or made of other sounds as it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]


class Sound(Protocol):
    """Sound of any length, in memory (`Audio`), on disk (`audio.tape.Tape`), or made of others as it is read."""

    @property
    def rate(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def length(self) -> int:
        """Samples of one channel."""
        ...

    @property
    def seconds(self) -> float: ...
    def read(self, start: int, stop: int) -> Floats:
        """float32 [channels, stop - start]; zeros before the beginning and after the end."""
        ...


@dataclass(frozen=True)
class Audio:
    """Sound in memory. `samples` is float32 [channels, n], nominally within -1..1; `rate` in Hz."""

    samples: Floats
    rate: int

    @property
    def channels(self) -> int:
        return int(self.samples.shape[0])

    @property
    def length(self) -> int:
        return int(self.samples.shape[-1])

    @property
    def seconds(self) -> float:
        return self.length / self.rate

    def read(self, start: int, stop: int) -> Floats:
        inside = self.samples[:, max(0, start) : max(0, stop)]
        before = min(max(0, -start), stop - start)
        after = stop - start - before - inside.shape[1]
        return np.pad(inside, ((0, 0), (before, after))) if before or after else inside

    def mono(self) -> Floats:
        """The mean of the channels, float32 [n]."""
        mean: Floats = self.samples.mean(axis=0, dtype=np.float32)
        return mean


@dataclass(frozen=True)
class View:
    """A sound that is made of another as it is read; by itself, that other."""

    sound: Sound

    @property
    def rate(self) -> int:
        return self.sound.rate

    @property
    def channels(self) -> int:
        return self.sound.channels

    @property
    def length(self) -> int:
        return self.sound.length

    @property
    def seconds(self) -> float:
        return self.sound.seconds

    def read(self, start: int, stop: int) -> Floats:
        return self.sound.read(start, stop)


@dataclass(frozen=True)
class Sum(View):
    """Two sounds of one rate, length and number of channels, together."""

    other: Sound

    def read(self, start: int, stop: int) -> Floats:
        both: Floats = self.sound.read(start, stop) + self.other.read(start, stop)
        return both
