"""The part "song": lyrics sung in the voices of test speakers, with an accompaniment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.audio import loudness, mono, read, whole
from unisinger_cli.corpus.songfile import caption
from unisinger_cli.errors import UnisingerError
from unisinger_cli.evaluation.bench import Bench, other, stacked
from unisinger_cli.evaluation.clips import Clip, mixed, references, songs_of
from unisinger_cli.evaluation.findings import Item, Part, Score, mean, recognised, wrong_words
from unisinger_cli.evaluation.frechet import distance, embedding
from unisinger_cli.evaluation.metrics import (
    chord_agreement,
    copied,
    in_key,
    key_shares,
    likeness,
    note_pitch,
    recognised_share,
    sounding_share,
    tempo_fits,
)
from unisinger_cli.evaluation.spectra import chroma
from unisinger_cli.evaluation.words import planned
from unisinger_cli.pipeline.reporter import Silent
from unisinger_cli.pipeline.scores import pitch_agreement
from unisinger_cli.pipeline.song import song
from unisinger_cli.requests import SongRequest, one_voice
from unisinger_cli.types import Audio, Floats, Pitch, SongPlan

LYRICS = (  # written for this evaluation; nothing of it is in the training data
    "Lanterns over the water tonight\nTurn every wave into silver light",
    "I left my shoes by the garden wall\nAnd danced with the leaves in the early fall",
    "The train rolls slow through the northern snow\nAnd nobody asks where the children go",
    "Hold on to the rope and do not look down\nThe whole wide valley is one little town",
)

RECOGNISED, WORDS_LOST = 0.6, 0.15  # the bars, for twenty voices: shares; the second beyond that of real singing
REAL = 40  # songs of the packs, at most, that the mixes are compared to


@dataclass(frozen=True)
class _Made:
    """A song with what it is compared to."""

    reference: Path
    voice: Floats
    pitch: Pitch
    plan: SongPlan
    accomp: Audio
    chroma: Floats
    times: NDArray[np.float64]
    mix: Floats  # embedding of the mix: see `frechet`


def run(bench: Bench, clips: Sequence[Clip], count: int) -> Part:
    """Sing `count` songs, each with the next of LYRICS, reference and seed."""
    singers = references(clips, np.random.default_rng(bench.sampler.seed))
    made: list[_Made] = []
    items: list[Item] = []
    for i, reference in bench.each("singing", singers[:count]):
        title = f"lyrics {i % len(LYRICS) + 1} by {reference.speaker}"
        try:
            one, values, sounds = _sing(bench, i, reference)
        except UnisingerError as error:
            bench.miss(title, error)
            continue
        made.append(one)
        score, words = one.plan.score, LYRICS[i % len(LYRICS)]
        told = "; ".join(field for field in caption(score, ()).values() if field)
        items.append(Item(f"{title}, {score.key}, {score.bpm:.0f} bpm", values, sounds, words, told))
    scores = [*_scores(bench, made, items, _floor(bench, clips)), _frechet(bench, made, clips)]
    return Part("song", tuple(scores), tuple(items), tuple(bench.failed))


def _sing(bench: Bench, i: int, reference: Clip) -> tuple[_Made, dict[str, float | None], dict[str, str]]:
    studio = bench.studio
    request = SongRequest(LYRICS[i % len(LYRICS)], one_voice(reference.path), sampler=bench.seeded(i))
    result = song(studio, request, Silent())
    plan, band, vocal = result.plan, result.stems.accomp, whole(result.stems.vocal)
    assert plan is not None and band is not None  # what `song` returns always has both
    accomp = whole(mono(band))
    found, times = chroma(accomp.samples[0], accomp.rate)
    pitch = studio.pitch(vocal)
    mix = whole(result.stems.mix)
    one = _Made(reference.path, bench.judge.embed(vocal), pitch, plan, accomp, found, times, embedding(mix))
    shares = key_shares(found, plan.score.key)
    wanted = note_pitch(plan, len(pitch.hz), pitch.frame_rate)
    values = pitch_agreement(pitch, wanted) | {
        "similarity_to_reference": float(one.voice @ bench.voice_of(reference.path)),
        "chord_agreement": chord_agreement(found, times, plan.score.chords),
        "share_in_key": None if shares is None else shares[0],
        "share_in_other_keys": None if shares is None else shares[1],
        "in_key": _share(in_key(found, times, plan.score.chords)),
        "in_tempo": _share(tempo_fits(accomp, plan.score.bpm)),
        "accomp_loudness_lufs": loudness(band),
        "vocal_loudness_lufs": loudness(vocal),
        "accomp_sounding": sounding_share(accomp),
        "phoneme_error_rate": bench.errors(vocal, planned(plan)),
        "real_time_factor": sum(result.seconds_by_stage.values()) / plan.seconds,
        "seconds": plan.seconds,
    }
    sounds = {
        "mix": bench.keep(f"song-{i:02d}", mix),
        "vocal": bench.keep(f"song-{i:02d}.vocal", vocal),
        "accompaniment": bench.keep(f"song-{i:02d}.accomp", accomp),
        "reference": bench.keep(f"song-{i:02d}.reference", read(reference.path)),
    }
    return one, values, sounds


def _share(found: bool | None) -> float | None:
    return None if found is None else float(found)


def _floor(bench: Bench, clips: Sequence[Clip]) -> float | None:
    """Phoneme error rate of the real singing of test singers whose words are known."""
    sung = [clip for clip in clips if clip.kind == "song" and clip.said]
    return mean(bench.errors(read(clip.path), clip.said) for _, clip in bench.each("hearing singers", sung))


def _frechet(bench: Bench, made: list[_Made], clips: Sequence[Clip]) -> Score:
    """How far the mixes are, as a collection, from songs of the packs that nothing was learned from."""
    real = []
    for _, clip in bench.each("hearing songs", songs_of(clips)[:REAL]):
        real.append(embedding(mixed(clip, bench.studio.rate)))
    value = distance([one.mix for one in made], real)
    return Score("frechet_distance", value, distance(real[::2], real[1::2]), "two halves of the packs' songs")


def _scores(bench: Bench, made: list[_Made], items: list[Item], floor: float | None) -> tuple[Score, ...]:
    """Controls: the plan of another song, the reference of another, the other keys, and a true copy."""
    n = len(made)
    bench.reporter.stage("comparing")

    def average(name: str) -> float | None:
        return mean(item.values[name] for item in items)

    def crossed(name: str) -> float | None:
        return mean(
            pitch_agreement(one.pitch, note_pitch(made[other(i, n)].plan, len(one.pitch.hz), one.pitch.frame_rate))[
                name
            ]
            for i, one in enumerate(made)
            if n > 1
        )

    chords = mean(
        chord_agreement(one.chroma, one.times, two.plan.score.chords) for one in made for two in made if one is not two
    )
    tempos = mean(_share(tempo_fits(one.accomp, two.plan.score.bpm)) for one in made for two in made if one is not two)
    voices = stacked([one.voice for one in made])
    singers = stacked([bench.voice_of(one.reference) for one in made])
    strangers = mean(float(voices[i] @ singers[j]) for i in range(n) for j in range(n) if i != j)
    alike = [likeness(one.accomp, two.accomp) for one, two in combinations(made, 2)]
    copies = mean(likeness(one.accomp, copied(one.accomp, np.random.default_rng(i))) for i, one in enumerate(made))
    return (
        Score("pitch_correlation", average("pitch_correlation"), crossed("pitch_correlation"), "another plan"),
        Score("pitch_error_cents", average("pitch_error_cents"), crossed("pitch_error_cents"), "another plan"),
        Score("similarity_to_reference", average("similarity_to_reference"), strangers, "other references"),
        recognised(recognised_share(voices, singers), n, RECOGNISED),
        Score("chord_agreement", average("chord_agreement"), chords, "chords of the other songs"),
        Score("share_in_key", average("share_in_key"), average("share_in_other_keys"), "the eleven other keys"),
        Score("in_key", average("in_key"), 1 / 12, "chance", at_least=0.9),
        Score("in_tempo", average("in_tempo"), tempos, "tempos of the other songs", at_least=0.9),
        Score("accomp_loudness_lufs", average("accomp_loudness_lufs"), average("vocal_loudness_lufs"), "the vocal"),
        Score("accomp_sounding", average("accomp_sounding"), 0.0, "silence", at_least=0.5),
        Score(
            "accomp_most_alike",
            max((value for value in alike if value is not None), default=None),
            copies,
            "late, quiet, noisy copies",
            at_most=0.8 if n > 1 else None,
        ),
        wrong_words(average("phoneme_error_rate"), floor, "real singing", WORDS_LOST),
        Score("real_time_factor", average("real_time_factor")),
    )
