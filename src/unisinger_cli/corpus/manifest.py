"""The recordings: one typed row for each line of a corpus's `manifest.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unisinger_cli.errors import InputError


@dataclass(frozen=True)
class Clip:
    """A recording. `oto` rows are [alias, offset, consonant, cutoff, preutterance, overlap] in ms, `words` and
    `phrases` [start, end, text] in seconds."""

    path: Path
    set: str
    speaker: str
    sex: str | None
    kind: str  # "speech", "song", "sung-syllables"
    language: str
    text: str | None
    seconds: float
    source_rate: int
    licence: str
    words: tuple[tuple[float, float, str], ...]
    phrases: tuple[tuple[float, float, str], ...]
    oto: tuple[tuple[Any, ...], ...]
    romaji: str | None
    same_voice: str | None

    @property
    def id(self) -> str:
        """A name that is unique in the corpus and safe as a file name."""
        return f"{self.set}--{self.speaker}--{self.path.stem}".replace(" ", "_")


def read_manifest(corpus: Path) -> Iterator[Clip]:
    """Clips in the order of the manifest. Raises InputError where it is missing or a line cannot be read."""
    path = corpus / "manifest.jsonl"
    if not path.is_file():
        raise InputError(f"{path} does not exist", "give the folder that holds manifest.jsonl")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield _clip(corpus, json.loads(line))
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(f"{path} line {number}: {error}") from error


def _clip(corpus: Path, row: dict[str, Any]) -> Clip:
    return Clip(
        path=corpus / row["path"],
        set=row["set"],
        speaker=row["speaker"],
        sex=row["sex"],
        kind=row["kind"],
        language=row["language"],
        text=row["text"],
        seconds=float(row["seconds"]),
        source_rate=int(row["source_sample_rate"]),
        licence=row["licence"],
        words=tuple((a, b, t) for a, b, t in row["words"] or ()),
        phrases=tuple((a, b, t) for a, b, t in row.get("phrases") or ()),
        oto=tuple(tuple(entry) for entry in row["oto"] or ()),
        romaji=row.get("romaji"),
        same_voice=row.get("same_voice_group"),
    )
