"""A pack to train on and to measure on, of sounds made from arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from conftest import RATE, store, sung
from unisinger_cli.corpus.pack import write_pack

HOP = 1024
SCORE = {"bpm": 90.0, "beats_per_bar": 4, "key": "C:maj", "downbeat": 0.0, "chords": [[0.0, 4.0, 0, "maj", 0]]}


def training_pack(folder: Path) -> Path:
    """Clips of two train speakers (one with an accompaniment), and one each of two test speakers."""
    (folder / "audio").mkdir()
    rows: list[dict[str, Any]] = []
    pitches = {}
    for name, speaker, split in (
        ("a1", "a", "train"),
        ("a2", "a", "train"),
        ("b1", "b", "train"),
        ("t1", "t", "test"),
        ("u1", "u", "test"),
    ):
        hz = 150.0 + 60 * len(rows)
        voice = sung(4.0, hz=hz)
        store(folder / "audio" / f"{name}.wav", voice.samples)
        band = None
        if name == "b1":
            band = f"audio/{name}.accomp.wav"
            store(folder / band, sung(4.0, hz=330.0).samples)
        rows.append(
            {
                "id": name,
                "kind": "factory" if band else "speech",
                "speaker": speaker,
                "split": split,
                "set": "made",
                "language": "en",
                "licence": "CC0",
                "seconds": 4.0,
                "source_rate": RATE,
                "vocal": f"audio/{name}.wav",
                "accomp": band,
                "phonemes": [["_", 0.0, 0.5], ["a", 0.5, 2.0], ["s", 2.0, 2.2], ["o", 2.2, 4.0]],
                "score": SCORE if band else None,
                "notes": None,
                "text": "",
                "tags": ["singing", "fullband"],
            }
        )
        pitches[name] = np.full(int(4.0 * RATE / HOP), hz, dtype=np.float32)
    write_pack(folder, rows, pitches)
    return folder
