"""The paper's pipeline for songs found anywhere (arXiv 2606.07015, data): one recording -> samples to train on.

One function a step; each gives what the next one needs, or a `Drop` with the reason. One thing differs from the paper:
the voice is looked for after separation. On 14 songs of the factory silero-vad found a voice in 80 % of the time when
it heard the vocal alone, in 57 % when it heard the mix, and in next to nothing of four of the mixes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.audio import mono as mixed_down
from unisinger_cli.audio import read, resample, whole
from unisinger_cli.audio.snr import snr
from unisinger_cli.corpus.captions import FIELDS, Caption, caption
from unisinger_cli.corpus.labels import of_words
from unisinger_cli.corpus.pack import NARROW, Row
from unisinger_cli.corpus.segments import Lengths, Span, segments
from unisinger_cli.corpus.splits import TRAIN
from unisinger_cli.stages.content import voice_gain
from unisinger_cli.stages.pitch import track
from unisinger_cli.stages.recognisers import hear
from unisinger_cli.stages.separate import Separator, separate
from unisinger_cli.stages.transcribe import UNSPACED, Transcriber
from unisinger_cli.stages.vote import Verdict
from unisinger_cli.types import Audio, Floats

MAX_SECONDS = 3600.0  # of a recording; an hour in memory takes 1.3 GB
_VOICED = 0.1  # share of a segment that must have a pitch, or nobody sings in it
_ALONE = -25.0  # dB against the voice, under which an accompaniment is what the separator left over
_HEADROOM = 4.0  # an accompaniment louder than that against its voice is not brought up with it


@dataclass(frozen=True)
class Settings:
    """All that the result for a recording depends on, beside the encoder."""

    name: str
    recognisers: tuple[str, ...] = ("whisper-small", "whisper-base")
    language: str | None = None
    separator: Path | None = None  # a folder of weights, None: those of `models pull htdemucs`
    solo: bool = False  # nothing has an accompaniment
    least_snr: float = 6.0  # dB
    least_rate: int = NARROW  # Hz
    least_agreement: float = 0.5
    lengths: Lengths = field(default_factory=Lengths)
    licence: str = "unknown"


class Encoder(Protocol):
    """What turns sound into what the flow learns from. Stems are mono at `rate`, of whole frames."""

    @property
    def rate(self) -> int: ...

    @property
    def hop(self) -> int: ...

    def encode(self, row: Row, vocal: Floats, accomp: Floats | None, hz: Floats) -> dict[str, NDArray[Any]]: ...


@dataclass(frozen=True)
class Tools:
    """What the steps are done with. `separator` is None where there is nothing to separate."""

    separator: Separator | None
    recognisers: Sequence[Transcriber]
    encoder: Encoder


@dataclass(frozen=True)
class Drop:
    """Why a recording or a segment is not learned from; `reason` is what is counted."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Recording:
    """A recording that is good enough, in its parts: mono at the encoder's rate, all of one length."""

    mix: Audio
    vocal: Audio
    accomp: Audio | None
    source_rate: int
    snr: float
    genre: str


@dataclass(frozen=True)
class Segment:
    """Who sings what in a part of a recording; `verdict` is None where no recogniser was asked."""

    span: Span
    vocal: Floats
    accomp: Floats | None
    hz: Floats
    language: str | None
    verdict: Verdict | None


@dataclass(frozen=True)
class Sample:
    """A row of the index, and its arrays."""

    row: Row
    arrays: dict[str, NDArray[Any]]


# ---------------------------------------------------------------- one function a step
def listen(path: Path, settings: Settings, rate: int) -> tuple[Audio, int, float] | Drop:
    """The recording at `rate` Hz, the rate of its file, and its SNR in dB. Raises InputError for a broken file."""
    audio = read(path, max_seconds=MAX_SECONDS)
    if audio.rate < settings.least_rate:
        return Drop("low sampling rate", f"{audio.rate} Hz, and {settings.least_rate} Hz are asked for")
    if audio.seconds < settings.lengths.shortest:
        return Drop("too short", f"{audio.seconds:.1f} s")
    noise = snr(audio)
    if noise < settings.least_snr:
        return Drop("too noisy", f"SNR {noise:.1f} dB, and {settings.least_snr:g} dB are asked for")
    return resample(audio, rate), audio.rate, noise


def take_apart(audio: Audio, tools: Tools) -> tuple[Audio, Audio | None]:
    """(vocal, accompaniment), mono both; the latter None for a voice alone, which then is left as it was.

    Everything is separated that may be a mix: `is_mix` overlooks one in seven, and those would be learned as voices.
    """
    mono = Audio(audio.mono()[None], audio.rate)
    if tools.separator is None:
        return mono, None
    vocal, accomp = (whole(mixed_down(stem)) for stem in separate(audio, tools.separator))
    level, remainder = float(np.square(vocal.samples).mean()), float(np.square(accomp.samples).mean())
    return (mono, None) if remainder < level * 10 ** (_ALONE / 10) else (vocal, accomp)


def find_voice(vocal: Audio, lengths: Lengths) -> tuple[list[Span], list[Span]]:
    """(Segments with a voice, those too short to keep), in seconds."""
    from unisinger_cli.backends import silero

    heard = resample(vocal, silero.RATE).samples[0]
    return segments(silero.spans(heard, lengths.longest - 2 * lengths.air), vocal.seconds, lengths)


def cut(recording: Recording, span: Span, hop: int) -> tuple[Floats, Floats | None]:
    """The stems of a segment, padded to whole latent frames, and both as loud as brings the voice to its level."""
    first, last = (round(edge * recording.vocal.rate) for edge in span)
    vocal = recording.vocal.samples[0, first:last]
    vocal = np.pad(vocal, (0, -len(vocal) % hop))
    gain = np.float32(voice_gain(vocal))
    if recording.accomp is None:
        return vocal * gain, None
    accomp = recording.accomp.samples[0, first:last] * gain
    accomp = accomp * np.float32(min(1.0, _HEADROOM / max(float(np.abs(accomp).max()), 1e-9)))
    return vocal * gain, np.pad(accomp, (0, len(vocal) - len(accomp)))


def understand(recording: Recording, span: Span, settings: Settings, tools: Tools) -> Segment | Drop:
    """Pitch and words of a segment, or why it is no use."""
    rate, hop = tools.encoder.rate, tools.encoder.hop
    vocal, accomp = cut(recording, span, hop)
    hz = track(Audio(vocal[None], rate), rate / hop).hz[: len(vocal) // hop]
    voiced = float((hz > 0).mean())
    if voiced < _VOICED:
        return Drop("no sung pitch", f"{100 * voiced:.0f} % voiced")
    if not tools.recognisers:
        return Segment(span, vocal, accomp, hz, settings.language, None)
    language, verdict = hear(Audio(vocal[None], rate), tools.recognisers, settings.language)
    if not verdict.words:
        return Drop("no words")
    if verdict.agreement < settings.least_agreement:
        return Drop("recognisers disagree", f"agreement {verdict.agreement:.2f}")
    return Segment(span, vocal, accomp, hz, language, verdict)


def row_of(segment: Segment, recording: Recording, said: Caption, key: str, source: str, settings: Settings) -> Row:
    """The index row of a segment: the keys of a pack's rows, and what only the wild pipeline knows."""
    seconds = segment.span[1] - segment.span[0]
    words = () if segment.verdict is None else segment.verdict.words
    glue = "" if segment.language in UNSPACED else " "
    phonemes = of_words(words, segment.language, seconds) if segment.language is not None else None
    return {
        "id": key,
        "kind": "sung" if segment.accomp is None else "song",
        "speaker": f"{settings.name}/{source}",
        "split": TRAIN,
        "set": settings.name,
        "language": segment.language,
        "licence": settings.licence,
        "seconds": round(seconds, 4),
        "source_rate": recording.source_rate,
        "vocal": f"{key}.npz",
        "accomp": None if segment.accomp is None else f"{key}.npz",
        "phonemes": None if phonemes is None else [list(label) for label in phonemes],
        "text": glue.join(word.text for word in words) if words else None,
        "score": None,
        "notes": None,
        "tags": ["singing", "fullband" if recording.source_rate >= NARROW else "narrowband", *said.tags],
        "caption": dict(zip(FIELDS, said.fields, strict=True)),
        "words": [[word.text, round(word.start, 4), round(word.end, 4)] for word in words],
        "agreement": None if segment.verdict is None else round(segment.verdict.agreement, 4),
        "snr": round(recording.snr, 2),
        "source": source,
        "start": round(segment.span[0], 4),
    }


# ---------------------------------------------------------------- all of them
def samples_of(
    path: Path, source: str, key: str, settings: Settings, tools: Tools
) -> tuple[list[Sample], list[Drop], float] | Drop:
    """All samples of a recording, its dropped segments, and its length in seconds; a Drop if all of it is no use.

    `source` names the recording in its rows, `key` begins the ids of its samples. Raises InputError for a broken file.
    """
    heard = listen(path, settings, tools.encoder.rate)
    if isinstance(heard, Drop):
        return heard
    mix, source_rate, noise = heard
    vocal, accomp = take_apart(mix, tools)
    recording = Recording(mix, vocal, accomp, source_rate, noise, genre_of(path))
    long, short = find_voice(vocal, settings.lengths)
    if not long and not short:
        return Drop("no voice")
    drops = [Drop("too short", f"{end - start:.1f} s") for start, end in short]
    kept: list[Segment] = []
    for span in long:
        found = understand(recording, span, settings, tools)
        if isinstance(found, Drop):
            drops.append(found)
        else:
            kept.append(found)
    if not kept:
        return [], drops, mix.seconds
    said = caption(mix, accomp, np.concatenate([segment.hz for segment in kept]), recording.genre)
    samples = []
    for i, segment in enumerate(kept):
        row = row_of(segment, recording, said, f"{key}-{i:04d}", source, settings)
        samples.append(Sample(row, tools.encoder.encode(row, segment.vocal, segment.accomp, segment.hz)))
    return samples, drops, mix.seconds


def genre_of(path: Path) -> str:
    """The genre that the file's metadata names, "" where none."""
    import soundfile

    with soundfile.SoundFile(str(path)) as file:
        return str(file.copy_metadata().get("genre", ""))
