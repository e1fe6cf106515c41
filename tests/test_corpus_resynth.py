"""Recorded syllables sing what the plan says, and the labels are true."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from corpus_voice import FORMANTS, FRAME_RATE, say
from unisinger_cli.corpus.resynth import Performance, Piece, analyse, perform
from unisinger_cli.corpus.units import Unit, aligned_units, heard_units
from unisinger_cli.stages.pitch import track
from unisinger_cli.types import Note, PlanLine, Score, SongPlan, Syllable

pytest.importorskip("pyworld")
TUNE = (50.0, 55.0, 52.0, 57.0)


@lru_cache(maxsize=1)
def units() -> tuple[Unit, ...]:
    audio, spans = say("sa si sa si")
    return tuple(aligned_units(spans, analyse(audio)))


def plan(tune: tuple[float, ...] = TUNE, length: float = 0.5) -> SongPlan:
    notes = [Note(0.4 + i * length, 0.4 + (i + 1) * length, midi) for i, midi in enumerate(tune)]
    syllables = tuple(
        Syllable("", tuple(p.symbol for p in unit.pieces), (note,)) for unit, note in zip(units(), notes, strict=True)
    )
    return SongPlan(0.8 + len(tune) * length, Score(120, 4, "C:maj", ()), (PlanLine("", syllables),), "en")


def sing(warp: float = 1.0, seed: int = 0, tilt: float = 0.0) -> Performance:
    rng = np.random.default_rng(seed)
    return perform(plan(), [unit.pieces for unit in units()], frame_rate=FRAME_RATE, rng=rng, warp=warp, tilt=tilt)


def test_sings_the_notes() -> None:
    sung = sing()
    assert sung.audio.seconds == pytest.approx(plan().seconds, abs=1e-4)
    heard = track(sung.audio, FRAME_RATE).hz
    assert len(heard) == len(sung.pitch.hz)
    both = (heard > 0) & sung.pitch.voiced
    assert both.sum() > 0.8 * sung.pitch.voiced.sum()
    assert np.median(np.abs(1200 * np.log2(heard[both] / sung.pitch.hz[both]))) < 10
    for syllable in plan().lines[0].syllables:
        note = syllable.notes[0]
        middle = heard[round((note.start + 0.25) * FRAME_RATE)]
        assert 69 + 12 * np.log2(middle / 440) == pytest.approx(note.midi, abs=0.5)


def test_labels_tell_where_sound_is() -> None:
    sung = sing()
    samples, rate = sung.audio.mono(), sung.audio.rate
    assert [s for s, _, _ in sung.spans if s not in "_^"] == list("sasisasi")
    level = {}
    for symbol, start, end in sung.spans:
        part = samples[round(start * rate) : round(end * rate)]
        level.setdefault(symbol, []).append(float(np.sqrt(np.mean(part**2))))
        if symbol == "s":
            frames = slice(round(start * FRAME_RATE + 0.5), round(end * FRAME_RATE - 0.5))
            assert not sung.pitch.voiced[frames].any()
            crossings = np.mean(np.diff(np.sign(part)) != 0)
            assert crossings > 0.3  # noise stays noise
    assert max(level["_"]) < 0.05 * min(level["a"] + level["i"] + level["s"])


def test_voicing_around_a_voiceless_consonant_is_not_sung() -> None:
    """Of a consonant whose boundaries are 0.05 s too far out, the noise alone is heard: no speaking pitch under it."""
    wide = [
        [Piece(p.symbol, p.analysis, p.start - 0.05, p.end + 0.05) if p.symbol == "s" else p for p in unit.pieces]
        for unit in units()
    ]
    sung = perform(plan(), wide, frame_rate=FRAME_RATE, rng=np.random.default_rng(0))
    samples, rate = sung.audio.mono(), sung.audio.rate
    consonants = [samples[round(a * rate) : round(b * rate)] for s, a, b in sung.spans if s == "s"]
    assert len(consonants) == 4
    for part in consonants:
        eighths = np.array_split(part, 8)[1:-1]
        assert min(np.mean(np.diff(np.sign(each)) != 0) for each in eighths) > 0.3


def test_warp_moves_formants() -> None:
    def resonance(warp: float) -> float:
        sung = sing(warp)
        start, end = next((a, b) for s, a, b in sung.spans if s == "a")
        part = sung.audio.mono()[round((start + 0.05) * sung.audio.rate) : round((end - 0.05) * sung.audio.rate)]
        power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
        hz = np.fft.rfftfreq(len(part), 1 / sung.audio.rate)
        band = (hz > 500) & (hz < 1700)
        return float((power[band] * hz[band]).sum() / power[band].sum())

    assert resonance(1.0) == pytest.approx(FORMANTS["a"], rel=0.1)
    assert resonance(1.12) / resonance(0.9) == pytest.approx(1.12 / 0.9, rel=0.08)


def test_tilt_makes_it_brighter() -> None:
    """2 dB an octave: three octaves up, what was equal is 6 dB apart."""

    def balance(tilt: float) -> float:
        power = np.abs(np.fft.rfft(sing(tilt=tilt).audio.mono())) ** 2
        hz = np.arange(len(power)) * 16000 / (2 * (len(power) - 1))
        high, low = (power[(hz > at / 1.2) & (hz < at * 1.2)].sum() for at in (4000, 500))
        return float(10 * np.log10(high / low))

    assert balance(2.0) - balance(0.0) == pytest.approx(6.0, abs=1.0)


def test_same_seed_same_song() -> None:
    assert np.array_equal(sing().audio.samples, sing().audio.samples)
    assert not np.array_equal(sing().audio.samples, sing(seed=1).audio.samples)


def test_plan_of_other_phonemes() -> None:
    with pytest.raises(ValueError, match="not those of its sources"):
        perform(plan(), [u.pieces for u in units()[:-1]], frame_rate=FRAME_RATE, rng=np.random.default_rng(0))


def test_aligned_syllables() -> None:
    audio, spans = say("sa_si")
    found = aligned_units(spans, analyse(audio))
    assert [[p.symbol for p in unit.pieces] for unit in found] == [["s", "a"], ["s", "i"]]
    assert [unit.after_pause for unit in found] == [True, True]


def test_a_vowel_where_nothing_is_voiced_is_not_believed() -> None:
    audio, _ = say("sa")
    spans = [["a", 0.0, 0.2], ["s", 0.2, 0.32], ["a", 0.32, 0.54]]
    found = aligned_units(spans, analyse(audio))
    assert [[round(p.start, 2) for p in unit.pieces] for unit in found] == [[0.2, 0.32]]


def test_a_voiceless_consonant_where_all_is_voiced_is_not_believed() -> None:
    audio, _ = say("sa sa")
    spans = [["s", 0.36, 0.5], ["a", 0.5, 0.54], ["s", 0.54, 0.66], ["a", 0.66, 0.88]]
    found = aligned_units(spans, analyse(audio))
    assert [[round(p.start, 2) for p in unit.pieces] for unit in found] == [[0.54, 0.66]]


def test_syllables_are_heard_without_words() -> None:
    audio, spans = say("sa si sa")
    found = heard_units(analyse(audio))
    vowels = [(a, b) for s, a, b in spans if s in FORMANTS]
    assert len(found) == len(vowels)
    for unit, (start, end) in zip(found, vowels, strict=True):
        held = max(unit.pieces, key=lambda p: p.end - p.start)
        assert start - 0.02 < held.start < held.end < end + 0.02
        assert isinstance(unit.pieces[0], Piece) and unit.pieces[0].symbol == "h"  # the noise before it
