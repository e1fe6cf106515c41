"""What an evaluation finds: numbers, each beside a control, and the items that they were measured on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PARTS = ("codec", "content", "timbre", "convert", "accompany", "song", "long", "speed")


@dataclass(frozen=True)
class Score:
    """One number. `control` is the same measure taken where nothing should be found (or where all should), and
    `against` tells what that is; the bar, where there is one, is `at_least` or `at_most`."""

    name: str
    value: float | None
    control: float | None = None
    against: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None where there is none. What could not be measured meets none."""
        if self.at_least is None and self.at_most is None:
            return None
        if self.value is None:
            return False
        high_enough = self.at_least is None or self.value >= self.at_least
        return high_enough and (self.at_most is None or self.value <= self.at_most)


@dataclass(frozen=True)
class Item:
    """One output: what it is, what was measured on it, and files to hear, relative to the folder of the report; the
    `words` that were to be sung and the `caption` of the music, where they were given."""

    title: str
    values: Mapping[str, float | None]
    sounds: Mapping[str, str] = field(default_factory=dict)
    words: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Part:
    """One part of the evaluation. `failed` has a line for each item of which nothing could be made."""

    name: str
    scores: tuple[Score, ...]
    items: tuple[Item, ...]
    failed: tuple[str, ...] = ()


def recognised(share: float | None, among: int, at_least: float) -> Score:
    """How many outputs are told among `among` voices for the one that was asked for."""
    return Score("recognised_among_all", share, 1 / among if among else None, "chance", at_least=at_least)


def wrong_words(rate: float | None, floor: float | None, against: str, more: float) -> Score:
    """How many phonemes are wrong; `more` of them than of what it is held against may be, where that can be judged."""
    bar = None if floor is None else floor + more
    return Score("phoneme_error_rate", rate, floor, against, at_most=bar)


def mean(values: Iterable[float | None], missing: float | None = None) -> float | None:
    """Mean of what is there; what is not counts as `missing`, or not at all. None of nothing."""
    kept = [missing if value is None else value for value in values]
    known = [value for value in kept if value is not None]
    return float(np.mean(known)) if known else None


def as_data(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """The same as JSON-able objects."""
    return [
        {
            "part": part.name,
            "scores": [
                {
                    "name": score.name,
                    "value": score.value,
                    "control": score.control,
                    "against": score.against,
                    "at_least": score.at_least,
                    "at_most": score.at_most,
                    "met": score.met,
                }
                for score in part.scores
            ],
            "items": [
                {
                    "title": item.title,
                    "values": dict(item.values),
                    "sounds": dict(item.sounds),
                    "words": item.words,
                    "caption": item.caption,
                }
                for item in part.items
            ],
            "failed": list(part.failed),
        }
        for part in parts
    ]
