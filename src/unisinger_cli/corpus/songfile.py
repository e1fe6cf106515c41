"""What is kept of a song: two Opus files at levels that go together, and a row that tells all that is known."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.corpus.captions import FIELDS
from unisinger_cli.corpus.opus import write_opus
from unisinger_cli.corpus.pack import Row
from unisinger_cli.corpus.singers import Singer
from unisinger_cli.corpus.song import ScoreSong
from unisinger_cli.types import Audio, Score

_VOCAL_DB = -20.0  # level of the vocal where it sings, dBFS
_UNDER = (1.0, 7.0)  # dB that the accompaniment lies below
_GENRES = frozenset("pop ballad folk rock electronic classical jazz acoustic".split())
_INSTRUMENTS = frozenset("piano guitar strings organ bass drums synth".split())
_MOODS = frozenset("calm bright dark energetic".split())


@dataclass(frozen=True)
class Further:
    """A voice that nobody has, made from a recorded one: all formants times `warp`, and `tilt` dB an octave around
    1 kHz."""

    warp: float = 1.0
    tilt: float = 0.0

    @property
    def label(self) -> str:
        """What the recorded speaker's name gets, nothing where nothing is changed."""
        return "" if self == Further() else f"~w{self.warp:.2f}e{self.tilt:+.0f}"


def save_sounds(stem: Path, vocal: Audio, accomp: Audio, rng: np.random.Generator) -> None:
    """Write `stem`.opus and `stem`.accomp.opus: mono, of equal length, which together do not clip."""
    sung = vocal.mono()
    singing = np.abs(sung) > 0.05 * np.abs(sung).max()
    sung = sung * np.float32(10 ** (_VOCAL_DB / 20) / np.sqrt(np.mean(sung[singing] ** 2)))
    band = accomp.mono()[: len(sung)]
    band = np.pad(band, (0, len(sung) - len(band)))
    level = 10 ** ((_VOCAL_DB - rng.uniform(*_UNDER)) / 20)
    band = band * np.float32(level / max(1e-5, float(np.sqrt(np.mean(band**2)))))
    loudest = max(float(np.abs(x).max()) for x in (sung, band, sung + band))
    scale = np.float32(min(1.0, 0.9 / loudest))
    for samples, suffix in ((sung, ".opus"), (band, ".accomp.opus")):
        sound = Audio((samples * scale)[None], vocal.rate)
        replace_file(stem.with_name(stem.name + suffix), partial(write_opus, audio=sound))


def replace_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Write beside and rename: what bears the name is whole."""
    temporary = path.with_name(f".{path.name}.part")
    write(temporary)
    os.replace(temporary, path)


def caption(score: Score, tags: Sequence[str]) -> dict[str, str]:
    """The paper's five fields, of what is known of a song."""
    key, mode = score.key.split(":")

    def named(words: frozenset[str]) -> str:
        return ", ".join(tag for tag in tags if tag in words)

    sex = next((f"{tag} voice" for tag in tags if tag in ("female", "male")), "voice")
    tempo = f"{score.bpm:.0f} bpm, in {key} {'minor' if mode == 'min' else 'major'}"
    return dict(zip(FIELDS, (named(_GENRES), named(_INSTRUMENTS), sex, tempo, named(_MOODS)), strict=True))


def row_of_song(
    name: str,
    song: ScoreSong,
    singer: Singer,
    clips: Sequence[Row],
    voice: Further,
    split: str,
    style: Sequence[str],
    soundfont: str,
) -> Row:
    """The row of a song that was sung from `clips`; phonemes are left to be filled in."""
    score, first = song.score, clips[0]
    sex = [tag for tag in first["tags"] if tag in ("female", "male")] if 0.93 <= voice.warp <= 1.07 else []
    tags = ["singing", *(tag for tag in first["tags"] if tag in ("fullband", "narrowband")), *sex, *style]
    return {
        "id": name,
        "kind": "factory",
        "speaker": singer.name + voice.label,
        "split": split,
        "set": song.set,
        "language": first["language"],
        "licence": first["licence"],
        "seconds": round(song.seconds, 4),
        "source_rate": first["source_rate"],
        "vocal": f"audio/{name}.opus",
        "accomp": f"audio/{name}.accomp.opus",
        "phonemes": None,
        "text": None,
        "score": {
            "bpm": score.bpm,
            "beats_per_bar": score.beats_per_bar,
            "key": score.key,
            "downbeat": score.downbeat,
            "chords": [[round(c.start, 4), round(c.end, 4), c.root, c.quality, c.bass] for c in score.chords],
        },
        "notes": [[round(n.start, 4), round(n.end, 4), n.midi] for n in song.notes],
        "tags": tags,
        "caption": caption(score, tags),
        "score_id": song.id,
        "clips": [clip["id"] for clip in clips],
        "soundfont": soundfont,
    }
