"""How often the check-up of `voice add` is wrong about who is in a recording: one person, or two that were spliced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unisinger_cli.audio import read
from unisinger_cli.corpus.manifest import Clip, read_manifest
from unisinger_cli.corpus.splits import TRAIN, split_of_clip
from unisinger_cli.errors import InputError
from unisinger_cli.evaluation.findings import Item, Part, Score
from unisinger_cli.pipeline.reporter import Reporter
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.stages.checkup import SEVERAL, UNSURE, alike
from unisinger_cli.stages.timbre import sounding, windows
from unisinger_cli.types import Audio, Floats

SECONDS = 8.0  # of voice in each recording: two windows


@dataclass(frozen=True)
class _Heard:
    person: str
    samples: Floats  # [n] at the model's rate, without silence


def check_speakers(studio: Studio, corpus: Path, reporter: Reporter, *, items: int, seed: int) -> Part:
    """Judge up to `items` recordings, 8 s of voice each, of people who were not trained on, and as many splices of two.

    Of a splice 35 to 65 % are of the one person. Singing is counted apart, and singers who were trained on too: there
    are few others. Raises InputError where the corpus has less than two people of whom enough is heard.
    """
    rng = np.random.default_rng(seed)
    clips = [clip for clip in read_manifest(corpus) if clip.seconds >= SECONDS]
    clips = [clips[i] for i in rng.permutation(len(clips))]
    spoken = [clip for clip in clips if clip.kind == "speech" and split_of_clip(clip) != TRAIN]
    found: list[Score] = []
    heard: list[Item] = []
    for kind, chosen in (("speech", spoken), ("song", [clip for clip in clips if clip.kind != "speech"])):
        reporter.stage(f"listening to {kind}")
        voices = _voices(studio, chosen, items)
        people = {voice.person for voice in voices}
        if len(people) < 2:
            reporter.note(f"{kind}: recordings of {len(people)} people only, which cannot be spliced")
            continue
        values: dict[str, list[float]] = {"one": [], "two": []}
        for i, voice in enumerate(voices):
            reporter.step(i, len(voices))
            others = [other for other in voices if other.person != voice.person]
            other = others[int(rng.integers(len(others)))]
            cut = int(len(voice.samples) * rng.uniform(0.35, 0.65))
            splice = np.concatenate([voice.samples[:cut], other.samples[cut:]])
            values["one"].append(_alike(studio, voice.samples))
            values["two"].append(_alike(studio, splice))
            heard.append(Item(f"{kind}: {voice.person}, {other.person}", {n: v[-1] for n, v in values.items()}))
        one, two = np.array(values["one"]), np.array(values["two"])
        for name, limit in (("refused", SEVERAL), ("asked_about", UNSURE)):
            score = Score(f"{kind}_{name}", float((one < limit).mean()), float((two < limit).mean()), "two people")
            found.append(score)
    if not found:
        raise InputError(f"{corpus} has too few people of whom {SECONDS:g} s are heard", "give a larger corpus")
    return Part("speakers", tuple(found), tuple(heard))


def _voices(studio: Studio, clips: Sequence[Clip], most: int) -> list[_Heard]:
    """Up to `most` recordings, cut to the first 8 s of voice; at most three of a person."""
    found: list[_Heard] = []
    length = int(SECONDS * studio.rate)
    for clip in clips:
        person = clip.same_voice or clip.speaker
        if len(found) == most or sum(voice.person == person for voice in found) == 3:
            continue
        samples = sounding(read(clip.path), studio.rate)
        if len(samples) >= length:
            found.append(_Heard(person, samples[:length]))
    return found


def _alike(studio: Studio, samples: Floats) -> float:
    value = alike(windows(studio.model, Audio(samples[None], studio.rate)))
    return 1.0 if value is None else value
