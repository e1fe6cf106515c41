"""Some lines of a song once more: what lies outside of them stays as it is, to the last bit."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.audio import Spliced, laid_over, mono, quantised
from unisinger_cli.pipeline.condition import from_plan
from unisinger_cli.pipeline.deliver import deliver
from unisinger_cli.pipeline.existing import Existing, Retake, blended, take_curve
from unisinger_cli.pipeline.lines import LineScore, Passage, line_scores, passages
from unisinger_cli.pipeline.receipt import receipt, tags
from unisinger_cli.pipeline.reference import reference
from unisinger_cli.pipeline.render import ACCOMP_GAIN
from unisinger_cli.pipeline.reporter import Reporter, Timed
from unisinger_cli.pipeline.scores import scores
from unisinger_cli.pipeline.song import performance
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import SamplerConfig
from unisinger_cli.stages.content import gain_of
from unisinger_cli.stages.decode import decode
from unisinger_cli.stages.encode import encode
from unisinger_cli.stages.sample import Known, sample
from unisinger_cli.types import Audio, Condition, Floats, Result, Sound, Stems, Timbre

CONTEXT = 2.5  # s of what is there already, on either side, that a passage grows out of; more where the window has room
MOST_APART = 2.0  # a factor; how far the level of a passage may be from the song's, to meet that of the old one


def retake(
    studio: Studio,
    song: Existing,
    lines: Collection[int],
    sampler: SamplerConfig,
    files: Mapping[str, Path],
    reporter: Reporter,
    words: str = "",
) -> dict[str, Any]:
    """Sing lines (numbers from 1) of a song again, with the noise and the pitch curve of the sampler's take, and write
    it, all files or none; returns its receipt. `words` says that the plan has these in the line now."""
    began, clock = time.monotonic(), Timed(reporter)
    clock.stage("reference")
    timbre = reference(studio, song.request.ref).timbre if song.request.ref else None
    clock.stage("reading")
    vocal = song.sound("vocal", studio.rate)
    accomp = song.sound("accomp", studio.rate) if "accomp" in song.stems else None
    where = passages(song.plan, [line - 1 for line in lines])
    condition = _condition(studio, song, where, sampler, timbre)
    level = 1 / gain_of(mono(vocal))  # what its mastering made of the model's loudness, about
    for passage in where:
        old = Stems(vocal, accomp)
        vocal = _spliced(studio, old, passage, condition, sampler, level, song.receipt.bits, clock)
    clock.stage("measuring")
    stems = Stems(vocal, accomp)
    found = scores(studio, stems, condition.pitch, timbre, None)
    done = Result(stems, found, song.plan, clock.done(), (*studio.notes, *_remarks(song, files)))
    reporter.stage("writing")
    made = Retake(tuple(sorted(set(lines))), sampler.take, str(song.path), song.sha256, words)
    written = {name: path for name, path in files.items() if name != "accomp" or accomp is not None}
    seconds = time.monotonic() - began
    record = receipt(studio, song.request, done, written, song.receipt.inputs, seconds, song.receipt.bits)
    record["retakes"] = [one.told() for one in (*song.retakes, made)]
    return deliver(written, stems, record, bits=song.receipt.bits, tags=tags(record), on_grid=True)


def measured(studio: Studio, song: Existing) -> list[LineScore]:
    """How well each line of a song was sung."""
    timbre = reference(studio, song.request.ref).timbre if song.request.ref else None
    vocal = song.sound("vocal", studio.rate)
    frames = int(np.ceil(song.plan.seconds * studio.frame_rate))
    return line_scores(studio, song.plan, vocal, song.curve(frames, studio.frame_rate), timbre)


def _remarks(song: Existing, files: Mapping[str, Path]) -> tuple[str, ...]:
    if {song.receipt.suffix, files["mix"].suffix.lower()} <= {".wav", ".flac"}:
        return ()
    return (
        f"{files['mix'].suffix} keeps no samples: all of it was encoded once more, and changed a little everywhere",
    )


def _condition(
    studio: Studio, song: Existing, where: list[Passage], sampler: SamplerConfig, timbre: Timbre | None
) -> Condition:
    """What the whole song is sung from, with the new pitch curve in the passages."""
    condition = from_plan(studio.config, song.plan, timbre, performance(song.request.sampler))
    rate, frames = studio.frame_rate, condition.frames
    new = take_curve(song.plan, sampler, frames, rate)
    return replace(condition, pitch=blended(song.curve(frames, rate), new, where, rate))


def _stretch(passage: Passage, frames: int, window: int, frame_rate: float) -> tuple[int, int]:
    """First and last frame of what is sampled: the passage with context, a whole window where that is enough."""
    first = int(passage.before.start * frame_rate)
    last = min(frames, int(np.ceil(passage.after.stop * frame_rate)))
    context = max(int(CONTEXT * frame_rate), (window - (last - first)) // 2)
    start = max(0, min(first - context, frames - window))
    start -= start % 2  # a token is two frames
    return start, min(frames, max(last + context, start + window))


def _spliced(
    studio: Studio,
    old: Stems,
    passage: Passage,
    condition: Condition,
    sampler: SamplerConfig,
    level: float,
    bits: str,
    clock: Timed,
) -> Sound:
    """The old vocal with the passage sung anew."""
    rate, hop, config = studio.rate, studio.config.codec.hop, studio.config
    start, stop = _stretch(passage, condition.frames, config.flow.window, studio.frame_rate)
    clock.stage("reading")
    known = _known(studio, old, passage, start, stop, level)
    here = _cropped(condition, start, stop)
    clock.stage("sampling")
    latents = sample(studio.model, here, sampler, clock.step, known)
    clock.stage("decoding")
    sung = decode(studio.model, latents["vocal"], here.pitch, clock.step)

    clock.stage("splicing")
    length = old.vocal.length
    begin, inner, outer, end = (
        min(length, round(at * rate))
        for at in (passage.before.start, passage.before.stop, passage.after.start, passage.after.stop)
    )
    before = old.vocal.read(begin, end)
    new = sung.read(begin - start * hop, end - start * hop)
    new = np.repeat(new * np.float32(_gain(before, new, level)), old.vocal.channels, axis=0)
    rest = np.zeros_like(before) if old.accomp is None else old.accomp.read(begin, end)
    new = laid_over(before, new, rest, (inner - begin, end - outer), rate)
    exact = quantised(Audio(new, rate), bits, seed=sampler.take).read(0, end - begin)
    return Spliced(old.vocal, begin, exact)


def _gain(before: Floats, new: Floats, level: float) -> float:
    """What brings a passage [1, n] to the loudness of the one before [channels, n], or near that of the song."""
    old = 1 / gain_of(Audio(before.mean(axis=0, keepdims=True), 1)) if np.any(before) else level
    wanted = float(np.clip(old, level / MOST_APART, level * MOST_APART))
    return wanted * gain_of(Audio(new, 1))


def _known(studio: Studio, old: Stems, passage: Passage, start: int, stop: int, level: float) -> Known:
    """The latents of what stays: the vocal around the passage, and all of the accompaniment."""
    rate, groups = studio.frame_rate, studio.config.flow.groups
    latents = np.zeros((len(groups), stop - start, studio.config.codec.channels), dtype=np.float32)
    kept = np.zeros((len(groups), stop - start), dtype=bool)
    latents[0] = encode(studio.model, mono(old.vocal), start, stop, 1 / level)
    times = (np.arange(start, stop) + 0.5) / rate
    kept[0] = (times < passage.before.start) | (times > passage.after.stop)
    if old.accomp is not None:
        latents[1] = encode(studio.model, mono(old.accomp), start, stop, 1 / (level * ACCOMP_GAIN))
        kept[1] = True
    return Known(latents, kept)


def _cropped(condition: Condition, start: int, stop: int) -> Condition:
    """The frames start..stop of a song's condition."""
    c = condition
    return replace(
        c,
        frames=stop - start,
        phonemes=None if c.phonemes is None else c.phonemes[start:stop],
        pitch=None if c.pitch is None else c.pitch[start:stop],
        score=None if c.score is None else c.score[start:stop],
    )
