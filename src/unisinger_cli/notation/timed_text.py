"""The lyrics of a plan with their times: LRC for players, SRT for videos."""

from __future__ import annotations

from unisinger_cli.notation.voice import plan_words
from unisinger_cli.types import SongPlan

_PAUSE = 2.0  # s of silence after a line, from which on an LRC player is told to clear it


def write_lrc(plan: SongPlan, *, words: bool = False) -> str:
    """[mm:ss.xx] before each line, and with `words` <mm:ss.xx> before each word. The last stamp ends the last line."""
    found = [f"[length:{_minutes(plan.seconds)}]"]
    named = plan_words(plan)
    for i, line in enumerate(plan.lines):
        text = line.text
        if words:
            text = " ".join(f"<{_minutes(line.syllables[at].start)}>{word}" for word, at, _ in named[i])
            text += f" <{_minutes(line.end)}>"
        found.append(f"[{_minutes(line.start)}]{text}")
        following = plan.lines[i + 1].start if i + 1 < len(plan.lines) else None
        if following is None or following - line.end > _PAUSE:
            found.append(f"[{_minutes(line.end)}]")
    return "\n".join(found) + "\n"


def write_srt(plan: SongPlan) -> str:
    """A subtitle a line, from its first syllable to its last."""
    return "\n".join(
        f"{number}\n{_hours(line.start)} --> {_hours(line.end)}\n{line.text}\n"
        for number, line in enumerate(plan.lines, 1)
    )


def _minutes(seconds: float) -> str:
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000:02d}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def _hours(seconds: float) -> str:
    thousandths = round(seconds * 1000)
    whole = thousandths // 1000
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{thousandths % 1000:03d}"
