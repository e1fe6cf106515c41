"""The part "convert": a performance of one test speaker in the voice of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unisinger_cli.audio import read, resample, whole
from unisinger_cli.errors import UnisingerError
from unisinger_cli.evaluation.bench import Bench, other, stacked
from unisinger_cli.evaluation.clips import Clip, Pair, choose_pairs
from unisinger_cli.evaluation.findings import Item, Part, Score, mean, recognised, wrong_words
from unisinger_cli.evaluation.metrics import nearer_share, recognised_share
from unisinger_cli.pipeline.convert import convert
from unisinger_cli.pipeline.reporter import Silent
from unisinger_cli.pipeline.scores import pitch_agreement
from unisinger_cli.requests import ConvertRequest, one_voice
from unisinger_cli.types import Floats, Pitch

# The bars, for twenty voices that were never trained on.
CORRELATION, CENTS, UNVOICED = 0.97, 20.0, 0.08
NEARER, RECOGNISED, WORDS_LOST = 0.9, 0.7, 0.1  # shares; and phonemes wrong beyond those of the sources


@dataclass(frozen=True)
class _Made:
    """An output with what it is compared to. `wanted` is the source's F0 as it should be sung, Hz."""

    pair: Pair
    voice: Floats
    source: Floats
    reference: Floats
    pitch: Pitch
    wanted: Floats
    errors: float | None
    floor: float | None
    real_time_factor: float


def run(bench: Bench, clips: Sequence[Clip], count: int) -> Part:
    """Convert up to `count` pairs: the voice, judged by resemblyzer, and the pitch."""
    pairs = choose_pairs(clips, count, bench.sampler.seed)
    if len(pairs) < count:
        bench.reporter.note(f"the test speakers give {len(pairs)} pairs, not {count}")
    made: list[_Made] = []
    items: list[Item] = []
    for i, pair in bench.each("converting", pairs):
        title = f"{pair.source.name} as {pair.reference.speaker}"
        try:
            one, sounds = _convert(bench, i, pair)
        except UnisingerError as error:
            bench.miss(title, error)
            continue
        made.append(one)
        values = pitch_agreement(one.pitch, one.wanted) | {
            "similarity_to_reference": float(one.voice @ one.reference),
            "similarity_to_source": float(one.voice @ one.source),
            "phoneme_error_rate": one.errors,
            "phoneme_error_rate_of_source": one.floor,
            "real_time_factor": one.real_time_factor,
        }
        items.append(Item(title, values, sounds))
    return Part("convert", _scores(bench, made, items), tuple(items), tuple(bench.failed))


def _convert(bench: Bench, i: int, pair: Pair) -> tuple[_Made, dict[str, str]]:
    studio = bench.studio
    request = ConvertRequest(pair.source.path, one_voice(pair.reference.path), separate=False, sampler=bench.seeded(i))
    result = convert(studio, request, Silent())
    vocal = whole(result.stems.vocal)
    source = resample(read(pair.source.path), studio.rate)
    sounds = {
        "output": bench.keep(f"convert-{i:02d}", vocal),
        "source": bench.keep(f"convert-{i:02d}.source", source),
        "reference": bench.keep(f"convert-{i:02d}.reference", read(pair.reference.path)),
    }
    one = _Made(
        pair,
        bench.judge.embed(vocal),
        bench.voice_of(pair.source.path),
        bench.voice_of(pair.reference.path),
        studio.pitch(vocal),
        studio.pitch(source).shifted(result.scores["transposed_semitones"] or 0.0).hz,
        bench.errors(vocal, pair.source.said),
        bench.errors(source, pair.source.said),
        sum(result.seconds_by_stage.values()) / vocal.seconds,
    )
    return one, sounds


def _scores(bench: Bench, made: list[_Made], items: list[Item]) -> tuple[Score, ...]:
    """Controls: the source of another pair for pitch, the reference of another pair for voice."""
    n = len(made)

    def average(name: str, missing: float | None = None) -> float | None:
        return mean((item.values[name] for item in items), missing)

    def crossed(name: str, missing: float | None = None) -> float | None:
        found = (pitch_agreement(one.pitch, made[other(i, n)].wanted)[name] for i, one in enumerate(made) if n > 1)
        return mean(found, missing)

    voices, references = stacked([one.voice for one in made]), stacked([one.reference for one in made])
    to_reference = [float(one.voice @ one.reference) for one in made]
    to_source = [float(one.voice @ one.source) for one in made]
    to_other = [float(one.voice @ made[other(i, n)].reference) for i, one in enumerate(made) if n > 1]
    strangers = mean(float(one.reference @ one.source) for one in made)
    halves = mean(bench.halves(one.pair.reference.path) for one in made)
    return (
        # an output of which nothing is voiced where the source is follows nothing: it counts as 0
        Score(
            "pitch_correlation",
            average("pitch_correlation", 0.0),
            crossed("pitch_correlation", 0.0),
            "another source",
            at_least=CORRELATION,
        ),
        Score(
            "pitch_error_cents",
            average("pitch_error_cents"),
            crossed("pitch_error_cents"),
            "another source",
            at_most=CENTS,
        ),
        Score("voicing_error", average("voicing_error"), crossed("voicing_error"), "another source", at_most=UNVOICED),
        Score(
            "nearer_to_reference",
            nearer_share(to_reference, to_source),
            nearer_share(to_other, to_source) if to_other else None,
            "another reference",
            at_least=NEARER,
        ),
        recognised(recognised_share(voices, references), n, RECOGNISED),
        Score("similarity_to_reference", mean(to_reference), mean(to_other), "another reference"),
        Score("similarity_to_source", mean(to_source), strangers, "reference to source"),
        Score("two_halves_of_reference", halves, strangers, "reference to source"),
        wrong_words(
            average("phoneme_error_rate"),
            average("phoneme_error_rate_of_source"),
            "the sources themselves",
            WORDS_LOST,
        ),
        Score("real_time_factor", average("real_time_factor")),
    )
