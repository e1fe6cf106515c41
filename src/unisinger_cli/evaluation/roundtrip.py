"""The part "codec": sound -> latents -> sound, by class, beside what a log-mel of as many numbers gives, and beside a
baseline codec where there is one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unisinger_cli.audio import whole
from unisinger_cli.errors import InputError
from unisinger_cli.evaluation.bench import Bench, other
from unisinger_cli.evaluation.clips import SINGING, Clip, songs_of, sources, together
from unisinger_cli.evaluation.fidelity import level_errors, log_mel_l1, modulation, octaves
from unisinger_cli.evaluation.findings import Item, Part, Score, mean
from unisinger_cli.evaluation.spectra import griffin_lim
from unisinger_cli.pipeline.scores import pitch_agreement
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.stages.content import whole_frames
from unisinger_cli.stages.decode import decode
from unisinger_cli.types import Audio, Floats, Pitch

if TYPE_CHECKING:
    from unisinger_cli.model.unisinger import UniSinger

SECONDS = 6.0  # of each clip
NOISE = 0.3  # standard deviations of the latents that a flow may be wrong by
VOICES = ("speech", "singing")
CLASSES = (*VOICES, "accompaniment", "mix")
MEASURES = ("log_mel_l1", "pitch_error_cents", "voicing_error", "modulation_share")
FLOOR = "Griffin-Lim of that rate"
AT_MOST = {
    "speech_pitch_error_cents": 10.0,
    "speech_voicing_error": 0.04,
    "singing_pitch_error_cents": 4.0,
    "singing_voicing_error": 0.02,
}
SIMILAR = {"speech": 0.96, "singing": 0.965}
LEVEL_DB, MODULATED, NOISY, RTF = 0.5, 0.85, 1.2, 0.05  # the other bars
BETTER = 0.8  # times the log-mel L1 of the baseline
Values = Mapping[str, float | None]


@dataclass(frozen=True)
class _Coded:
    """A sound that went through the codec. `floor`: what Griffin-Lim makes of it, measured in the same way."""

    kind: str
    title: str
    values: Values
    floor: Values
    seconds: float  # that encoding and decoding took
    length: float  # seconds of sound
    rival: float | None = None  # log-mel L1 of the baseline
    voice: Floats | None = None
    original: Floats | None = None


def run(bench: Bench, clips: Sequence[Clip], count: int) -> Part:
    """Up to `count` sounds, a quarter of each class as far as the packs have it. A mix is what its song's vocal and
    accompaniment sum up to; voices are decoded with their F0, as `song` and `convert` do."""
    coded: list[_Coded] = []
    items: list[Item] = []
    for i, (kind, clip) in bench.each("codec", _chosen(clips, count, bench.sampler.seed)):
        title = f"{kind}: {clip.name}"
        try:
            real = _sound(kind, clip, bench.studio.rate)
        except InputError as error:
            bench.miss(title, error)
            continue
        one, made = _code(bench, i, kind, title, real)
        coded.append(one)
        sounds = {
            "decoded": bench.keep(f"codec-{i:02d}", made),
            "original": bench.keep(f"codec-{i:02d}.original", real),
        }
        values = {**one.values} | {f"griffin_lim_{name}": value for name, value in one.floor.items()}
        items.append(Item(title, values, sounds))
    scores = [score for kind in CLASSES for score in _scores(kind, [one for one in coded if one.kind == kind])]
    # all together: voices cost more than the rest, so that a median is of the one kind or of the other; the first one
    # waits for what the libraries set up
    timed = coded[1:] or coded
    pace = sum(one.seconds for one in timed) / sum(one.length for one in timed) if timed else None
    scores.append(Score("real_time_factor", pace, at_most=RTF))
    return Part("codec", tuple(scores), tuple(items), tuple(bench.failed))


def baseline_codec(studio: Studio, path: Path) -> UniSinger:
    """A model with the codec of a part file, or of a checkpoint, of the sizes of the studio's, with levels or without.
    Raises InputError where there is none in it."""
    from safetensors import SafetensorError, safe_open

    from unisinger_cli.model.unisinger import UniSinger
    from unisinger_cli.training.parts import load_parts

    config = studio.config
    try:
        with safe_open(path, "pt") as handle:
            names = set(handle.keys())
            channels = handle.get_slice("codec.latent_mean").get_shape()[0] if "codec.latent_mean" in names else 0
        if channels == config.codec.without_levels().channels:
            config = replace(config, codec=config.codec.without_levels())
        model = UniSinger.random(config)
        parts = load_parts(model, [path])
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"the baseline cannot be read: {error}") from error
    if "codec" not in parts:
        raise InputError(f"{path} holds no codec", "unisinger train codec --plain makes a baseline")
    return model.to(studio.device)


def _chosen(clips: Sequence[Clip], count: int, seed: int) -> list[tuple[str, Clip]]:
    """(class, clip); which voices they are does not depend on how many songs there are."""
    songs = songs_of(clips)
    songs = [songs[i] for i in np.random.default_rng(seed).permutation(len(songs))[: -(-count // 4)]]
    voices = sources(clips, max(1, count - 2 * len(songs)), np.random.default_rng(seed))
    found = [("singing" if clip.kind in SINGING else "speech", clip) for clip in voices]
    return found + [(kind, clip) for kind in ("accompaniment", "mix") for clip in songs]


def _sound(kind: str, clip: Clip, rate: int) -> Audio:
    """What is coded, mono and cut to SECONDS."""
    paths = {"accompaniment": (clip.accomp,), "mix": (clip.path, clip.accomp)}.get(kind, (clip.path,))
    return together([path for path in paths if path is not None], rate, SECONDS)


def _encoded(model: UniSinger, real: Audio) -> Floats:
    import torch

    samples = torch.from_numpy(whole_frames(model, real))[None].to(model.codec.latent_mean.device)
    with torch.inference_mode():
        latents: Floats = model.codec.encode(samples)[0].cpu().numpy()
    return latents


def _decoded(model: UniSinger, latents: Floats, hz: Floats | None, length: int) -> Audio:
    found = whole(decode(model, Audio(latents.T, 1), hz))
    return Audio(found.samples[:, :length], found.rate)


def _code(bench: Bench, i: int, kind: str, title: str, real: Audio) -> tuple[_Coded, Audio]:
    model, studio, length = bench.studio.model, bench.studio, real.samples.shape[1]
    written = studio.pitch(real) if kind in VOICES else None
    hz = None if written is None else written.hz
    began = time.monotonic()
    latents = _encoded(model, real)
    made = _decoded(model, latents, hz, length)
    seconds = time.monotonic() - began
    noise = np.random.default_rng((bench.sampler.seed, i)).standard_normal(latents.shape, dtype=np.float32)
    noisy = _decoded(model, latents + np.float32(NOISE) * noise, hz, length)
    rival = None
    if bench.rival is not None:  # it knows nothing of pitch
        plain = _decoded(bench.rival, _encoded(bench.rival, real), None, length)
        rival = log_mel_l1(plain.samples[0], real.samples[0], real.rate)
    codec = studio.config.codec
    floor = Audio(griffin_lim(real.samples[0], real.rate, codec.channels, codec.hop)[None], real.rate)
    values, below = (_measured(bench, sound, real, written) for sound in (made, floor))
    values["noisy_log_mel_l1"] = log_mel_l1(noisy.samples[0], real.samples[0], real.rate)
    voice, original = (bench.judge.embed(sound) if kind in VOICES else None for sound in (made, real))
    if voice is not None and original is not None:
        values["similarity_to_original"] = float(voice @ original)
    return _Coded(kind, title, values, below, seconds, real.seconds, rival, voice, original), made


def _measured(bench: Bench, sound: Audio, real: Audio, written: Pitch | None) -> dict[str, float | None]:
    a, b, rate = sound.samples[0], real.samples[0], real.rate
    share = modulation(b, rate)
    values: dict[str, float | None] = {
        "log_mel_l1": log_mel_l1(a, b, rate),
        "modulation_share": modulation(a, rate) / share if share > 0 else None,
    }
    for low, error in zip(octaves(rate), level_errors(a, b, rate), strict=True):
        values[f"level_from_{low:.0f}_hz_db"] = float(error) if np.isfinite(error) else None
    if written is not None:
        agreement = pitch_agreement(bench.studio.pitch(sound), written.hz)
        values |= {name: agreement[name] for name in ("pitch_error_cents", "voicing_error")}
    return values


def worst_and_mean(errors: Iterable[Values]) -> tuple[float | None, float | None]:
    """Of the mean distance of each octave's level from the original's, over sounds: the largest, and the mean."""
    every = list(errors)
    names = [name for name in (every[0] if every else {}) if name.startswith("level_from_")]
    bands = [mean(None if (error := one[name]) is None else abs(error) for one in every) for name in names]
    return max((band for band in bands if band is not None), default=None), mean(bands)


def _sides(coded: Sequence[_Coded]) -> tuple[list[Values], list[Values]]:
    return [one.values for one in coded], [one.floor for one in coded]


def _scores(kind: str, coded: Sequence[_Coded]) -> list[Score]:
    """The scores of one class; none where nothing of it was coded."""
    if not coded:
        return []
    found = []
    for name in MEASURES:
        if name in coded[0].values:
            value, floor = (mean(values[name] for values in side) for side in _sides(coded))
            least, most = MODULATED if name == "modulation_share" else None, AT_MOST.get(f"{kind}_{name}")
            found.append(Score(f"{kind}_{name}", value, floor, FLOOR, at_least=least, at_most=most))
    rival = mean(one.rival for one in coded)
    if rival is not None:
        value = mean(one.values["log_mel_l1"] for one in coded)
        found.append(Score(f"{kind}_log_mel_l1_beside_baseline", value, rival, "the baseline", at_most=BETTER * rival))
    made, floor_of = (worst_and_mean(side) for side in _sides(coded))
    found += [
        Score(f"{kind}_level_error_db", made[1], floor_of[1], FLOOR),
        Score(f"{kind}_level_error_of_worst_octave_db", made[0], floor_of[0], FLOOR, at_most=LEVEL_DB),
    ]
    exact, noisy = (mean(one.values[name] for one in coded) for name in ("log_mel_l1", "noisy_log_mel_l1"))
    ratio = noisy / exact if noisy is not None and exact else None
    found.append(Score(f"{kind}_noisy_latents_log_mel_ratio", ratio, 1.0, "exact latents", at_most=NOISY))
    if kind in VOICES:
        n = len(coded)
        same = mean(one.values["similarity_to_original"] for one in coded)
        pairs = ((coded[i].voice, coded[other(i, n)].original) for i in range(n) if n > 1)
        strangers = mean(float(a @ b) for a, b in pairs if a is not None and b is not None)
        found.append(Score(f"{kind}_similarity_to_original", same, strangers, "another clip", at_least=SIMILAR[kind]))
    return found
