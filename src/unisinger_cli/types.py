"""The values that flow through the pipeline: frozen, and each carries its own rates and units.

Time is in seconds from the start of the song, pitch in MIDI note numbers (69 = A4 = 440 Hz, fractions
allowed) or Hz, and the *latent clock* counts codec frames: frame i covers samples [i*hop, (i+1)*hop), and
what belongs to it is read at its centre, (i + 0.5) * hop / rate seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.sound import Audio as Audio
from unisinger_cli.sound import Floats as Floats
from unisinger_cli.sound import Sound as Sound
from unisinger_cli.sound import Sum as Sum
from unisinger_cli.sound import View as View

Ints: TypeAlias = NDArray[np.int64]


# ---------------------------------------------------------------- words
@dataclass(frozen=True)
class Word:
    """A written word and its syllables, each a tuple of phoneme symbols of `model.config.PHONEMES`."""

    text: str
    syllables: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class LyricLine:
    """One sung line. `start`/`end` in seconds where the lyrics say so (LRC), else None."""

    text: str
    words: tuple[Word, ...]
    section: str = ""
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class Lyrics:
    """Words to sing, already pronounced. `language` is a code such as "en"."""

    lines: tuple[LyricLine, ...]
    language: str


# ---------------------------------------------------------------- the plan
@dataclass(frozen=True)
class Note:
    """A held pitch: `start`, `end` in seconds, `midi` in (fractional) MIDI note numbers."""

    start: float
    end: float
    midi: float


@dataclass(frozen=True)
class Syllable:
    """A syllable set to one or more notes (more than one: a melisma)."""

    text: str
    phonemes: tuple[str, ...]
    notes: tuple[Note, ...]

    @property
    def start(self) -> float:
        return self.notes[0].start

    @property
    def end(self) -> float:
        return self.notes[-1].end


@dataclass(frozen=True)
class PlanLine:
    """A line of the song with its syllables in time order."""

    text: str
    syllables: tuple[Syllable, ...]
    section: str = ""

    @property
    def start(self) -> float:
        return self.syllables[0].start

    @property
    def end(self) -> float:
        return self.syllables[-1].end


@dataclass(frozen=True)
class Chord:
    """A chord from `start` to `end`: `root` and `bass` are pitch classes 0..11 (0 = C), `quality` one of
    `notation.keys.QUALITIES` ("maj", "min", "dim", "aug", "sus4", "maj7", "min7", "7")."""

    start: float
    end: float
    root: int
    quality: str
    bass: int


@dataclass(frozen=True)
class Score:
    """What the accompaniment follows: metre and harmony. Beat 0, a downbeat, falls at `downbeat` seconds."""

    bpm: float
    beats_per_bar: int
    key: str  # "C:maj", "A:min"
    chords: tuple[Chord, ...]
    downbeat: float = 0.0


@dataclass(frozen=True)
class SongPlan:
    """A whole song before it sounds: who sings what, when, at which pitch, over which harmony."""

    seconds: float
    score: Score
    lines: tuple[PlanLine, ...]
    language: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tune:
    """A melody as a file has it, or as it was hummed: one voice, its words as they are written there, if at all.

    `syllables` has an entry for each note: its text, with a "-" at the end where the word goes on, or None where the
    syllable before goes on (or no words are known). `lines` are the notes with which a line begins, where that is said.
    `score.key` is "" and `score.chords` is () where nothing is known of them. `remarks` tell what was chosen.
    """

    notes: tuple[Note, ...]
    syllables: tuple[str | None, ...]
    score: Score
    seconds: float
    lines: tuple[int, ...] = ()
    remarks: tuple[str, ...] = ()


# ---------------------------------------------------------------- what the network is given
@dataclass(frozen=True)
class Pitch:
    """F0 on the latent clock: `hz` float32 [n], 0 where unvoiced."""

    hz: Floats
    frame_rate: float

    @property
    def voiced(self) -> NDArray[np.bool_]:
        return self.hz > 0

    def shifted(self, semitones: float) -> Pitch:
        return Pitch((self.hz * np.float32(2 ** (semitones / 12))).astype(np.float32), self.frame_rate)

    def median_midi(self) -> float | None:
        """Median pitch of the voiced frames, or None where nothing is voiced."""
        voiced = self.hz[self.voiced]
        return float(69 + 12 * np.log2(np.median(voiced) / 440)) if voiced.size else None


@dataclass(frozen=True)
class Content:
    """Phonetic content of a recording: codebook indices, int64 [n], on the latent clock."""

    tokens: Ints
    frame_rate: float


@dataclass(frozen=True)
class Moments:
    """Single frames of a voice: normalised latents, float32 [m, channels], and the content code of each, int64 [m]."""

    latents: Floats
    codes: Ints


@dataclass(frozen=True)
class Timbre:
    """A point of the one speaker space: float32 [d], unit length, and what the voice makes of each phoneme: float32
    [phonemes, channels] (see `model.sounds`), and frames of it (see `model.moments`); None where that is not known, and
    everybody's is taken."""

    vector: Floats
    sounds: Floats | None = None
    moments: Moments | None = None


@dataclass(frozen=True)
class Condition:
    """All that a song or a conversion is sampled from, on the latent clock (`frames` long).

    None means: this modality is masked, and the network sees its learnable null token.
    `groups` names the latent groups that the task brings forth, a prefix of ("vocal", "accomp").
    """

    task: int
    frames: int
    groups: tuple[str, ...]
    phonemes: Ints | None  # [n] phoneme ids
    content: Ints | None  # [n] codebook indices
    pitch: Floats | None  # [n] Hz, 0 unvoiced
    score: Floats | None  # [n, score_dim], see stages.clock.score_frames
    tags: Ints | None  # [k] tag ids
    timbre: Timbre | None
    singer: Timbre | None = None  # of the recording that is converted; not to be heard


@dataclass(frozen=True)
class Stems:
    """What is handed out, in stereo: mix = vocal + accomp, sample for sample."""

    vocal: Sound
    accomp: Sound | None

    @property
    def mix(self) -> Sound:
        return self.vocal if self.accomp is None else Sum(self.vocal, self.accomp)


@dataclass(frozen=True)
class Result:
    """What a verb brings home. `scores` are measured on the output, each a number or None where it does
    not apply; `notes` are one-line remarks for the user."""

    stems: Stems
    scores: dict[str, float | None]
    plan: SongPlan | None = None
    seconds_by_stage: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
