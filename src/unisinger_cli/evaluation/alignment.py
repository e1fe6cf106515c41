"""Whether the aligner finds what is known: the phonemes of sung syllables whose times the corpus gives."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.corpus.pack import read_index
from unisinger_cli.errors import InputError
from unisinger_cli.evaluation.findings import Item, Part, Score
from unisinger_cli.model.config import VOWELS

BOUNDARY_MS = 25.0  # the bar
Spans = Sequence[Sequence[Any]]  # [symbol, start, end], seconds


def check_alignment(voices: Path, alignments: Path) -> Part:
    """Compare the times that an aligner found without knowing them with those given in a pack of voices.

    Only onsets of vowels count: there a syllable's time is given, while the start of its consonant is a rule of thumb.
    Clips whose given labels are not all of what is sung (another number of phonemes) cannot be compared, and are
    counted in `failed` if nothing can. Raises InputError where the file is missing or has none of these clips.
    """
    if not alignments.is_file():
        raise InputError(f"{alignments} does not exist", "unisinger train aligner writes it")
    rows = (json.loads(line) for line in alignments.read_text(encoding="utf-8").splitlines())
    found: dict[str, Spans] = {row["id"]: row["spans"] for row in rows}
    given = [row for row in read_index(voices) if row["kind"] == "sung" and _timed(row) and row["id"] in found]
    if not given:
        raise InputError(
            f"{alignments} has no sung clip of {voices} whose times are given",
            "align a pack of `unisinger prepare voices --untimed`",
        )
    errors: list[float] = []
    even: list[float] = []
    items = []
    for row in given:
        pair = onsets(row["phonemes"]), onsets(found[row["id"]])
        if [symbol for symbol, _ in pair[0]] != [symbol for symbol, _ in pair[1]]:
            continue
        true, heard = (np.array([at for _, at in side]) for side in pair)
        counted = np.array([symbol in VOWELS for symbol, _ in pair[0]])
        spread = np.linspace(true[0], true[-1], len(true))
        errors += (ms := (1000 * np.abs(true - heard))[counted].tolist())
        even += (1000 * np.abs(true - spread))[counted].tolist()
        items.append(Item(row["id"], {"median_error_ms": float(np.median(ms))}))
    failed = () if items else (f"none of {len(given)} clips has as many phonemes given as found",)
    score = Score(
        "vowel_onset_error_ms",
        float(np.median(errors)) if errors else None,
        float(np.median(even)) if even else None,
        "evenly spread",
        at_most=BOUNDARY_MS,
    )
    return Part("alignment", (score,), tuple(items), failed)


def _timed(row: dict[str, Any]) -> bool:
    """Whether the corpus says when each phoneme of this clip sounds."""
    return bool(row["phonemes"]) and all(start is not None for _, start, _ in row["phonemes"])


def onsets(spans: Spans) -> list[tuple[str, float]]:
    """(symbol, start) of each phoneme; pauses are left out, and of equal neighbours all but the first."""
    sounding = [(str(symbol), float(start)) for symbol, start, _ in spans if symbol not in ("_", "^")]
    return [each for i, each in enumerate(sounding) if i == 0 or each[0] != sounding[i - 1][0]]
