"""Plans written in every form and read again; melodies from files as other programs write them."""

from __future__ import annotations

import io

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notation_files import WORDS, notes_of, plan_from, song, sung
from unisinger_cli.errors import InputError
from unisinger_cli.notation.midi_read import read_midi
from unisinger_cli.notation.musicxml_tune import read_musicxml_tune
from unisinger_cli.notation.musicxml_write import DIVISIONS
from unisinger_cli.notation.timed_text import write_lrc, write_srt
from unisinger_cli.notation.voice import divided, plan_syllables
from unisinger_cli.notation.write import encoded
from unisinger_cli.stages.lyrics import read_lyrics

songs = st.builds(
    song,
    st.sampled_from([WORDS, "oh", "la la la la\nSing <it> & \"loud\", 'again'!\n", "[00:01.30]so be it\n[00:05.17]so"]),
    st.integers(0, 50),
    st.sampled_from([None, 43.7, 93.0, 171.3, 240.0]),
    st.sampled_from([None, "F#", "Db minor", "Ab minor", "B"]),
)


@settings(max_examples=15)
@given(songs)
def test_plan_comes_back_from_json(plan: object) -> None:
    assert plan_from(encoded(plan, "plan")) == plan  # type: ignore[arg-type]


@settings(max_examples=15)
@given(songs)
def test_melody_comes_back_from_midi(plan) -> None:  # type: ignore[no-untyped-def]
    tune = read_midi(encoded(plan, "mid"), "tune.mid")
    tick = 60 / plan.score.bpm / 480
    for wrote, read in zip(notes_of(plan), tune.notes, strict=True):
        assert abs(wrote.start - read.start) <= tick and abs(wrote.end - read.end) <= tick
        assert wrote.midi == read.midi
    assert tune.score.bpm == pytest.approx(plan.score.bpm, abs=0.001)
    assert (tune.score.key, tune.score.beats_per_bar) == (plan.score.key, 4)
    two_bars_on = notes_of(plan)[-1].end + 8 * 60 / plan.score.bpm  # a longer silence is not the tune's
    assert tune.seconds == pytest.approx(min(plan.seconds, two_bars_on), abs=tick)
    assert [text for text in tune.syllables if text] == [text for line in plan_syllables(plan) for text in line]
    assert len(tune.lines or [0]) == len(plan.lines)


@settings(max_examples=15)
@given(songs)
def test_melody_comes_back_from_musicxml(plan) -> None:  # type: ignore[no-untyped-def]
    tune = read_musicxml_tune(encoded(plan, "musicxml"), "tune.musicxml")
    unit = 60 / plan.score.bpm / DIVISIONS
    for wrote, read in zip(notes_of(plan), tune.notes, strict=True):
        assert abs(wrote.start - read.start) <= 1.01 * unit / 2 and abs(wrote.end - read.end) <= 1.01 * unit
        assert wrote.midi == read.midi
    assert tune.score.key == plan.score.key
    assert [(c.root, c.quality) for c in tune.score.chords] == [(c.root, c.quality) for c in plan.score.chords]
    assert [text for text in tune.syllables if text] == [text for line in plan_syllables(plan) for text in line]


def test_words_of_a_file_are_sung_as_they_were() -> None:
    """The whole way round: the same lines with the same phonemes on the same notes."""
    plan = song()
    for again in (
        sung(read_midi(encoded(plan, "mid"), "a.mid")),
        sung(read_musicxml_tune(encoded(plan, "musicxml"), "a")),
    ):
        assert [line.text for line in again.lines] == [line.text for line in plan.lines]
        assert [s.phonemes for line in again.lines for s in line.syllables] == [
            s.phonemes for line in plan.lines for s in line.syllables
        ]


def test_lrc_and_srt() -> None:
    plan = song("[00:05.00]the morning comes\n[00:12.30]a silver line\n[00:20.00]", bpm=120.0)
    lrc = write_lrc(plan)
    lines = read_lyrics(lrc, "en").lines
    assert [line.text for line in lines] == ["the morning comes", "a silver line"]
    assert [line.start for line in lines] == pytest.approx([line.start for line in plan.lines], abs=0.006)
    assert lines[-1].end == pytest.approx(plan.lines[-1].end, abs=0.006)
    stamped = write_lrc(plan, words=True)
    assert stamped.count("<") == 8  # six words, and the ends of two lines
    assert [line.words for line in read_lyrics(stamped, "en").lines] == [line.words for line in lines]
    first = write_srt(plan).split("\n\n")[0].splitlines()
    assert first[0] == "1" and first[2] == "the morning comes"
    assert first[1].startswith("00:00:05,0") and " --> 00:00:0" in first[1]


@pytest.mark.parametrize("word", ["morning", "every", "fire", "the", "a", "rhythm's", "ÄÖÜ", "x" * 40])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_divided_words_add_up(word: str, count: int) -> None:
    parts = divided(word, count)
    assert len(parts) == count and all(parts)
    assert "".join(parts).rstrip("~") == word


# ---------------------------------------------------------------- MIDI of others
def midi(*tracks: list[object], kind: int = 1, resolution: int = 96) -> bytes:
    file = mido.MidiFile(type=kind, ticks_per_beat=resolution, tracks=[mido.MidiTrack(track) for track in tracks])
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def played(*pitches: int, name: str = "", channel: int = 0, words: list[str] | None = None, kind: str = "lyrics"):  # type: ignore[no-untyped-def]
    """Quarter notes one after the other, after a rest of one."""
    track: list[object] = [mido.MetaMessage("track_name", name=name)] if name else []
    for i, pitch in enumerate(pitches):
        rest = 96 if i == 0 else 0
        if words is not None and words[i] is not None:
            track.append(mido.MetaMessage(kind, text=words[i], time=rest))
            rest = 0
        track.append(mido.Message("note_on", note=pitch, velocity=80, channel=channel, time=rest))
        track.append(mido.Message("note_on", note=pitch, velocity=0, channel=channel, time=96))
    return track


def pitches(data: bytes) -> list[float]:
    return [note.midi for note in read_midi(data, "a.mid").notes]


def test_melody_track_is_the_one_with_lyrics_then_by_name_then_the_highest() -> None:
    high, low = played(80, 81, 82), played(50, 52, 53, name="Lead vocal")
    assert pitches(midi(high, low)) == [50, 52, 53]
    worded = played(60, 62, 64, words=["one", "two", "three"])
    assert pitches(midi(high, low, worded)) == [60, 62, 64]
    assert pitches(midi(played(70, 71, 72), played(40, 41, 42))) == [70, 71, 72]
    drums = played(75, 75, 75, channel=9)
    assert pitches(midi(drums, played(60, 61, 62))) == [60, 61, 62]
    (remark,) = read_midi(midi(high, low), "a.mid").remarks
    assert "Lead vocal" in remark and "name" in remark


def test_channels_of_a_single_track_and_words_in_another() -> None:
    both = [*played(50, 50), *played(70, 71, channel=3)]
    assert pitches(midi(both, kind=0)) == [70, 71]
    words = [mido.MetaMessage("text", text=text, time=96) for text in ("\\Hel", "lo ", "you")]
    tune = read_midi(midi(words, played(60, 62, 64, name="x"), played(40, 90)), "a.kar")
    assert tune.syllables == ("Hel-", "lo", "you")


def test_chords_give_their_top_line_and_say_so() -> None:
    chord = [mido.Message("note_on", note=pitch, velocity=80) for pitch in (60, 64, 67)]
    chord += [mido.Message("note_off", note=pitch, time=96 if pitch == 60 else 0) for pitch in (60, 64, 67)]
    tune = read_midi(midi([*chord, *chord]), "a.mid")
    assert [note.midi for note in tune.notes] == [67, 67]
    assert "4 of 6 notes" in tune.remarks[0]


def test_tempo_changes_become_their_mean() -> None:
    """Four beats at 60 and four at 120 last six seconds; so do eight at 80."""
    track = played(60, 62, 64, 65, 67, 69, 71)
    track.insert(0, mido.MetaMessage("set_tempo", tempo=1_000_000))
    track.insert(8, mido.MetaMessage("set_tempo", tempo=500_000))
    tune = read_midi(midi(track), "a.mid")
    assert 80 < tune.score.bpm < 100 and "tempo changes" in tune.remarks[-1]
    lengths = {round(note.end - note.start, 6) for note in tune.notes}
    assert lengths == {round(60 / tune.score.bpm, 6)} or max(lengths) - min(lengths) < 1e-3


def test_compound_metre_counts_dotted_beats() -> None:
    track = played(60, 62, 64)
    track.insert(0, mido.MetaMessage("time_signature", numerator=6, denominator=8))
    score = read_midi(midi(track), "a.mid").score
    assert (score.beats_per_bar, score.bpm) == (2, 80)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a MIDI file"),
        (b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\xff\xff\xff\xff\0\x90<", "damaged"),
        (midi(kind=1), "no note"),
        (midi(played(60), kind=2), "format 2"),
        (midi(played(60)).replace(b"\0\1\0\x60", b"\0\1\0\0"), "beats"),
        (midi(played(60)).replace(b"\0\1\0\x60", b"\0\1\xe7\x28"), "film frames"),
        (bytes(2 << 20), "KiB"),
        (midi([mido.Message("note_on", note=60, time=0), mido.Message("note_off", note=60, time=2**27)]), "lasts"),
        (midi([mido.MetaMessage("set_tempo", tempo=1), *played(60)]), "long enough"),
    ],
)
def test_hostile_midi_is_one_clear_error(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says) as error:
        read_midi(data, "bad.mid")
    assert "bad.mid" in error.value.message and "\n" not in error.value.message


def test_text_that_is_not_utf8_is_latin1() -> None:
    data = midi(played(60, 62, words=["Bl\xfct", "\xe9"]))
    assert read_midi(data, "a.mid").syllables == ("Blüt", "é")
