"""Scores as notation programs write them: repeats, verses, ties, chord symbols, metres."""

from __future__ import annotations

import pytest

from unisinger_cli.errors import InputError
from unisinger_cli.notation.musicxml_tune import read_musicxml_tune
from unisinger_cli.types import Tune

START = (
    "<attributes><divisions>2</divisions><key><fifths>-1</fifths><mode>minor</mode></key>"
    "<time><beats>2</beats><beat-type>4</beat-type></time></attributes><sound tempo='60'/>"
)


def note(pitch: str, quarters: float, *words: str, extra: str = "") -> str:
    """A note, with a word of each verse."""
    lyrics = "".join(f'<lyric number="{i}"><text>{word}</text></lyric>' for i, word in enumerate(words, 1))
    duration = f"<duration>{round(2 * quarters)}</duration>"
    return f"<note><pitch><step>{pitch[0]}</step><octave>{pitch[1]}</octave></pitch>{duration}{extra}{lyrics}</note>"


def line(*marks: str) -> str:
    return "<barline>" + "".join(marks) + "</barline>"


FORWARD, BACK = '<repeat direction="forward"/>', '<repeat direction="backward"/>'


def ending(number: str, kind: str) -> str:
    return f'<ending number="{number}" type="{kind}"/>'


def read(*bars: str) -> Tune:
    measures = "".join(f"<measure>{bar}</measure>" for bar in bars)
    names = '<part-list><score-part id="P1"><part-name>Voice</part-name></score-part></part-list>'
    doctype = '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://x.org/p.dtd">'
    text = f'{doctype}<score-partwise>{names}<part id="P1">{measures}</part></score-partwise>'
    return read_musicxml_tune(text.encode(), "a.musicxml")


def heard(tune: Tune) -> list[tuple[float, float, str | None]]:
    return [(n.start, n.midi, text) for n, text in zip(tune.notes, tune.syllables, strict=True)]


def test_repeat_is_played_with_the_words_of_its_pass() -> None:
    tune = read(
        START + note("C4", 2, "so"),
        line(FORWARD) + note("D4", 2, "one", "two") + line(BACK),
        note("E4", 2, "end"),
    )
    assert heard(tune) == [(0, 60, "so"), (2, 62, "one"), (4, 62, "two"), (6, 64, "end")]
    assert tune.seconds == 8.5  # half a beat for the last note to fade


def test_endings_are_played_in_their_pass() -> None:
    tune = read(
        START + note("C4", 2, "a", "b"),
        line(ending("1", "start")) + note("D4", 2, "c") + line(ending("1", "stop"), BACK),
        line(ending("2", "start")) + note("E4", 2, "d") + line(ending("2", "stop")),
        note("F4", 2, "e"),
    )
    assert [(midi, text) for _, midi, text in heard(tune)] == [(60, "a"), (62, "c"), (60, "b"), (64, "d"), (65, "e")]


def test_verses_without_a_repeat_say_that_one_is_sung() -> None:
    tune = read(START + note("C4", 2, "one", "uno", "een"))
    assert tune.syllables == ("one",) and "of 3 verses the first" in tune.remarks[0]


def test_notes_that_are_never_played_are_none() -> None:
    with pytest.raises(InputError, match="no note to sing"):
        read(START + line(ending("2", "start")) + note("C4", 2, "la") + line(ending("2", "stop")))


def test_ties_melismas_and_changes_of_divisions() -> None:
    half = "<attributes><divisions>4</divisions></attributes>"
    tune = read(
        START + note("C4", 1, "la") + note("D4", 1, extra="<tie type='start'/>"),
        half + note("D4", 0.5, extra="<tie type='stop'/>") + note("E4", 1, "lo"),
    )
    assert [(n.start, n.end) for n in tune.notes] == [(0, 1), (1, 2.25), (2.25, 2.75)]
    assert tune.syllables == ("la", None, "lo")


def test_chord_symbols_hold_until_the_next() -> None:
    def chord(root: str, kind: str, more: str = "") -> str:
        return f"<harmony><root><root-step>{root}</root-step></root><kind>{kind}</kind>{more}</harmony>"

    bass = "<bass><bass-step>E</bass-step><bass-alter>-1</bass-alter></bass>"
    tune = read(
        START + chord("D", "minor") + note("D4", 1, "a") + chord("G", "dominant-ninth", bass) + note("D4", 1),
        note("D4", 2),
    )
    assert [(c.start, c.end, c.root, c.quality, c.bass) for c in tune.score.chords] == [
        (0, 1, 2, "min", 2),
        (1, 4, 7, "7", 3),
    ]
    assert (tune.score.key, tune.score.beats_per_bar, tune.score.bpm) == ("D:min", 2, 60)


def test_repeats_without_end_are_refused() -> None:
    bars = [line(FORWARD) + note("C4", 2) + line('<repeat direction="backward" times="9"/>')] * 600
    with pytest.raises(InputError, match=r"a\.musicxml plays over 5000 bars"):
        read(START, *bars)
