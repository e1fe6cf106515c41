"""Recording -> the same performance by another singer. A line for each stage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from unisinger_cli.audio import Tape, blocks, excerpt, load, long, master, mono, scaled, stereo
from unisinger_cli.pipeline.condition import from_recording
from unisinger_cli.pipeline.reference import reference
from unisinger_cli.pipeline.render import render
from unisinger_cli.pipeline.reporter import Reporter, Timed
from unisinger_cli.pipeline.scores import scores
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import ConvertRequest, SamplerConfig
from unisinger_cli.stages.harmony import score_from_pitch, tuning
from unisinger_cli.stages.pitch import is_spoken
from unisinger_cli.stages.separate import choose_separator, is_mix, separate
from unisinger_cli.stages.style import tags_of
from unisinger_cli.types import Condition, Floats, Result, Sound, Stems, Timbre

HEARD = 60.0  # seconds of a recording that tell who sings in it
MOST = 12.0  # dB by which the converted voice is moved towards the dynamics of the source


def towards(source: float | None, target: float | None, *, keyed: bool) -> float:
    """Semitones that bring a median pitch (MIDI) to another: whole octaves where there is a key to stay in."""
    if source is None or target is None:
        return 0.0
    return 12.0 * round((target - source) / 12) if keyed else round(target - source, 2)


def follow(vocal: Sound, source: Sound) -> Sound:
    """Give a vocal the slow dynamics (about 0.1 s) of the source, both mono, within MOST either way; silence stays."""
    from scipy.ndimage import gaussian_filter1d

    block = vocal.rate // 100
    n = vocal.length // block
    if n == 0:
        return vocal
    smooth = [10 * np.log10(gaussian_filter1d(_powers(sound, block, n), 5) + 1e-8) for sound in (vocal, source)]
    wanted = smooth[1] - smooth[0]
    wanted -= np.median(wanted[smooth[0] > smooth[0].max() - 30])
    gain = 10 ** (gaussian_filter1d(np.clip(wanted, -2 * MOST, MOST), 3) / 20)
    at = (np.arange(n) + 0.5) * block
    shaped, begin = Tape(1, vocal.rate), 0
    for samples in blocks(vocal):
        here = np.arange(begin, begin + samples.shape[1])
        shaped.append(np.asarray(samples * np.interp(here, at, gain), dtype=np.float32))
        begin += samples.shape[1]
    return shaped


def _powers(sound: Sound, block: int, count: int) -> Floats:
    """Mean squares of the first `count` blocks of a mono sound."""
    found = [
        np.square(part[0].reshape(-1, block), dtype=np.float64).mean(axis=1)
        for part in blocks(long(sound, count * block), 1000 * block)
    ]
    return np.asarray(np.concatenate(found))


@dataclass(frozen=True)
class ConvertRehearsal:
    """All that the takes of a conversion share: what was heard in the source, and what is sung."""

    studio: Studio
    condition: Condition
    samples: int
    vocal: Sound
    backing: Sound | None  # the accompaniment that is kept
    target: Timbre
    singer: Timbre
    shift: float  # semitones
    seconds_by_stage: dict[str, float]

    def take(self, sampler: SamplerConfig, reporter: Reporter) -> Result:
        """Sing it: take 0, and others with other noise."""
        clock, studio = Timed(reporter), self.studio
        shape = partial(follow, source=mono(self.vocal))
        stems = render(studio, self.condition, sampler, self.samples, clock, shape)
        clock.stage("mastering")
        stems = master(stems if self.backing is None else _with_backing(stems, self.vocal, self.backing))
        clock.stage("measuring")
        found = scores(studio, stems, self.condition.pitch, self.target, self.singer)
        found["transposed_semitones"] = self.shift
        return Result(stems, found, seconds_by_stage=self.seconds_by_stage | clock.done(), notes=studio.notes)


def rehearse_conversion(studio: Studio, request: ConvertRequest, reporter: Reporter) -> ConvertRehearsal:
    """A recording in the target's voice, up to the singing: task 1, or task 3 with a new accompaniment."""
    clock = Timed(reporter)
    clock.stage("reading")
    source = load(request.source, studio.rate)
    target = reference(studio, request.target)
    apart = request.separate if request.separate is not None else is_mix(source) or request.accomp == "keep"
    clock.stage("separating")
    vocal, backing = (
        separate(source, choose_separator(device=str(studio.device)), clock.step) if apart else (source, None)
    )
    clock.stage("listening")
    singer = studio.timbre([excerpt(vocal, HEARD)])
    content, pitch = studio.content(vocal), studio.pitch(vocal)
    shift = request.transpose
    if shift is None:
        keyed = request.accomp != "none" or not is_spoken(pitch)
        shift = towards(pitch.median_midi(), target.median_midi, keyed=keyed)
        if request.accomp == "new":  # what is played along is at concert pitch, and who sang alone may not be
            shift = round(shift - tuning(pitch), 2)
    wanted = pitch.shifted(shift)
    score = score_from_pitch(wanted) if request.accomp == "new" else None
    condition = from_recording(studio.config, content, wanted, target.timbre, score, tags_of(request.style), singer)
    kept = backing if request.accomp == "keep" else None
    return ConvertRehearsal(studio, condition, source.length, vocal, kept, target.timbre, singer, shift, clock.done())


def convert(studio: Studio, request: ConvertRequest, reporter: Reporter) -> Result:
    """Sing a recording again in the target's voice."""
    return rehearse_conversion(studio, request, reporter).take(request.sampler, reporter)


def _with_backing(stems: Stems, original: Sound, backing: Sound) -> Stems:
    """The converted vocal at the loudness the original had, over the original's own accompaniment."""
    power = [sum(float(np.square(b).sum()) for b in blocks(mono(sound))) for sound in (stems.vocal, original)]
    return Stems(scaled(stems.vocal, float(np.sqrt(power[1] / max(power[0], 1e-12)))), stereo(backing))
