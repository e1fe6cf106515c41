"""Sound on disk: what is long lies on a tape, so that memory stays the same however long it is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from unisinger_cli.errors import DeviceError
from unisinger_cli.types import Audio, Floats, Sound

BLOCK = 1 << 18  # samples that are worked on at a time, 6 s at 44.1 kHz


class Tape:
    """float32 [channels, n] in a file without a name, which is gone with the tape, however the program ends.

    It lies in $TMPDIR, or else where big temporary files belong. `rate` is in Hz.
    """

    def __init__(self, channels: int, rate: int) -> None:
        self.channels, self.rate, self.length = channels, rate, 0
        place = Path("/var/tmp")
        roomy = "TMPDIR" not in os.environ and place.is_dir() and os.access(place, os.W_OK)
        try:
            self._file = tempfile.TemporaryFile(dir=place if roomy else None, buffering=0)  # noqa: SIM115
        except FileNotFoundError as error:
            told = "there is no folder for temporary files that can be written to"
            raise DeviceError(told, "set TMPDIR to one") from error

    @property
    def seconds(self) -> float:
        return self.length / self.rate

    def append(self, samples: Floats) -> None:
        """Add float32 [channels, k] at the end."""
        self._file.seek(0, os.SEEK_END)
        left = memoryview(np.ascontiguousarray(samples.T, dtype=np.float32).tobytes())
        while left:  # a raw file may take less than it is given, when the disk is nearly full
            left = left[self._file.write(left) :]
        self.length += samples.shape[1]

    def read(self, start: int, stop: int) -> Floats:
        first, last = (min(max(0, at), self.length) for at in (start, stop))
        frame = 4 * self.channels
        self._file.seek(frame * first)
        kept = self._file.read(frame * (last - first)) or b""
        inside = np.frombuffer(kept, dtype=np.float32).reshape(-1, self.channels).T
        before = min(max(0, -start), stop - start)
        return np.pad(inside, ((0, 0), (before, stop - start - before - inside.shape[1])))


def record(blocks: Iterable[Floats], channels: int, rate: int) -> Tape:
    """A tape of all blocks, one after the other."""
    tape = Tape(channels, rate)
    for block in blocks:
        tape.append(block)
    return tape


def blocks(sound: Sound, size: int = BLOCK) -> Iterator[Floats]:
    """The sound in blocks of `size` samples; the last may be shorter."""
    for start in range(0, sound.length, size):
        yield sound.read(start, min(start + size, sound.length))


def whole(sound: Sound) -> Audio:
    """All of it in memory."""
    return sound if isinstance(sound, Audio) else Audio(sound.read(0, sound.length), sound.rate)


def excerpt(sound: Sound, seconds: float = 120.0, pieces: int = 12) -> Audio:
    """All of a short sound; of a long one `pieces` stretches, evenly spread, that last `seconds` together."""
    if sound.seconds <= seconds:
        return whole(sound)
    size = int(seconds * sound.rate / pieces)
    starts = np.linspace(0, sound.length - size, pieces).astype(int)
    return Audio(np.concatenate([sound.read(int(at), int(at) + size) for at in starts], axis=1), sound.rate)
