"""The scores that the song factory sings from: one listing over all of them, and each read when it is wanted.

for entry in entries(lieder, pop909):
    if entry.split == TRAIN:
        song = entry.load()
        for start in starts(song, 12.0):
            piece = window(song, start, 12.0)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unisinger_cli.corpus.lieder import load_lieder
from unisinger_cli.corpus.pop909 import load_pop909, song_numbers
from unisinger_cli.corpus.song import AccompNote, Bar, ScoreSong, starts, window
from unisinger_cli.corpus.splits import split_of_composer, split_of_song
from unisinger_cli.errors import InputError

__all__ = [
    "AccompNote", "Bar", "Entry", "ScoreSong", "entries", "load_lieder", "load_pop909", "song_ids", "songs",
    "starts", "window",
]  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A song that can be loaded. `language` is "" where there are no words, `verse` is the line of words."""

    id: str
    path: Path  # the .mxl file, or POP909's zip
    set: str  # "lieder", "pop909"
    title: str
    composer: str = ""
    language: str = ""
    verse: str = "1"

    @property
    def split_key(self) -> str:
        return self.composer if self.set == "lieder" else self.title

    @property
    def split(self) -> str:
        """ "train" or "test": by composer, and for pop songs by number."""
        return split_of_composer(self.composer) if self.set == "lieder" else split_of_song(self.title)

    def load(self) -> ScoreSong:
        """Raises InputError where the score is damaged, or has nothing to sing."""
        if self.set == "pop909":
            return load_pop909(self.path, self.title)
        return load_lieder(
            self.path, verse=self.verse, language=self.language, composer=self.composer, title=self.title
        )


def entries(lieder: Path | None, pop909: Path | None) -> tuple[Entry, ...]:
    """Every song of a folder with `index.jsonl` and .mxl files, then of POP909's zip, in a fixed order.

    Reads only the listings. Raises InputError where one is missing or cannot be read.
    """
    found = list(_lieder(lieder)) if lieder is not None else []
    if pop909 is not None:
        found += [Entry(f"pop909--{each}", pop909, "pop909", each) for each in song_numbers(pop909)]
    return tuple(found)


def song_ids(lieder: Path | None, pop909: Path | None) -> tuple[str, ...]:
    """The ids of `entries`."""
    return tuple(entry.id for entry in entries(lieder, pop909))


def songs(lieder: Path | None, pop909: Path | None, split: str | None = None) -> Iterator[ScoreSong]:
    """Every song, or those of one split, loaded one after the other."""
    for entry in entries(lieder, pop909):
        if split is None or entry.split == split:
            yield entry.load()


def _lieder(folder: Path) -> Iterator[Entry]:
    path = folder / "index.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "give the folder with index.jsonl") from error
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            file, language = Path(row["file"]), row["language"]
            verses = [verse for verse, each in row["lyric_line_languages"].items() if each == language]
            yield Entry(
                f"lieder--{file.stem}", folder / file.name, "lieder", row["title"], row["composer"], language,
                min(verses, default="1"),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path} line {number}: {error}") from error
