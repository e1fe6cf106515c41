"""How keys and chords are written: "C:maj", "A:min"; pitch classes are 0..11 with 0 = C."""

from __future__ import annotations

import re
from dataclasses import replace

from unisinger_cli.errors import InputError
from unisinger_cli.types import Score

NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
QUALITIES: dict[str, tuple[int, ...]] = {  # semitones above the root
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus4": (0, 5, 7),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "7": (0, 4, 7, 10),
}
_KEY = re.compile(r"([a-g])\s*(#|♯|b|♭|-?sharp\b|-?flat\b|)\s*[: -]?\s*(major|minor|maj|min|moll|dur|m|)", re.I)


def read_key(text: str) -> str:
    """ "A minor", "Bb", "f#m", "C:maj" -> "A:min" and so on. Raises InputError for anything else."""
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise InputError(f"key {text!r} is not known", "write a key like C, 'A minor', F#m or Bb:maj")
    letter, accidental, mode = match[1].upper(), match[2].strip(" -").lower(), match[3]
    root = "C D EF G A B".index(letter)
    root += 1 if accidental in ("#", "♯", "sharp") else -1 if accidental else 0
    minor = mode == "m" or mode.lower() in ("minor", "min", "moll")
    return f"{NAMES[root % 12]}:{'min' if minor else 'maj'}"


def tonic_and_mode(key: str) -> tuple[int, str]:
    """Pitch class of the tonic, and "maj" or "min", of a key as `read_key` takes it."""
    name, mode = read_key(key).split(":")
    return NAMES.index(name), mode


def moved(score: Score, semitones: int, stretch: float = 1.0) -> Score:
    """The score so many semitones higher, its key written as `read_key` writes it, and all of its times `stretch` times
    as late."""
    tonic, mode = tonic_and_mode(score.key)
    chords = tuple(
        replace(
            chord,
            start=chord.start * stretch,
            end=chord.end * stretch,
            root=(chord.root + semitones) % 12,
            bass=(chord.bass + semitones) % 12,
        )
        for chord in score.chords
    )
    key = f"{NAMES[(tonic + semitones) % 12]}:{mode}"
    return replace(score, bpm=score.bpm / stretch, key=key, chords=chords, downbeat=score.downbeat * stretch)


def fifths(key: str) -> int:
    """The key signature: sharps, or flats as a negative number, -5..6."""
    tonic, mode = tonic_and_mode(key)
    return (7 * (tonic + (3 if mode == "min" else 0)) + 5) % 12 - 5
