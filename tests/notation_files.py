"""Plans to write, and readers to throw anything at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unisinger_cli.errors import InputError, UsageError
from unisinger_cli.model.config import PHONEMES, TAGS
from unisinger_cli.notation.midi_read import read_midi
from unisinger_cli.notation.musicxml_tune import read_musicxml_tune
from unisinger_cli.notation.plan_json import read_plan
from unisinger_cli.notation.write import encoded
from unisinger_cli.pipeline.studio import bundled_composer
from unisinger_cli.stages.arrange import arranged, plan_of
from unisinger_cli.stages.compose import compose
from unisinger_cli.stages.lyrics import read_lyrics
from unisinger_cli.stages.preflight import preflight
from unisinger_cli.stages.setting import set_lyrics, set_written
from unisinger_cli.types import Note, SongPlan, Tune

WORDS = (
    "[verse]\nThe morning comes across the sea\nA silver line, a waking tree\n[chorus]\nOh, carry me over the water\n"
)


def song(text: str = WORDS, seed: int = 0, bpm: float | None = None, key: str | None = None) -> SongPlan:
    """A composed plan."""
    rng = np.random.default_rng(seed)
    return compose(
        bundled_composer(), read_lyrics(text, "en"), rng=rng, bpm=bpm, key=key, tags=("piano",), centre_midi=None
    )


def notes_of(plan: SongPlan) -> list[Note]:
    return [note for line in plan.lines for syllable in line.syllables for note in syllable.notes]


def plan_from(data: bytes, file: str = "given.json") -> SongPlan:
    return read_plan(data, file, phonemes=PHONEMES, tags=TAGS)


def sung(tune: Tune) -> SongPlan:
    """The whole way of a melody to a plan that could be sung, by its own words, or else by others."""
    tune = arranged(tune, bpm=None, key=None, centre_midi=None)
    words = any(tune.syllables)
    lines = set_written(tune, "en", "given") if words else set_lyrics(tune, read_lyrics("la " * len(tune.notes), "en"))
    plan = plan_of(tune, lines, "en", ())
    preflight(plan, 60.0)
    return plan


READERS: dict[str, Callable[[bytes], SongPlan]] = {
    "plan": plan_from,
    "mid": lambda data: sung(read_midi(data, "given.mid")),
    "musicxml": lambda data: sung(read_musicxml_tune(data, "given.musicxml")),
}


def refused_or_sound(kind: str, data: bytes) -> bool:
    """Whether a reader took the bytes; then what it made is written in every form and read again. It may refuse them in
    one line, and nothing else may come out."""
    try:
        plan = READERS[kind](data)
    except (InputError, UsageError) as error:
        assert error.message and "\n" not in error.message, error.message
        return False
    for form in ("plan", "mid", "lrc", "srt", "musicxml"):
        assert encoded(plan, form, words=True)
    assert plan_from(encoded(plan, "plan")) == plan
    return True
