"""Optional judges: what others' networks think of the sounds of a report, each number beside a control.

How a judge is attached, and what it may answer, tells `backends.juror`. Here its answers become scores, which bear its
name and stand with those of the part whose sounds it heard:

    vector of a voice    similarity to the reference (control: another reference), and whether it is nearer to that than
                         to the source
    vector of a song     similarity to the caption (control: another song's caption), where it reads captions; else as
                         frames, one of each song
    frames               Fréchet distance to what is real (control: the distance of two halves of that)
    scores               their means (control: those of what is real)
    text                 words wrong, beside lyrics where they were given, and else beside what the same judge hears in
                         the source (control: the words of another item)

What is real are, for voices, the references, and for songs those of the packs that nothing was learned from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.audio import read
from unisinger_cli.backends.juror import Juror
from unisinger_cli.errors import ModelError
from unisinger_cli.evaluation.bench import other
from unisinger_cli.evaluation.clips import Clip, mixed, songs_of
from unisinger_cli.evaluation.findings import Item, Part, Score, mean
from unisinger_cli.evaluation.frechet import distance
from unisinger_cli.evaluation.metrics import nearer_share
from unisinger_cli.pipeline.reporter import Reporter
from unisinger_cli.stages.align import edits
from unisinger_cli.types import Floats

REAL, SECONDS = 20, 60.0  # songs of the packs at most, and of each as much
MADE = {"voice": ("output", "vocal"), "song": ("mix",)}  # names that the sounds of items have
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+(?:['’][^\W_]+)*")


class Jury:
    """Judges that run, what they are asked about, and what is real.

    `out` is the folder of the report; sounds of packs are heard at `rate` Hz.
    """

    def __init__(
        self, jurors: Sequence[Juror], clips: Sequence[Clip], rate: int, out: Path, reporter: Reporter
    ) -> None:
        self._jurors, self._rate, self._out, self._reporter = jurors, rate, out, reporter
        self._songs = songs_of(clips)[:REAL]
        self._heard: dict[str, list[Any]] = {}  # songs of the packs, by the command of who heard them

    def judge(self, part: Part) -> Part:
        """The part with what the judges find added. One that fails is told in its `failed`, and the others go on."""
        for juror in self._jurors:
            items = [item for item in part.items if _concerns(item, juror)]
            try:
                scores = self._scores(juror, part.name, items) if items else []
            except ModelError as error:
                self._reporter.note(error.message)
                part = replace(part, failed=(*part.failed, error.message))
            else:
                part = replace(part, scores=(*part.scores, *scores))
        return part

    def _scores(self, juror: Juror, part: str, items: Sequence[Item]) -> list[Score]:
        def heard(*names: str) -> list[Any]:
            """Of each item what it says of the first sound of these names that there is, or None."""
            self._reporter.stage(f"{juror.name} hears {part}: {names[-1]}")
            found: list[Any] = []
            for i, item in enumerate(items):
                self._reporter.step(i, len(items))
                name = _first(item, names)
                found.append(None if name is None else juror.hear(read(self._out / item.sounds[name])))
            return found

        made = heard(*MADE[juror.hears])
        if juror.answers == "text":
            sources = [None] * len(items) if all(item.words for item in items) else heard("source")
            return _words(juror, made, [item.words or source for item, source in zip(items, sources, strict=True)])
        if juror.captions:
            return _fitting(juror, made, [item.caption for item in items])
        real = heard("reference") if juror.hears == "voice" else self._real(juror)
        if juror.answers == "vector" and juror.hears == "voice":
            return _likeness(juror, made, real, heard("source"))
        return _ratings(juror, made, real) if juror.answers == "scores" else [_apart(juror, made, real)]

    def _real(self, juror: Juror) -> list[Any]:
        """What it says of songs of the packs, asked once."""
        if juror.command not in self._heard:
            self._reporter.stage(f"{juror.name} hears songs of the packs")
            self._heard[juror.command] = [juror.hear(mixed(song, self._rate, SECONDS)) for song in self._songs]
        return self._heard[juror.command]


def _concerns(item: Item, juror: Juror) -> bool:
    """Whether there is something to hear, and something to hold it against."""
    if _first(item, MADE[juror.hears]) is None:
        return False
    if juror.answers == "text":
        return bool(item.words) or "source" in item.sounds
    if juror.captions:
        return bool(item.caption)
    return juror.hears == "song" or "reference" in item.sounds


def _first(item: Item, names: Sequence[str]) -> str | None:
    return next((name for name in names if name in item.sounds), None)


def _real_of(juror: Juror) -> str:
    return "the references" if juror.hears == "voice" else "songs of the packs"


def _likeness(
    juror: Juror, made: Sequence[Floats], references: Sequence[Floats], sources: Sequence[Floats | None]
) -> list[Score]:
    """How like the reference, and whether it is nearer to that than to the source, of the items that have one."""
    n = len(made)
    own = [_cosine(one, reference) for one, reference in zip(made, references, strict=True)]
    others = [_cosine(one, references[other(i, n)]) for i, one in enumerate(made) if n > 1]
    scores = [Score(f"{juror.name}_similarity_to_reference", mean(own), mean(others), "another reference")]
    left = {i: _cosine(made[i], source) for i, source in enumerate(sources) if source is not None}
    if left:
        share = nearer_share([own[i] for i in left], list(left.values()))
        chance = nearer_share([others[i] for i in left], list(left.values())) if others else None
        scores.append(Score(f"{juror.name}_nearer_to_reference", share, chance, "another reference"))
    return scores


def _fitting(juror: Juror, made: Sequence[Floats], captions: Sequence[str]) -> list[Score]:
    """How well its caption suits each song."""
    texts, n = [juror.read(caption) for caption in captions], len(made)
    right = mean(_cosine(one, text) for one, text in zip(made, texts, strict=True))
    wrong = mean(_cosine(one, texts[other(i, n)]) for i, one in enumerate(made) if n > 1)
    return [Score(f"{juror.name}_similarity_to_caption", right, wrong, "the captions of other songs")]


def _ratings(juror: Juror, made: Sequence[Mapping[str, float]], real: Sequence[Mapping[str, float]]) -> list[Score]:
    names = list(dict.fromkeys(name for ratings in made for name in ratings))
    return [
        Score(
            f"{juror.name}_{name}",
            mean(ratings.get(name) for ratings in made),
            mean(ratings.get(name) for ratings in real),
            _real_of(juror),
        )
        for name in names
    ]


def _apart(juror: Juror, made: Sequence[Floats], real: Sequence[Floats]) -> Score:
    ours, theirs = ([np.atleast_2d(frames) for frames in every] for every in (made, real))
    floor = distance(theirs[::2], theirs[1::2])
    return Score(f"{juror.name}_frechet_distance", distance(ours, theirs), floor, f"two halves of {_real_of(juror)}")


def _words(juror: Juror, made: Sequence[str], due: Sequence[str | None]) -> list[Score]:
    there = [(words(text), words(wanted)) for text, wanted in zip(made, due, strict=True) if wanted and words(wanted)]
    n = len(there)
    wrong = mean(edits(text, wanted) / len(wanted) for text, wanted in there)
    chance = mean(
        edits(text, there[other(i, n)][1]) / len(there[other(i, n)][1]) for i, (text, _) in enumerate(there) if n > 1
    )
    return [Score(f"{juror.name}_word_error_rate", wrong, chance, "the words of other items")] if there else []


def words(text: str) -> list[str]:
    """The words of a text as recognisers are compared by: small letters, no punctuation, each character of scripts
    without spaces."""
    return [word.replace("’", "'") for word in _WORD.findall(text.casefold())]


def _cosine(one: Floats, other: Floats) -> float:
    if one.shape != other.shape:
        raise ModelError("a judge gives vectors of different lengths")
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0
