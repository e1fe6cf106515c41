"""Stretches with a voice -> segments of a length to learn from, cut in the pauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Span = tuple[float, float]


@dataclass(frozen=True)
class Lengths:
    """Seconds: how long a segment is, the pause that never lies within one, the air left on either side."""

    shortest: float = 3.0
    longest: float = 15.0
    pause: float = 1.5
    air: float = 0.15


def segments(spans: Sequence[Span], seconds: float, lengths: Lengths) -> tuple[list[Span], list[Span]]:
    """(Long enough, too short), each in order, of a recording of `seconds` with a voice in `spans`.

    Neighbouring stretches are joined while the whole is not longer than `longest`; one that alone is longer is cut into
    equal parts. Segments do not overlap.
    """
    joined: list[Span] = []
    room = lengths.longest - 2 * lengths.air
    for start, end in spans:
        if joined and start - joined[-1][1] < lengths.pause and end - joined[-1][0] <= room:
            joined[-1] = (joined[-1][0], end)
        else:
            parts = max(1, -int(-(end - start) // room))
            step = (end - start) / parts
            joined += [(start + i * step, start + (i + 1) * step) for i in range(parts)]
    edges = [0.0, *(value for span in joined for value in span), seconds]
    aired = []
    for i, (start, end) in enumerate(joined):
        before, after = start - edges[2 * i], edges[2 * i + 3] - end  # half of a pause belongs to either side
        left = min(lengths.air, before / 2 if i else before)
        right = min(lengths.air, after / 2 if i + 1 < len(joined) else after)
        aired.append((start - max(0.0, left), end + max(0.0, right)))
    long = [span for span in aired if span[1] - span[0] >= lengths.shortest]
    return long, [span for span in aired if span not in long]
