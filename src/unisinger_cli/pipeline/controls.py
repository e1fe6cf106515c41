"""The scores of a receipt in words, each beside what it should be compared with.

Most controls were measured once, on the bundled checkpoint, and lie beside it in `controls.json` with the command that
measured them; they say nothing of other weights. One is measured on the spot: the sung pitch against the very notes of
the plan, but moved in time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unisinger_cli.audio import TARGET_LUFS
from unisinger_cli.pipeline.account import Account, SungWord
from unisinger_cli.pipeline.studio import bundled_checkpoint
from unisinger_cli.types import Floats, Pitch

SHIFTS = 8  # of the plan against the singing, evenly over its length


@dataclass(frozen=True)
class Told:
    """One score: its name for people, what it means, its value, and what to compare that with ("" if nothing)."""

    name: str
    meaning: str
    value: str
    compare: tuple[str, ...]


@dataclass(frozen=True)
class _Kind:
    name: str
    meaning: str
    form: str
    target: str = ""  # where there is a value to aim at instead of a control


_KINDS = {
    "pitch_correlation": _Kind("Follows the melody", "1 is every turn of it, 0 is none.", "{:.2f}"),
    "pitch_error_cents": _Kind(
        "Off the wanted pitch", "Half of the time less than this; 100 cents are a semitone.", "{:.0f} cents"
    ),
    "voicing_error": _Kind("Tone where none should be, or none where one should", "Share of the time.", "{:.1%}"),
    "similarity_to_reference": _Kind(
        "Sounds like the voice that was given",
        "By the model's own ear, which is a party to the case; 1 is the same.",
        "{:.2f}",
    ),
    "similarity_to_source": _Kind(
        "Still sounds like who sang it before", "Lower is better; by the model's own ear.", "{:.2f}"
    ),
    "transposed_semitones": _Kind(
        "Moved by",
        "Up, or down where it is negative.",
        "{:g} semitones",
        "as was asked, or by octaves to suit the voice",
    ),
    "loudness_lufs": _Kind(
        "Loudness", "As streaming services measure it.", "{:.1f} LUFS", f"{TARGET_LUFS:g} LUFS is aimed at"
    ),
    "true_peak_dbfs": _Kind("Highest peak", "Over 0 it would distort.", "{:.1f} dB", "under -1 dB is aimed at"),
    "real_time_factor": _Kind(
        "Time it took", "Seconds of work for a second of sound.", "{:.2f}", "1 is as long as it sounds"
    ),
    "peak_memory_mib": _Kind("Memory it took", "The most at any moment.", "{:.0f} MiB"),
}


def told(account: Account, pitch: Pitch | None) -> list[Told]:
    """All scores of a receipt; `pitch` is that of the vocal, to be measured against the plan where there is one."""
    measured = _measured(account)
    found = []
    for name, value in account.scores.items():
        kind = _KINDS.get(name, _Kind(name, "", "{:.3f}"))
        compare = [f"{_number(kind, control)}: {of}" for control, of, _ in measured.get(name, ())]
        compare += [kind.target] if kind.target else []
        shown = "not measurable here" if value is None else _number(kind, value)
        found.append(Told(kind.name, kind.meaning, shown, tuple(compare)))
    if pitch is not None and (errors := against_notes(pitch, account.words)) is not None:
        meaning = "Half of the time less than this, glides and vibrato included. Measured for this page."
        moved = f"{errors[1]:.0f} cents: the same notes, moved in time (measured for this page)"
        found.insert(2, Told("Off the written notes", meaning, f"{errors[0]:.0f} cents", (moved,)))
    return found


def against_notes(pitch: Pitch, words: Sequence[SungWord]) -> tuple[float, float] | None:
    """Median |cents| between a voice and the notes of the words, and the median of that over `SHIFTS` - 1 plans whose
    notes are moved around the song; None where too little is sung."""
    steps = np.zeros(len(pitch.hz), dtype=np.float32)
    for note in (note for word in words for note in word.notes):
        first, last = (max(0, round(at * pitch.frame_rate)) for at in (note.start, note.end))
        steps[first:last] = 440 * 2 ** ((note.midi - 69) / 12)
    errors = [_cents(pitch.hz, np.roll(steps, k * len(steps) // SHIFTS)) for k in range(SHIFTS)]
    moved = [error for error in errors[1:] if error is not None]
    return (errors[0], float(np.median(moved))) if errors[0] is not None and moved else None


def _cents(made: Floats, wanted: Floats) -> float | None:
    both = (made > 0) & (wanted > 0)
    return float(np.median(np.abs(1200 * np.log2(made[both] / wanted[both])))) if both.sum() >= 10 else None


def _number(kind: _Kind, value: float) -> str:
    return kind.form.format(value)


def sources(account: Account) -> str:
    """Where the controls come from, in a sentence."""
    data = _data()
    if not data:
        return "There are no measured controls beside the checkpoint of this installation."
    if data["checkpoint"] != account.checkpoint:
        return "The measured controls belong to the bundled checkpoint; this was sung by other weights."
    return "What to compare with was measured on the bundled checkpoint, on voices that it never heard: " + "; ".join(
        f"({name}) {source}" for name, source in data["sources"].items()
    )


def _measured(account: Account) -> Mapping[str, Sequence[tuple[float, str, str]]]:
    data = _data()
    found: Mapping[str, Sequence[tuple[float, str, str]]] = data.get(account.command, {})
    return found if data.get("checkpoint") == account.checkpoint else {}


def _data() -> dict[str, Any]:
    try:
        text = bundled_checkpoint().with_name("controls.json").read_text(encoding="utf-8")
    except OSError:
        return {}
    data: dict[str, Any] = json.loads(text)
    return data
