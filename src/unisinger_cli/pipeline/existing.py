"""A song that is there already: its receipt, its plan and its stems, read back and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.audio import load, long
from unisinger_cli.backends.weights import sha256_of
from unisinger_cli.errors import InputError
from unisinger_cli.model.config import PHONEMES, TAGS
from unisinger_cli.notation.fields import Field
from unisinger_cli.notation.plan_json import read_plan
from unisinger_cli.pipeline.lines import Passage, passages
from unisinger_cli.pipeline.recall import Receipt, read_receipt, recall
from unisinger_cli.pipeline.song import performance
from unisinger_cli.requests import SamplerConfig, SongRequest
from unisinger_cli.stages.clock import pitch_frames
from unisinger_cli.types import Floats, SongPlan, Sound

MOST_RETAKES = 1000
MOST_LETTERS = 2000  # of the words of a line
_HINT = "give the .json file that lies beside what `unisinger song` made"
_BLEND = 0.12  # s over which F0 goes from the curve of one take to that of another
_LOSSY = 0.1  # s by which a lossy file may be longer or shorter than what went into it


@dataclass(frozen=True)
class Retake:
    """Lines (from 1) that were sung again, in which take, to which words if to others, and in the song of which
    receipt."""

    lines: tuple[int, ...]
    take: int
    receipt: str
    sha256: str
    words: str = ""

    def told(self) -> dict[str, Any]:
        return asdict(self) | {"lines": list(self.lines)}


@dataclass(frozen=True)
class Existing:
    """A song of `unisinger song`; `stems` are the files of its sounds, found and unchanged since."""

    path: Path
    sha256: str
    receipt: Receipt
    request: SongRequest
    plan: SongPlan
    retakes: tuple[Retake, ...]
    stems: Mapping[str, Path]

    def sound(self, name: str, rate: int) -> Sound:
        """A stem at its full length. Raises InputError where it is of another length than the song, or another rate."""
        path, samples = self.stems[name], int(self.plan.seconds * rate)
        found = load(path)
        lossless = self.receipt.suffix in (".wav", ".flac")
        if found.rate != rate or abs(found.length - samples) > (0 if lossless else _LOSSY * rate):
            told = f"{found.seconds:.3f} s at {found.rate} Hz"
            raise InputError(f"{path} has {told}, and its song {self.plan.seconds:.3f} s at {rate} Hz", _HINT)
        return long(found, samples)

    def curve(self, frames: int, frame_rate: float) -> Floats:
        """The F0 in Hz that it was sung to, [frames]: that of its take, and where it was sung again, of that retake."""
        hz = take_curve(self.plan, self.request.sampler, frames, frame_rate)
        for retake in self.retakes:
            other = take_curve(self.plan, replace(self.request.sampler, take=retake.take), frames, frame_rate)
            hz = blended(hz, other, passages(self.plan, [line - 1 for line in retake.lines]), frame_rate)
        return hz

    def next_take(self) -> int:
        """A number that no take of this song had so far."""
        return 1 + max([self.request.sampler.take, *(retake.take for retake in self.retakes)])


def take_curve(plan: SongPlan, sampler: SamplerConfig, frames: int, frame_rate: float) -> Floats:
    """The F0 of one take of a plan, as `pipeline.song` sings it."""
    return pitch_frames(plan, frames, frame_rate, performance(sampler))


def blended(hz: Floats, other: Floats, where: Iterable[Passage], frame_rate: float) -> Floats:
    """One F0 curve with another in some passages; inside of them, it glides from the one to the other."""
    times = (np.arange(len(hz)) + 0.5) / frame_rate
    for passage in where:
        start, stop = passage.before.start, passage.after.stop
        share = np.clip(np.minimum(times - start, stop - times) / _BLEND, 0, 1)
        both = (hz > 0) & (other > 0)
        logs = (1 - share) * np.log2(np.where(both, hz, 1)) + share * np.log2(np.where(both, other, 1))
        hz = np.where(both & (share > 0), 2**logs, np.where(share > 0.5, other, hz)).astype(np.float32)
    return hz


def existing(path: Path) -> Existing:
    """The song of a receipt. Raises InputError for what is damaged, of a conversion, or not there any more."""
    data = read_receipt(path)
    if data["command"] == "convert":
        hint = "sing all of it again: unisinger convert ... --take 1"
        raise InputError(f"{path} is the receipt of a conversion, which has no lines", hint)
    receipt = recall(path)
    if not isinstance(receipt.request, SongRequest):
        raise InputError(f"{path} is not the receipt of a song", _HINT)
    plan = read_plan(path.read_bytes(), str(path), phonemes=PHONEMES, tags=TAGS)
    root = Field(str(path), "", data, _HINT)
    files = root["files"]
    stems = {name: _stem(path, files[name]) for name in ("mix", "vocal", "accomp") if files.has(name)}
    if "vocal" not in stems:
        raise InputError(f"{path} names no vocal, and its lines cannot be sung again without", _HINT)
    retakes = tuple(_retake(one, len(plan.lines)) for one in _listed(root))
    return Existing(path, sha256_of(path), receipt, receipt.request, plan, retakes, stems)


def _listed(root: Field) -> Iterable[Field]:
    return root["retakes"].items(MOST_RETAKES) if root.has("retakes") else ()


def _retake(one: Field, lines: int) -> Retake:
    numbers = tuple(number.whole(1, lines) for number in one["lines"].items(lines, 1))
    words = one["words"].text(MOST_LETTERS) if one.has("words") else ""
    return Retake(numbers, one["take"].whole(0, 9999), one["receipt"].text(4096), one["sha256"].text(64), words)


def _stem(receipt: Path, told: Field) -> Path:
    """The file of a stem, where the receipt says or beside it: the first that is unchanged."""
    text = (told["path"] if told.has("path") else told).text(4096)
    places = [receipt.parent / Path(text).name, Path(text)]
    there = [place for place in places if _is_file(place)]
    if not there:
        raise InputError(f"{text}, of {receipt}, is not there any more", f"put it beside {receipt}")
    if not told.has("sha256"):
        return there[0]
    wanted = told["sha256"].text(64)
    for place in there:
        if sha256_of(place) == wanted:
            return place
    hint = "put the file back that was made with the receipt"
    raise InputError(f"{there[0]}, of {receipt}, has changed since it was made", hint)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name
        return False
