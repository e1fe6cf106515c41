"""Bands that play a song's chords, and the sound they make. The sound font is made here: every note is a sine."""

from __future__ import annotations

import shutil
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unisinger_cli.audio import loudness
from unisinger_cli.corpus.arrange import AS_WRITTEN, STYLE_NAMES, Arrangement, Part, arrange
from unisinger_cli.corpus.patterns import MidiNote
from unisinger_cli.corpus.render import CEILING, LUFS, render
from unisinger_cli.corpus.song import AccompNote, Bar, ScoreSong
from unisinger_cli.errors import DeviceError, InputError
from unisinger_cli.model.config import TAGS
from unisinger_cli.notation.keys import QUALITIES
from unisinger_cli.types import Chord, Note, Score

SECONDS = 12.0
LATE = 0.02 + 0.07  # s that a hand may be late, and a strum takes
DRUM_KICK = 36


def song(beats_per_bar: int = 4, *, gap: bool = False, minor: bool = False) -> ScoreSong:
    """12 s at 100 bpm; chords change every bar, in inversions and with sevenths, where `gap` not in the second."""
    beat, key = 0.6, "A:min" if minor else "C:maj"
    kinds = [
        (9, "min", 9),
        (5, "maj7", 9),
        (2, "min7", 2),
        (7, "7", 11),
        (0, "maj", 4),
        (11, "dim", 11),
        (4, "sus4", 4),
    ]
    length, bars, chords = beat * beats_per_bar, [], []
    for k in range(int(SECONDS / length) + 1):
        start, end = k * length, min(SECONDS, (k + 1) * length)
        bars.append(Bar(tuple(start + beat * j for j in range(beats_per_bar)), end, key))
        if end - start > 0.1 and not (gap and k == 1):
            chords.append(Chord(start, end, *kinds[k % len(kinds)]))
    written = [(0, 3, 48, "PIANO"), (3, 12, 55, "PIANO"), (6, 7, 76, "BRIDGE")]
    return ScoreSong(
        id="test", set="pop909", composer="", title="", language="", split_key="",
        notes=tuple(Note(beat * k, beat * (k + 1), 72) for k in range(20)), syllables=(None,) * 20,
        accompaniment=tuple(AccompNote(start, end, midi, 80, part) for start, end, midi, part in written),
        score=Score(60 / beat, beats_per_bar, key, tuple(chords)), seconds=SECONDS, bars=tuple(bars),
    )  # fmt: skip


def played(arrangement: Arrangement) -> list[MidiNote]:
    """Notes of pitched parts, without a doubled melody (which is softer than any part)."""
    return [n for part in arrangement.parts if not part.drums for n in part.notes if n.midi != 72 or n.velocity > 60]


@pytest.mark.parametrize("style", STYLE_NAMES)
@pytest.mark.parametrize("metre", [2, 3, 4])
def test_every_style_fits_the_window_and_says_truly_what_it_is(style: str, metre: int) -> None:
    for seed in range(5):
        made = arrange(song(metre), style, np.random.default_rng(seed))
        assert made.seconds == SECONDS
        assert made.parts and all(part.notes for part in made.parts)
        for each in (note for part in made.parts for note in part.notes):
            assert 0 <= each.start < each.end <= SECONDS and 0 <= each.midi <= 127 and 1 <= each.velocity <= 127
        assert set(made.tags) <= set(TAGS) and len(set(made.tags)) == len(made.tags)
        assert ("drums" in made.tags) == any(part.drums for part in made.parts)
        assert {"medium", "major"} <= set(made.tags)
    assert "minor" in arrange(song(metre, minor=True), style, np.random.default_rng(0)).tags


@pytest.mark.parametrize("style", [name for name in STYLE_NAMES if name != AS_WRITTEN])
@pytest.mark.parametrize("metre", [2, 3, 4])
def test_every_note_belongs_to_the_chord_of_its_time(style: str, metre: int) -> None:
    piece = song(metre)
    for seed in range(5):
        for each in played(arrange(piece, style, np.random.default_rng(seed))):
            near = [c for c in piece.score.chords if c.start - LATE <= each.start < c.end + LATE]
            allowed = {(c.root + step) % 12 for c in near for step in QUALITIES[c.quality]} | {c.bass for c in near}
            assert each.midi % 12 in allowed
            assert min(c.start for c in near) <= each.start + LATE and each.end <= max(c.end for c in near) + LATE


@pytest.mark.parametrize("style", [name for name in STYLE_NAMES if name not in (AS_WRITTEN, "acoustic")])
def test_the_bass_of_an_inversion_is_the_lowest_note_when_it_comes(style: str) -> None:
    piece = song()
    made = played(arrange(piece, style, np.random.default_rng(3)))
    for chord in piece.score.chords[:4]:
        onset = [n.midi for n in made if abs(n.start - chord.start) < LATE / 2]
        assert min(onset) % 12 == chord.bass


@pytest.mark.parametrize("style", ["piano ballad", "strings", "jazz", "organ"])
def test_where_there_is_no_chord_nobody_plays(style: str) -> None:
    made = played(arrange(song(gap=True), style, np.random.default_rng(0)))
    assert not [n for n in made if 2.4 + LATE < n.start < 4.8 - LATE]


def test_drums_mark_the_downbeats() -> None:
    for metre in (2, 3, 4):
        made = arrange(song(metre), "pop band", np.random.default_rng(1))
        kicks = [n.start for part in made.parts if part.drums for n in part.notes if n.midi == DRUM_KICK]
        for k in range(int(SECONDS / (0.6 * metre))):
            assert min(abs(kick - k * 0.6 * metre) for kick in kicks) < LATE


def test_division_follows_the_melody() -> None:
    """A melody in triplets is accompanied in triplets."""
    piece = song()
    triplets = replace(piece, notes=tuple(Note(0.2 * k, 0.2 * k + 0.2, 72) for k in range(60)), syllables=(None,) * 60)

    def offbeats(of: ScoreSong) -> float:
        made = arrange(of, "rock", np.random.default_rng(0))
        phases = np.array([n.start / 0.6 % 1 for n in made.parts[0].notes])
        return float(np.mean(np.abs(phases - 0.5) < 0.05))

    assert offbeats(piece) > 0.3 and offbeats(triplets) == 0


def test_as_written_plays_the_score_itself() -> None:
    made = arrange(song(), AS_WRITTEN, np.random.default_rng(0))
    assert sorted((n.midi, round(n.start)) for part in made.parts for n in part.notes) == [(48, 0), (55, 3), (76, 6)]


def test_same_seed_same_band_other_seed_other_band() -> None:
    first, again, other = (arrange(song(), "pop band", np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first == again != other


def test_what_cannot_be_played_is_one_clear_error() -> None:
    silent = replace(song(), score=replace(song().score, chords=()), accompaniment=())
    for piece, style, says in (
        (song(), "polka", "polka"),
        (silent, "organ", "nothing"),
        (silent, AS_WRITTEN, "nothing"),
    ):
        with pytest.raises(InputError, match=says):
            arrange(piece, style, np.random.default_rng(0))


# ---------------------------------------------------------------- sound
def sine_font(path: Path) -> Path:
    """The smallest General MIDI sound font: one looped sine, A4, for every program and for drums (SoundFont 2.01)."""
    rate, period, cycles = 44100, 100, 441  # 441 Hz: 4 cents over A4
    wave = (0.5 * 32767 * np.sin(2 * np.pi * np.arange(period * cycles) / period)).astype("<i2")

    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)

    def text(name: str) -> bytes:
        return name.encode().ljust(20, b"\0")

    info = chunk(b"ifil", struct.pack("<HH", 2, 1)) + chunk(b"isng", b"EMU8000\0") + chunk(b"INAM", b"sine\0\0")
    samples = chunk(b"smpl", wave.tobytes() + bytes(2 * 46))
    banks = [(0, 0), (0, 128)]
    presets = b"".join(
        text("sine") + struct.pack("<HHHIII", program, bank, k, 0, 0, 0) for k, (program, bank) in enumerate(banks)
    )
    presets += text("EOP") + struct.pack("<HHHIII", 0, 0, len(banks), 0, 0, 0)
    header = text("sine") + struct.pack("<IIIIIBbHH", 0, len(wave), period, len(wave) - period, rate, 69, 0, 0, 1)
    tables = (
        chunk(b"phdr", presets)
        + chunk(b"pbag", b"".join(struct.pack("<HH", k, 0) for k in range(len(banks) + 1)))
        + chunk(b"pmod", bytes(10))
        + chunk(b"pgen", struct.pack("<HH", 41, 0) * len(banks) + bytes(4))  # 41: plays instrument 0
        + chunk(b"inst", text("sine") + struct.pack("<H", 0) + text("EOI") + struct.pack("<H", 1))
        + chunk(b"ibag", struct.pack("<HHHH", 0, 0, 2, 0))
        + chunk(b"imod", bytes(10))
        + chunk(b"igen", struct.pack("<HHHH", 54, 1, 53, 0) + bytes(4))  # 54: looped; 53: sample 0
        + chunk(b"shdr", header + text("EOS") + bytes(26))
    )
    lists = chunk(b"LIST", b"INFO" + info) + chunk(b"LIST", b"sdta" + samples) + chunk(b"LIST", b"pdta" + tables)
    path.write_bytes(chunk(b"RIFF", b"sfbk" + lists))
    return path


needs_fluidsynth = pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="fluidsynth is not installed")


def band(*notes: MidiNote, seconds: float = 4.0, pan: float = 0.0) -> Arrangement:
    return Arrangement("test", (Part(0, notes, pan=pan),), seconds, ())


def dominant(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return float(spectrum.argmax() * rate / (8 * len(samples)))


@needs_fluidsynth
def test_render_plays_the_right_notes_at_the_right_times(tmp_path: Path) -> None:
    font = sine_font(tmp_path / "sine.sf2")
    sound = render(band(MidiNote(0.5, 1.5, 69, 100), MidiNote(2.0, 3.0, 76, 100)), font)
    assert sound.rate == 44100 and sound.samples.shape == (2, 4 * 44100) and sound.samples.dtype == np.float32
    mono = sound.mono()
    for start, hertz in ((0.6, 441.0), (2.1, 441.0 * 2 ** (7 / 12))):
        piece = mono[int(start * 44100) : int((start + 0.8) * 44100)]
        assert dominant(piece, 44100) == pytest.approx(hertz, rel=0.003)
    level = [float(np.sqrt(np.mean(mono[int(a * 44100) : int(b * 44100)] ** 2))) for a, b in ((0.1, 0.48), (0.6, 1.4))]
    assert level[0] < 0.01 * level[1]


@needs_fluidsynth
@pytest.mark.parametrize("seconds", [0.5, 3.21, 12.0])
def test_render_is_exact_in_length_and_level_and_repeats_itself(tmp_path: Path, seconds: float) -> None:
    font = sine_font(tmp_path / "sine.sf2")
    made = band(*(MidiNote(t, t + 0.4, 57 + k, 90) for k, t in enumerate(np.arange(0, seconds, 0.5))), seconds=seconds)
    first, second = render(made, font), render(made, font)
    assert first.samples.shape[1] == round(seconds * 44100)
    assert np.array_equal(first.samples, second.samples)
    peak = float(np.abs(first.samples).max())
    assert peak <= CEILING + 1e-6
    assert loudness(first) == pytest.approx(LUFS, abs=0.2) or peak == pytest.approx(CEILING, abs=1e-4)


@needs_fluidsynth
def test_render_pans_and_keeps_drums_and_instruments_apart(tmp_path: Path) -> None:
    font = sine_font(tmp_path / "sine.sf2")
    left, right = np.sqrt(np.mean(render(band(MidiNote(0, 3, 69, 90), pan=-0.8), font).samples ** 2, axis=1))
    assert left > 3 * right
    many = tuple(Part(0, (MidiNote(0.2 * k, 0.2 * k + 0.1, 50 + k, 90),), drums=k == 9) for k in range(12))
    assert np.abs(render(Arrangement("test", many, 3.0, ()), font).samples).max() > 0.01


def test_render_without_its_tools_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"missing\.sf2"):
        render(band(MidiNote(0, 1, 69, 90)), tmp_path / "missing.sf2")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="fluidsynth") as error:
        render(band(MidiNote(0, 1, 69, 90)), sine_font(tmp_path / "sine.sf2"))
    assert "install" in error.value.hint


def test_render_with_a_font_that_is_none_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "text.sf2").write_text("not a sound font")
    with pytest.raises(InputError, match=r"text\.sf2"):
        render(band(MidiNote(0, 1, 69, 90)), tmp_path / "text.sf2")
