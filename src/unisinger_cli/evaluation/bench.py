"""What all parts of an evaluation share: the model, the judge, where the sounds go, and how an item may fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from unisinger_cli.audio import read, write
from unisinger_cli.errors import UnisingerError
from unisinger_cli.evaluation.judge import Judge
from unisinger_cli.evaluation.words import Words
from unisinger_cli.pipeline.reporter import Reporter
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import SamplerConfig
from unisinger_cli.types import Audio, Floats

if TYPE_CHECKING:
    from unisinger_cli.model.unisinger import UniSinger

T = TypeVar("T")


@dataclass
class Bench:
    """`out` is the folder of the report; `sampler` has the seed of the first item, the next one the seed after it;
    without `words` nobody listens to what is said. `rival`: a model whose codec is the baseline."""

    studio: Studio
    judge: Judge
    out: Path
    sampler: SamplerConfig
    reporter: Reporter
    words: Words | None = None
    packs: Sequence[Path] = ()
    rival: UniSinger | None = None
    failed: list[str] = field(default_factory=list)
    _voices: dict[Path, Floats] = field(default_factory=dict)

    def each(self, name: str, things: Iterable[T]) -> Iterator[tuple[int, T]]:
        """The things with their numbers, while telling how far it is."""
        every = list(things)
        self.reporter.stage(name)
        for i, thing in enumerate(every):
            self.reporter.step(i, len(every))
            yield i, thing

    def miss(self, title: str, error: UnisingerError) -> None:
        """Note an item that failed; the others go on."""
        self.failed.append(f"{title}: {error.message}")
        self.reporter.note(self.failed[-1])

    def seeded(self, i: int) -> SamplerConfig:
        return replace(self.sampler, seed=self.sampler.seed + i)

    def keep(self, name: str, audio: Audio) -> str:
        """Write a sound for the report, and return its path within it."""
        path = self.out / "audio" / f"{name}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, audio, "16")
        return path.relative_to(self.out).as_posix()

    def voice_of(self, path: Path) -> Floats:
        """What the judge thinks of a recording, asked once."""
        if path not in self._voices:
            self._voices[path] = self.judge.embed(read(path))
        return self._voices[path]

    def errors(self, audio: Audio, said: Sequence[str] | None) -> float | None:
        """Phoneme error rate of a voice; None where nobody listens, or knows what is said."""
        return None if self.words is None or not said else self.words.rate(audio, said)

    def halves(self, path: Path) -> float:
        """The judge's similarity of the two halves of a recording: one person, one microphone, other words."""
        audio = read(path)
        middle = audio.samples.shape[1] // 2
        parts = (audio.samples[:, :middle], audio.samples[:, middle:])
        one, other = (self.judge.embed(Audio(part, audio.rate)) for part in parts)
        return float(one @ other)


def other(i: int, count: int) -> int:
    """Whose control item i is: the one half the list away, never itself unless it is alone."""
    return (i + max(1, count // 2)) % count


def stacked(vectors: list[Floats]) -> Floats:
    return np.stack(vectors) if vectors else np.zeros((0, 1), dtype=np.float32)
