"""A plan in the form that the ending of a file name asks for."""

from __future__ import annotations

from unisinger_cli.notation.midi_write import write_midi
from unisinger_cli.notation.musicxml_write import write_musicxml
from unisinger_cli.notation.plan_json import write_plan
from unisinger_cli.notation.timed_text import write_lrc, write_srt
from unisinger_cli.types import SongPlan

EXPORTS = {  # what `song --export` calls it -> how the name of its file ends
    "mid": ".mid", "lrc": ".lrc", "srt": ".srt", "musicxml": ".musicxml", "plan": ".plan.json",
}  # fmt: skip
KINDS = {".json": "plan", ".mid": "mid", ".midi": "mid", ".musicxml": "musicxml", ".lrc": "lrc", ".srt": "srt"}


def encoded(plan: SongPlan, kind: str, *, words: bool = False) -> bytes:
    """The bytes of a file of a kind of EXPORTS; `words` stamps each word in an LRC."""
    match kind:
        case "mid":
            return write_midi(plan)
        case "lrc":
            return write_lrc(plan, words=words).encode()
        case "srt":
            return write_srt(plan).encode()
        case "musicxml":
            return write_musicxml(plan).encode()
        case "plan":
            return write_plan(plan).encode()
    raise ValueError(f"{kind} is no form of a plan")
