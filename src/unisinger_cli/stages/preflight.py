"""What can be told of a plan before anything is sung: too fast, too high for the voice, too long."""

from __future__ import annotations

import numpy as np

from unisinger_cli.errors import InputError
from unisinger_cli.types import PlanLine, SongPlan

MOST_SECONDS = 600.0
FAST, FASTEST = 7.0, 12.0  # syllables a second: hard to understand, and beyond what anybody can say
_FEW = 3  # syllables; fewer make no rate
FAR = 8.0  # semitones between the middle of a melody and what is comfortable
REACHED = 14.0  # semitones from there that a single note may lie before it is remarked on
LOWEST, HIGHEST = 31.0, 88.0  # MIDI: G1..E6, where voices end


def preflight(plan: SongPlan, comfortable: float | None) -> tuple[str, ...]:
    """Remarks on a plan for the user, none where all is well.

    `comfortable` is the MIDI note about which the voice likes to sing, None where nothing is known of it. Raises
    InputError for what cannot be sung: faster than FASTEST, out of LOWEST..HIGHEST, longer than MOST_SECONDS.
    """
    if plan.seconds > MOST_SECONDS:
        raise InputError(f"the song lasts {plan.seconds:.0f} s, and may last {MOST_SECONDS:g} s", "sing a part of it")
    remarks = []
    fastest = max(plan.lines, key=_rate)
    told = f"{fastest.text[:40]!r} has {_rate(fastest):.1f} syllables a second"
    if _rate(fastest) > FASTEST:
        raise InputError(f"{told}, and at most {FASTEST:g} can be sung", "give the line more time, or fewer words")
    if _rate(fastest) > FAST:
        remarks.append(f"{told}; above {FAST:g} words are hard to understand")
    notes = [note for line in plan.lines for syllable in line.syllables for note in syllable.notes]
    midi = np.array([note.midi for note in notes])
    if midi.min() < LOWEST or midi.max() > HIGHEST:
        worst = float(midi.min() if midi.min() < LOWEST else midi.max())
        raise InputError(
            f"the melody has a note at MIDI {worst:g}, and voices sing from {LOWEST:g} to {HIGHEST:g}",
            "move it by octaves",
        )
    if comfortable is not None:
        middle = float(np.average(midi, weights=[note.end - note.start for note in notes]))
        if abs(middle - comfortable) > FAR:
            where, other = ("above", "lower") if middle > comfortable else ("below", "higher")
            remarks.append(
                f"the melody lies {abs(middle - comfortable):.0f} semitones {where} where this voice is at ease; "
                f"move it {other} by octaves, or make the plan with --ref"
            )
        elif (farthest := float(np.abs(midi - comfortable).max())) > REACHED:
            remarks.append(
                f"the melody goes {farthest:.0f} semitones away from where this voice is at ease; it may strain there"
            )
    return tuple(remarks)


def _rate(line: PlanLine) -> float:
    """Syllables a second; 0 for a line of a few, which make no rate."""
    return len(line.syllables) / (line.end - line.start) if len(line.syllables) >= _FEW else 0.0
