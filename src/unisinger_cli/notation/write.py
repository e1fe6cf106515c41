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
ENDINGS = (".json", ".mid", ".musicxml", ".lrc", ".srt")


def encoded(plan: SongPlan, ending: str, *, words: bool = False) -> bytes:
    """The bytes of a file with one of ENDINGS; `words` stamps each word in an LRC."""
    match ending:
        case ".json":
            return write_plan(plan).encode()
        case ".mid":
            return write_midi(plan)
        case ".musicxml":
            return write_musicxml(plan).encode()
        case ".lrc":
            return write_lrc(plan, words=words).encode()
        case ".srt":
            return write_srt(plan).encode()
    raise ValueError(f"{ending} is no ending of a plan")
