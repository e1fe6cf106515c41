"""The part "accompany": a performance of one singer in the voice of another, with a new accompaniment (task 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unisinger_cli.audio import loudness, mono, whole
from unisinger_cli.errors import UnisingerError
from unisinger_cli.evaluation.bench import Bench
from unisinger_cli.evaluation.clips import MADE, SINGING, SOURCE_SECONDS, Clip, references
from unisinger_cli.evaluation.findings import Item, Part, Score, mean
from unisinger_cli.evaluation.metrics import chroma_agreement, sounding_share
from unisinger_cli.evaluation.spectra import chroma
from unisinger_cli.pipeline.convert import convert
from unisinger_cli.pipeline.reporter import Silent
from unisinger_cli.requests import ConvertRequest, one_voice
from unisinger_cli.types import Floats

_LONGEST = 20.0  # seconds of a source: songs of the factory are longer than recordings of singers


@dataclass(frozen=True)
class _Made:
    """The chromas of an output's two stems."""

    vocal: Floats
    accomp: Floats


def run(bench: Bench, clips: Sequence[Clip], count: int) -> Part:
    """Up to `count` performances, of test singers first, each with the next reference of somebody else.

    Harmony is the agreement of the chromas of vocal and accompaniment; its control pairs each vocal with the
    accompaniments of all other outputs.
    """
    rng = np.random.default_rng(bench.sampler.seed)
    sung = [clip for clip in clips if SOURCE_SECONDS[0] <= clip.seconds <= _LONGEST and clip.kind in (*SINGING, MADE)]
    sung = sorted((sung[i] for i in rng.permutation(len(sung))), key=lambda clip: clip.kind == MADE)
    voices = references(clips, rng)
    made: list[_Made] = []
    items: list[Item] = []
    for i, source in bench.each("accompanying", sung[:count]):
        reference = next((v for v in [*voices[i % len(voices) :], *voices] if v.speaker != source.speaker), None)
        if reference is None:
            bench.miss(source.name, UnisingerError("there is no other voice to sing it"))
            continue
        try:
            one, item = _accompany(bench, i, source, reference)
        except UnisingerError as error:
            bench.miss(source.name, error)
            continue
        made.append(one)
        items.append(item)
    return Part("accompany", _scores(made, items), tuple(items), tuple(bench.failed))


def _accompany(bench: Bench, i: int, source: Clip, reference: Clip) -> tuple[_Made, Item]:
    request = ConvertRequest(source.path, one_voice(reference.path), "new", separate=False, sampler=bench.seeded(i))
    result = convert(bench.studio, request, Silent())
    vocal, band = whole(mono(result.stems.vocal)), result.stems.accomp
    assert band is not None  # it was asked for
    accomp = whole(mono(band))
    one = _Made(*(chroma(stem.samples[0], stem.rate)[0] for stem in (vocal, accomp)))
    values = {
        "harmony": chroma_agreement(one.vocal, one.accomp),
        "accomp_sounding": sounding_share(accomp),
        "accomp_loudness_lufs": loudness(band),
        "vocal_loudness_lufs": loudness(vocal),
        "real_time_factor": sum(result.seconds_by_stage.values()) / vocal.seconds,
    }
    sounds = {
        "mix": bench.keep(f"accompany-{i:02d}", whole(result.stems.mix)),
        "accompaniment": bench.keep(f"accompany-{i:02d}.accomp", accomp),
    }
    return one, Item(f"{source.name} as {reference.speaker}", values, sounds)


def _scores(made: Sequence[_Made], items: Sequence[Item]) -> tuple[Score, ...]:
    own = [item.values["harmony"] for item in items]
    others = [mean(chroma_agreement(one.vocal, two.accomp) for two in made if two is not one) for one in made]
    pairs = [(a, b) for a, b in zip(own, others, strict=True) if a is not None and b is not None]
    above = float(np.mean([a > b for a, b in pairs])) if pairs else None

    def average(name: str) -> float | None:
        return mean(item.values[name] for item in items)

    return (
        Score("harmony", mean(own), mean(others), "the accompaniments of others"),
        Score("harmony_above_shuffled", above, 0.5, "chance", at_least=0.9),
        Score("accomp_sounding", average("accomp_sounding"), 0.0, "silence", at_least=0.5),
        Score("accomp_loudness_lufs", average("accomp_loudness_lufs"), average("vocal_loudness_lufs"), "the vocal"),
        Score("real_time_factor", average("real_time_factor")),
    )
