"""The part "timbre": how often the timbre encoder takes two people for one, or one for two, beside resemblyzer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from unisinger_cli.audio import mono_at, read
from unisinger_cli.corpus.pack import read_index
from unisinger_cli.errors import InputError
from unisinger_cli.evaluation.bench import Bench
from unisinger_cli.evaluation.clips import MADE, SINGING, Clip
from unisinger_cli.evaluation.findings import Item, Part, Score
from unisinger_cli.evaluation.metrics import equal_error_rate
from unisinger_cli.types import Audio, Floats

EER = 0.12  # the bar
SHORTEST, SECONDS = 4.0, 16.0  # of a clip; it is cut to the second
OWN = 4  # clips of a person, at most
WARPED = "~"  # in the name of a factory singer who is nobody


@dataclass(frozen=True)
class Heard:
    """Half of a recording, as the timbre encoder and as resemblyzer hear it: unit vectors."""

    person: str
    clip: str
    timbre: Floats
    judged: Floats


Trial = tuple[Heard, Heard]


def run(bench: Bench, clips: Sequence[Clip], count: int) -> Part:
    """Trials between the halves of up to `count` recordings of test speakers.

    Two halves of different recordings are a trial, and so are the two of one recording where the corpus has but one of
    that person, as of the test speakers of LibriSpeech: the same room and microphone help there, so trials across
    recordings are told apart too. Speech to singing needs test speakers who do both. Songs of the factory that nobody
    trained on are sung from recorded speech; they stand for singing under the name of what they are, made.
    """
    rng = np.random.default_rng(bench.sampler.seed)
    speech = [clip for clip in clips if clip.kind == "speech"]
    singing = [clip for clip in clips if clip.kind in SINGING and clip.speaker in {one.speaker for one in speech}]
    songs = [clip for clip in clips if clip.kind == MADE and WARPED not in clip.speaker]
    spoken = _hear(bench, "hearing speakers", _some(speech, count, rng))
    sung = _hear(bench, "hearing singers", _some(singing, count, rng))
    made = _hear(bench, "hearing songs of the factory", _some(songs, count, rng))
    sources = _hear(bench, "hearing their singers", _some(_speech_of(bench, made), count, rng))
    halves = list(combinations(spoken, 2))
    several = {one.person for one, two in halves if one.person == two.person and one.clip != two.clip}
    trials = {
        "speech": [(one, two) for one, two in halves if one.clip != two.clip or one.person not in several],
        "speech_across_recordings": [
            (one, two) for one, two in halves if one.clip != two.clip and {one.person, two.person} <= several
        ],
        "speech_to_singing": list(product(spoken, sung)),
        "speech_to_made_songs": list(product(sources, made)),
    }
    scores = tuple(_score(name, pairs) for name, pairs in trials.items())
    items = tuple(Item(name, _counted(pairs)) for name, pairs in trials.items())
    return Part("timbre", scores, items, tuple(bench.failed))


def _some(clips: Sequence[Clip], count: int, rng: np.random.Generator) -> list[Clip]:
    """Up to `count` clips that are long enough, at most OWN of a person."""
    chosen: dict[str, list[Clip]] = defaultdict(list)
    for i in rng.permutation(len(clips)):
        own = chosen[clips[i].speaker]
        if clips[i].seconds >= SHORTEST and len(own) < OWN:
            own.append(clips[i])
    return [clip for own in chosen.values() for clip in own][:count]


def _speech_of(bench: Bench, made: Sequence[Heard]) -> list[Clip]:
    """Recorded speech of those who sing in the factory's songs, of any split."""
    singers = {one.person for one in made}
    return [
        Clip(row["id"], pack / row["vocal"], row["speaker"], row["kind"], row["seconds"])
        for pack in bench.packs
        for row in read_index(pack)
        if row["kind"] == "speech" and row["vocal"] and row["speaker"] in singers
    ]


def _hear(bench: Bench, name: str, clips: Sequence[Clip]) -> list[Heard]:
    found = []
    for _, clip in bench.each(name, clips):
        rate = bench.studio.rate
        samples = mono_at(read(clip.path), rate)[: int(SECONDS * rate)]
        try:
            for half in np.array_split(samples, 2):
                audio = Audio(half[None], rate)
                vector = bench.studio.singer(audio).vector
                found.append(Heard(clip.speaker, clip.name, vector, bench.judge.embed(audio)))
        except InputError as error:
            bench.miss(clip.name, error)
    return found


def _counted(pairs: Sequence[Trial]) -> dict[str, float | None]:
    same = sum(one.person == two.person for one, two in pairs)
    return {"trials_of_one_person": float(same), "trials_of_two": float(len(pairs) - same)}


def _score(name: str, pairs: Sequence[Trial]) -> Score:
    """Equal error rate of the timbre encoder, beside resemblyzer's on the same trials."""
    if not any(one.person == two.person for one, two in pairs):
        return Score(f"{name}_equal_error_rate", None, None, "not measurable: nobody does both here")
    heard = (
        [(one.person == two.person, float(one.timbre @ two.timbre)) for one, two in pairs],
        [(one.person == two.person, float(one.judged @ two.judged)) for one, two in pairs],
    )
    ours, judged = (
        equal_error_rate([x for same, x in side if same], [x for same, x in side if not same]) for side in heard
    )
    return Score(f"{name}_equal_error_rate", ours, judged, "resemblyzer", at_most=EER if name == "speech" else None)
