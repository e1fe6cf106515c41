"""A speaker made from arithmetic, for the tests of the corpus: what it says, and when, is known exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.types import Audio, Floats

RATE = 16000
FRAME_RATE = 44100 / 1024
FORMANTS = {"a": 1000.0, "i": 2200.0}
Spans = list[list[Any]]


def _vowel(symbol: str, seconds: float, hz: float) -> Floats:
    """Harmonics of a slowly falling tone under one broad resonance."""
    n = round(seconds * RATE)
    pitch = hz * np.linspace(1.03, 0.97, n)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    tone = np.zeros(n)
    for k in range(1, int(7000 / hz)):
        near = np.exp(-(((k * hz - FORMANTS[symbol]) / 250) ** 2))
        tone += (0.15 / k + near) * np.sin(k * phase)
    fade = np.minimum(1, np.minimum(np.arange(n), np.arange(n)[::-1]) / (0.015 * RATE))
    return (0.12 * tone * fade).astype(np.float32)


def say(syllables: str, hz: float = 130.0, seed: int = 0) -> tuple[Audio, Spans]:
    """Audio of "sa si _ sa", and its spans [symbol, start, end]; "s" is noise of 0.12 s, a vowel has 0.22 s."""
    rng = np.random.default_rng(seed)
    pieces: list[Floats] = []
    spans: Spans = []
    for symbol in "_" + syllables.replace(" ", "") + "_":
        if symbol == "_":
            sound = rng.normal(0, 1e-5, round(0.2 * RATE)).astype(np.float32)
        elif symbol == "s":
            sound = np.diff(rng.normal(0, 0.03, round(0.12 * RATE) + 1)).astype(np.float32)
        else:
            sound = _vowel(symbol, 0.22, hz)
        start = sum(len(p) for p in pieces) / RATE
        pieces.append(sound)
        spans.append([symbol, start, start + len(sound) / RATE])
    return Audio(np.concatenate(pieces)[None], RATE), spans


def manifest_row(path: str, speaker: str, **more: Any) -> dict[str, Any]:
    row = {
        "path": path, "set": "kathleen_en", "speaker": speaker, "sex": "F", "kind": "speech", "language": "en",
        "text": "see", "words": None, "oto": None, "seconds": 1.0, "source_sample_rate": 48000, "licence": "CC0-1.0",
    }  # fmt: skip
    return row | more


def write_manifest(corpus: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (corpus / "manifest.jsonl").write_text(text, encoding="utf-8")
