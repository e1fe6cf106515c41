"""Windows of songs: what the song factory sings and plays."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unisinger_cli.corpus.scores import starts, window
from unisinger_cli.corpus.song import AccompNote, Bar, ScoreSong
from unisinger_cli.errors import InputError
from unisinger_cli.types import Chord, Note, Score


def sheet(beats: list[float], syllables: bool = False) -> ScoreSong:
    """A song in 4/4 with a note on every beat, a chord and an accompaniment note in every bar."""
    bars = tuple(Bar(tuple(beats[k : k + 4]), beats[k + 4], "C:maj") for k in range(0, len(beats) - 4, 4))
    notes = tuple(Note(a, b, 60 + k % 12) for k, (a, b) in enumerate(pairwise(beats)))
    chords = tuple(Chord(bar.start, bar.end, k % 12, "maj", k % 12) for k, bar in enumerate(bars))
    texts = tuple(None if k % 3 else f"la{k}" for k in range(len(notes))) if syllables else (None,) * len(notes)
    return ScoreSong(
        id="test", set="pop909", composer="", title="", language="", split_key="", notes=notes, syllables=texts,
        accompaniment=tuple(AccompNote(bar.start, bar.end, 48, 80, "PIANO") for bar in bars),
        score=Score(100, 4, "C:maj", chords),
        seconds=beats[-1], bars=bars,
    )  # fmt: skip


rubato = st.lists(st.floats(0.3, 1.2), min_size=33, max_size=33).map(lambda gaps: [float(x) for x in np.cumsum(gaps)])


@settings(max_examples=40, deadline=None)
@given(beats=rubato, at=st.floats(0, 1), seconds=st.floats(1, 15), syllables=st.booleans())
def test_window_keeps_time_whatever_the_rubato(beats: list[float], at: float, seconds: float, syllables: bool) -> None:
    song = sheet(beats, syllables)
    piece = window(song, at * song.seconds, seconds)
    assert piece.seconds == seconds and piece.score.downbeat == 0 and piece.bars[0].start == 0
    assert len(piece.notes) == len(piece.syllables)
    beat = 60 / piece.score.bpm
    for a, b in pairwise(piece.notes):
        assert a.end <= b.start + 1e-6
    for each in [*piece.notes, *piece.accompaniment, *piece.score.chords]:
        assert 0 <= each.start < each.end <= seconds + 1e-9
    last = piece.bars[-1].end
    for each in piece.notes:  # every note of this song begins on a beat, and still does
        if each.start < last:
            assert each.start / beat == pytest.approx(round(each.start / beat), abs=1e-6)
    if syllables and piece.syllables:
        assert piece.syllables[0] is not None


def test_window_begins_on_the_nearest_downbeat_with_its_chord() -> None:
    song = sheet([0.5 * k for k in range(33)])
    piece = window(song, 4.3, 4.0)
    assert [c.root for c in piece.score.chords] == [2, 3]
    assert piece.score.bpm == pytest.approx(120)
    assert piece.notes[0] == Note(0, 0.5, song.notes[8].midi)


def test_starts_leave_out_silence_and_changes_of_metre() -> None:
    song = sheet([0.5 * k for k in range(33)])
    assert starts(song, 4.0)[:2] == (0.0, 2.0)
    silent = replace(song, notes=song.notes[24:], syllables=song.syllables[24:])
    assert min(starts(silent, 4.0)) >= 8
    odd = Bar(song.bars[3].beats[:3], song.bars[3].end, "C:maj")
    changed = replace(song, bars=(*song.bars[:3], odd, *song.bars[4:]))
    assert starts(changed, 4.0) == (0.0, 2.0, 8.0, 10.0, 12.0)


def test_window_of_no_length_is_refused() -> None:
    with pytest.raises(InputError, match="window"):
        window(sheet([0.5 * k for k in range(33)]), 0, 0)
