"""The part "codec": sound -> latents -> sound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unisinger_cli.audio import read, resample, whole
from unisinger_cli.errors import InputError
from unisinger_cli.evaluation.bench import Bench, other
from unisinger_cli.evaluation.clips import Clip, sources
from unisinger_cli.evaluation.findings import Item, Part, Score, mean
from unisinger_cli.evaluation.metrics import log_mel_error
from unisinger_cli.evaluation.spectra import griffin_lim
from unisinger_cli.pipeline.scores import pitch_agreement
from unisinger_cli.stages.content import whole_frames
from unisinger_cli.stages.decode import decode
from unisinger_cli.types import Audio, Floats

SECONDS = 6.0  # of each clip


def roundtrip(bench: Bench, audio: Audio, hz: Floats | None) -> Audio:
    """A mono sound through the codec, padded to whole latent frames; a voice with its pitch."""
    import torch

    model = bench.studio.model
    samples = torch.from_numpy(whole_frames(model, audio))[None].to(model.codec.latent_mean.device)
    with torch.inference_mode():
        latents = model.codec.encode(samples)[0].cpu().numpy()
    return whole(decode(model, Audio(latents.T, 1), hz))


def run(bench: Bench, clips: Sequence[Clip], count: int) -> Part:
    """Up to `count` clips, of which up to a third are accompaniments where the packs have some."""
    rng = np.random.default_rng(bench.sampler.seed)
    bands = [clip for clip in clips if clip.accomp is not None]
    bands = [bands[i] for i in rng.permutation(len(bands))[: count // 3]]
    chosen = [(clip.name, clip.path, "voice") for clip in sources(clips, count - len(bands), rng)]
    chosen += [(f"{clip.name} (accompaniment)", clip.accomp, "accomp") for clip in bands if clip.accomp is not None]

    codec = bench.studio.config.codec
    items: list[Item] = []
    voices, pitches = [], []
    for i, (title, path, kind) in bench.each("codec", chosen):
        try:
            whole = resample(read(path), bench.studio.rate)
        except InputError as error:
            bench.miss(title, error)
            continue
        real = Audio(whole.mono()[None, : int(SECONDS * whole.rate)], whole.rate)
        written = bench.studio.pitch(real) if kind == "voice" else None
        made = roundtrip(bench, real, written.hz if written is not None else None)
        made = Audio(made.samples[:, : real.samples.shape[1]], made.rate)
        floor = griffin_lim(real.samples[0], real.rate, codec.channels, codec.hop)
        values: dict[str, float | None] = {
            f"{kind}_log_mel_error_db": log_mel_error(made.samples[0], real.samples[0], real.rate),
            f"{kind}_griffin_lim_error_db": log_mel_error(floor, real.samples[0], real.rate),
        }
        if written is not None:
            found = bench.studio.pitch(made)
            values |= pitch_agreement(found, written.hz)
            pitches.append((found, written))
            voices.append((bench.judge.embed(made), bench.judge.embed(real)))
            values["similarity_to_original"] = float(voices[-1][0] @ voices[-1][1])
        sounds = {
            "decoded": bench.keep(f"codec-{i:02d}", made),
            "original": bench.keep(f"codec-{i:02d}.original", real),
        }
        items.append(Item(title, values, sounds))

    def average(name: str) -> float | None:
        return mean(item.values.get(name) for item in items)

    def crossed(name: str) -> float | None:
        n = len(pitches)
        return mean(pitch_agreement(pitches[i][0], pitches[other(i, n)][1].hz)[name] for i in range(n) if n > 1)

    n = len(voices)
    strangers = mean(float(voices[i][0] @ voices[other(i, n)][1]) for i in range(n) if n > 1)
    scores = (
        *(
            Score(name, average(name), average(name.replace("log_mel", "griffin_lim")), "Griffin-Lim of that rate")
            for name in ("voice_log_mel_error_db", "accomp_log_mel_error_db")
            if average(name) is not None
        ),
        Score("pitch_correlation", average("pitch_correlation"), crossed("pitch_correlation"), "another clip"),
        Score("pitch_error_cents", average("pitch_error_cents"), crossed("pitch_error_cents"), "another clip"),
        Score("similarity_to_original", average("similarity_to_original"), strangers, "another clip"),
    )
    return Part("codec", scores, tuple(items), tuple(bench.failed))
