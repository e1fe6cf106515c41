"""What a user asks for, checked the moment it is built. None means "not given", never a default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from unisinger_cli.errors import UsageError


def _brief(value: float) -> str:
    return str(value) if isinstance(value, float) or abs(value) < 10**20 else "a huge number"


MOST_TAKES = 50


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # nor is NaN
        raise UsageError(
            f"{name} is {_brief(value)}, and must be from {low:g} to {high:g}", f"give {name} in that range"
        )


@dataclass(frozen=True)
class SamplerConfig:
    """How the flow is integrated. A guidance scale of 1 is the plain conditional model, 0 ignores that condition."""

    seed: int = 0
    take: int = 0  # another performance of the same song: other noise, the same plan
    steps: int = 16
    words: float = 1.5  # guidance on lyrics or content; more tells a conversion more of the source's singer too
    voice: float = 2.5  # guidance on the speaker; more of it costs words
    accomp: float = 2.5  # guidance on style and harmony
    source: float = 1.0  # guidance away from the singer of the recording that is converted; costs words, too
    temperature: float = 0.8  # deviation of the noise that is begun from; at 1, as in training, more words are lost

    def __post_init__(self) -> None:
        _within("--seed", self.seed, 0, 2**63 - 1)
        _within("the number of the take", self.take, 0, 9999)
        _within("--steps", self.steps, 1, 200)
        for name in ("words", "voice", "accomp", "source"):
            _within(f"--cfg-{name}", getattr(self, name), 0, 20)
        _within("--temperature", self.temperature, 0, 2)


@dataclass(frozen=True)
class VoicePart:
    """A recording, or the file of a saved voice, and its share in the voice that is asked for."""

    path: Path
    weight: float = 1.0

    def __post_init__(self) -> None:
        _within(f"the weight of {self.path.stem}", self.weight, 0, 1000)


Voice: TypeAlias = tuple[VoicePart, ...]  # more than one: a blend
MOST_PARTS = 8


def one_voice(path: Path) -> Voice:
    """The voice that one file holds."""
    return (VoicePart(path),)


def blend(parts: Sequence[VoicePart]) -> Voice:
    """The voice between several, its weights made to add up to 1. Raises UsageError for more than eight, or for weights
    that are all 0."""
    _weighed("the blend", tuple(parts))
    whole = sum(part.weight for part in parts)
    return tuple(VoicePart(part.path, part.weight / whole) for part in parts)


def _weighed(name: str, voice: Voice) -> None:
    if len(voice) > MOST_PARTS:
        raise UsageError(f"{name} has {len(voice)} parts, and at most {MOST_PARTS} are blended", "blend fewer voices")
    if voice and not any(part.weight > 0 for part in voice):
        raise UsageError(f"{name} has no part with a weight over 0", "write it as NAME:0.7,OTHER:0.3")


@dataclass(frozen=True)
class SongRequest:
    """`unisinger song`: lyrics (text, not a path; `lyrics_name` is what errors call them), a melody to set them to (or
    one that has its own words), or a plan instead of both; and, for task 2, a reference voice."""

    lyrics: str = ""
    ref: Voice = ()
    style: str = ""
    language: str = "en"
    bpm: float | None = None
    key: str | None = None
    lyrics_name: str = "lyrics"
    melody: Path | None = None  # MIDI, MusicXML, or a hummed recording
    plan: Path | None = None
    sampler: SamplerConfig = field(default_factory=SamplerConfig)

    def __post_init__(self) -> None:
        _weighed("--ref", self.ref)
        if self.bpm is not None:
            _within("--bpm", self.bpm, 40, 240)
        if not (self.lyrics or self.melody or self.plan):
            raise UsageError("there is nothing to sing", "give --lyrics, --melody or --plan")
        if self.plan is not None and (self.lyrics or self.melody or self.bpm is not None or self.key is not None):
            hint = "leave --lyrics, --melody, --bpm and --key out, or the plan"
            raise UsageError("--plan has its own words, melody, tempo and key", hint)


@dataclass(frozen=True)
class ConvertRequest:
    """`unisinger convert`: another singer for a recording; `accomp` is "none", "new" (task 3) or "keep"."""

    source: Path
    target: Voice
    accomp: str = "none"
    transpose: float | None = None  # semitones; None: moved to where the target's voice lies, what is sung by octaves
    separate: bool | None = None  # None: only where the input is a mix
    style: str = ""
    sampler: SamplerConfig = field(default_factory=SamplerConfig)

    def __post_init__(self) -> None:
        _weighed("--target", self.target)
        if self.accomp not in ("none", "new", "keep"):
            raise UsageError(f"accompaniment is {self.accomp!r}, and must be none, new or keep")
        if self.transpose is not None:
            _within("--transpose", self.transpose, -36, 36)


Request: TypeAlias = SongRequest | ConvertRequest


@dataclass(frozen=True)
class Job:
    """A request, and where its results go.

    `files` names the outputs ("mix", "vocal", "accomp", "receipt"), `inputs` what the receipt hashes.
    """

    request: Request
    files: Mapping[str, Path]
    inputs: Mapping[str, Path]
    bits: str = "24"  # of audio.BITS
    overwrite: bool = True  # what lies where the files go, should it have come since that was checked
    takes: int = 1  # of which the best is kept

    def __post_init__(self) -> None:
        _within("--takes", self.takes, 1, MOST_TAKES)
