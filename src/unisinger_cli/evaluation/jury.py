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
from unisinger_cli.evaluation.clips import Clip, together
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
        songs = [[clip.path, clip.accomp] for clip in clips if clip.accomp is not None]
        self._songs = [[path for path in song if path is not None] for song in songs[:REAL]]
        self._heard: dict[str, list[Any]] = {}  # songs of the packs, by the command of who heard them

    def judge(self, part: Part) -> Part:
        """The part with what the judges find added. One that fails is told in its `failed`, and the others go on."""
        for juror in self._jurors:
            items = [item for item in part.items if _first(item, MADE[juror.hears])]
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
        references = heard("reference") if juror.hears == "voice" else []
        if juror.answers == "vector" and references:
            return _likeness(juror, made, references, heard("source"))
        real = self._real(juror) if juror.hears == "song" else [answer for answer in references if answer is not None]
        return _ratings(juror, made, real) if juror.answers == "scores" else [_apart(juror, made, real)]

    def _real(self, juror: Juror) -> list[Any]:
        """What it says of songs of the packs, asked once."""
        if juror.command not in self._heard:
            self._reporter.stage(f"{juror.name} hears songs of the packs")
            self._heard[juror.command] = [juror.hear(together(song, self._rate, SECONDS)) for song in self._songs]
        return self._heard[juror.command]


def _first(item: Item, names: Sequence[str]) -> str | None:
    return next((name for name in names if name in item.sounds), None)


def _real_of(juror: Juror) -> str:
    return "the references" if juror.hears == "voice" else "songs of the packs"


def _likeness(
    juror: Juror, made: Sequence[Floats], references: Sequence[Floats | None], sources: Sequence[Floats | None]
) -> list[Score]:
    """Of the items that have a reference; whether they are nearer to it than to a source, of those that have one."""
    there = [(a, b, c) for a, b, c in zip(made, references, sources, strict=True) if b is not None]
    n = len(there)
    strangers = [there[other(i, n)][1] for i in range(n)]
    own = [_cosine(a, b) for a, b, _ in there]
    others = [_cosine(a, b) for (a, _, _), b in zip(there, strangers, strict=True)] if n > 1 else []
    scores = [Score(f"{juror.name}_similarity_to_reference", mean(own), mean(others), "another reference")]
    led = [i for i in range(n) if there[i][2] is not None]
    if led:
        left = [_cosine(there[i][0], there[i][2]) for i in led]
        chance = nearer_share([others[i] for i in led], left) if others else None
        share = nearer_share([own[i] for i in led], left)
        scores.append(Score(f"{juror.name}_nearer_to_reference", share, chance, "another reference"))
    return scores


def _fitting(juror: Juror, made: Sequence[Floats], captions: Sequence[str]) -> list[Score]:
    """Of the items that have a caption: how well it suits them."""
    there = [(vector, juror.read(caption)) for vector, caption in zip(made, captions, strict=True) if caption]
    n = len(there)
    right = mean(_cosine(vector, text) for vector, text in there)
    wrong = mean(_cosine(there[i][0], there[other(i, n)][1]) for i in range(n) if n > 1)
    return [Score(f"{juror.name}_similarity_to_caption", right, wrong, "the captions of other songs")] if there else []


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


def _cosine(one: Floats, other: Floats | None) -> float:
    if other is None or one.shape != other.shape:
        raise ModelError("a judge gives vectors of different lengths")
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0
