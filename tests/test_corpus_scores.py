"""Scores read from MusicXML and POP909, and windows of them. All of them are written here, by hand."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import mido
import pytest

from unisinger_cli.corpus.scores import entries, load_lieder, load_pop909, song_ids, songs
from unisinger_cli.corpus.splits import split_of_composer, split_of_song
from unisinger_cli.errors import InputError
from unisinger_cli.notation.musicxml_read import MAX_BYTES


# ---------------------------------------------------------------- MusicXML
def note(pitch: str | None, quarters: float, *, text: str = "", syllabic: str = "single", extra: str = "") -> str:
    """A note of 4 divisions a quarter; `pitch` such as "C4" or "F#5", None for a rest."""
    sound = "<rest/>"
    if pitch is not None:
        alter = "<alter>1</alter>" if "#" in pitch else ""
        sound = f"<pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[-1]}</octave></pitch>"
    lyric = f'<lyric number="1"><syllabic>{syllabic}</syllabic><text>{text}</text></lyric>' if text else ""
    return f"<note>{extra}{sound}<duration>{round(quarters * 4)}</duration><voice>1</voice>{lyric}</note>"


def chord(*pitches: str, quarters: float = 4) -> str:
    return "".join(note(pitch, quarters, extra="<chord/>" if k else "") for k, pitch in enumerate(pitches))


SIGNATURE = (
    "<attributes><divisions>4</divisions><key><fifths>0</fifths></key>"
    "<time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
)
VOICE = [
    SIGNATURE + '<sound tempo="60"/>' + note("G4", 1, text="O"),  # the pickup
    note("C5", 1, text="morn", syllabic="begin")
    + note("D5", 1)  # sung on "morn"
    + "<note><grace/><pitch><step>A</step><octave>5</octave></pitch><voice>1</voice></note>"
    + note("E5", 2, text="ing", syllabic="end", extra='<tie type="start"/>'),
    note("E5", 1, extra='<tie type="stop"/>') + note(None, 1) + note("D5", 2, text="bright"),
    '<sound tempo="120"/>' + note("C5", 4, text="sun"),
]
PIANO = [
    SIGNATURE + note(None, 1),
    chord("C4", "E4", "G4") + "<backup><duration>16</duration></backup>" + note("C3", 4),
    chord("G3", "B3", "D4") + "<backup><duration>16</duration></backup>" + note("G2", 4),
    chord("C4", "E4", "G4") + "<backup><duration>16</duration></backup>" + note("E3", 4),
]


def musicxml(voice: list[str] = VOICE, piano: list[str] = PIANO) -> str:
    def bars(each: list[str]) -> str:
        return "".join(
            f'<measure number="{k}"{" implicit=" + chr(34) + "yes" + chr(34) if k == 0 else ""}>{bar}</measure>'
            for k, bar in enumerate(each)
        )

    return (
        "<score-partwise><movement-title>Morning</movement-title><identification>"
        '<creator type="composer">Ann Example</creator></identification>'
        '<part-list><score-part id="P1"><part-name>Voice</part-name></score-part>'
        '<score-part id="P2"><part-name>Piano</part-name></score-part></part-list>'
        f'<part id="P1">{bars(voice)}</part><part id="P2">{bars(piano)}</part></score-partwise>'
    )


def mxl(folder: Path, text: str | bytes, name: str = "song.mxl") -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("META-INF/container.xml", "<container/>")
        files.writestr("score.xml", text)
    return path


def test_lied_notes_have_their_times_ties_and_tempo_change(tmp_path: Path) -> None:
    song = load_lieder(mxl(tmp_path, musicxml()), language="en")
    assert [(n.start, n.end, n.midi) for n in song.notes] == [
        (0, 1, 67), (1, 2, 72), (2, 3, 74), (3, 6, 76), (7, 9, 74), (9, 11, 72),
    ]  # fmt: skip
    assert song.seconds == 11
    assert [len(bar.beats) for bar in song.bars] == [1, 4, 4, 4]
    assert (song.score.beats_per_bar, song.score.downbeat) == (4, 1)
    assert (song.title, song.composer, song.language, song.set) == ("Morning", "Ann Example", "en", "lieder")


def test_lied_syllables_are_on_their_notes(tmp_path: Path) -> None:
    song = load_lieder(mxl(tmp_path, musicxml()))
    assert song.syllables == ("O", "morn-", None, "ing", "bright", "sun")
    assert song.words == (("O", (0,)), ("morning", (1, 3)), ("bright", (4,)), ("sun", (5,)))


def test_lied_chords_bass_and_key_are_heard_in_the_piano(tmp_path: Path) -> None:
    song = load_lieder(mxl(tmp_path, musicxml()))
    heard = [(c.root, c.quality, c.bass) for c in song.score.chords if c.start >= 1]
    assert heard == [(0, "maj", 0), (7, "maj", 7), (0, "maj", 4)]
    assert song.score.key == "C:maj"
    assert sorted(n.midi for n in song.accompaniment if n.start == 1) == [48, 60, 64, 67]


def test_key_signature_of_a_minor_song_means_the_minor_key(tmp_path: Path) -> None:
    voice = [SIGNATURE + note("A4", 4, text="la"), note("G#4", 4, text="la"), note("A4", 4, text="la")]
    piano = [SIGNATURE + chord("A3", "C4", "E4"), chord("E3", "G#3", "B3"), chord("A3", "C4", "E4")]
    assert load_lieder(mxl(tmp_path, musicxml(voice, piano))).score.key == "A:min"


def test_transposing_voice_sounds_where_it_should(tmp_path: Path) -> None:
    down = SIGNATURE.replace(
        "<key>", "<transpose><chromatic>0</chromatic><octave-change>-1</octave-change></transpose><key>"
    )
    song = load_lieder(mxl(tmp_path, musicxml([down + note("A4", 4, text="la")], PIANO[:1])))
    assert song.notes[0].midi == 57


def test_words_above_the_score_set_the_tempo_where_no_number_does(tmp_path: Path) -> None:
    slow = "<direction><direction-type><words>Largo</words></direction-type></direction>"
    voice = [SIGNATURE + slow + note("A4", 4, text="la")]
    fast = [voice[0].replace("Largo", "Presto")]
    lengths = [load_lieder(mxl(tmp_path, musicxml(each, PIANO[:1]))).seconds for each in (voice, fast)]
    assert lengths[0] > 2 * lengths[1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<score-partwise>", "well-formed"),
        (b"<html/>", "score-partwise"),
        (b'<!DOCTYPE a [<!ENTITY b "bb">]><score-partwise>&b;</score-partwise>', "entities"),
        (b" " * (MAX_BYTES + 1), "MiB"),
        (musicxml().replace("<lyric", "<nothing").replace("</lyric", "</nothing").encode(), "words"),
        (musicxml().replace("<divisions>4", "<divisions>0").encode(), "understood"),
        (musicxml().replace("<octave>5", "<octave>15").encode(), "MIDI"),
        (musicxml().replace("<duration>4<", "<duration>-4<").encode(), "negative"),
        (musicxml().replace("<step>C", "<step>H").encode(), "understood"),
        (musicxml().replace('tempo="60"', 'tempo="nan"').encode(), "tempo"),
        (musicxml().replace("<duration>8<", "<duration>800000000<").encode(), "lasts"),
    ],
)
def test_hostile_score_is_one_clear_error(tmp_path: Path, content: bytes, says: str) -> None:
    path = mxl(tmp_path, content)
    with pytest.raises(InputError) as error:
        load_lieder(path)
    assert says in error.value.message and str(path) in error.value.message and "\n" not in error.value.message


def test_file_that_is_no_mxl_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mxl").write_bytes(b"PK\x03\x04 not really")
    for name in ("a.mxl", "missing.mxl"):
        with pytest.raises(InputError, match=name):
            load_lieder(tmp_path / name)


# ---------------------------------------------------------------- POP909
def pop_midi() -> bytes:
    file = mido.MidiFile(ticks_per_beat=480)
    tempo = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000, time=0)])
    melody = mido.MidiTrack([mido.MetaMessage("track_name", name="MELODY", time=0)])
    for midi in (60, 64, 67, 72) * 4:
        melody += [
            mido.Message("note_on", note=midi, velocity=90),
            mido.Message("note_on", note=midi, velocity=0, time=480),
        ]
    piano = mido.MidiTrack([mido.MetaMessage("track_name", name="PIANO", time=0)])
    piano += [
        mido.Message("control_change", control=64, value=127),
        mido.Message("note_on", note=48, velocity=70),
        mido.Message("note_off", note=48, time=240),
        mido.Message("control_change", control=64, value=0, time=720),
        mido.Message("note_on", note=55, velocity=70),
        mido.Message("note_off", note=55, time=480),
    ]
    file.tracks += [tempo, melody, piano]
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


BEATS = "".join(f"{0.5 * k} {float(k % 2 == 0)} {float(k % 4 == 0)}\n" for k in range(20))
CHORDS = "0.0 2.0 C:maj/3\n2.0 4.0 N\n4.0 6.0 D:sus2\n6.0 8.0 Bb:min7\n"


def pop_zip(folder: Path, **changes: bytes | str | None) -> Path:
    files: dict[str, bytes | str | None] = {
        "007.mid": pop_midi(), "beat_midi.txt": BEATS, "chord_midi.txt": CHORDS, "key_audio.txt": "0.0 99.0 Gb:maj\n",
    }  # fmt: skip
    files |= {name.replace("__", "."): value for name, value in changes.items()}
    path = folder / "pop.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            if content is not None:
                archive.writestr(f"007/{name}", content)
    return path


def test_pop_song_has_melody_metre_chords_and_pedal(tmp_path: Path) -> None:
    song = load_pop909(pop_zip(tmp_path), "007")
    assert [(n.start, n.end, n.midi) for n in song.notes[:2]] == [(0, 0.5, 60), (0.5, 1, 64)]
    assert set(song.syllables) == {None} and len(song.syllables) == len(song.notes)
    assert (song.score.bpm, song.score.beats_per_bar, song.score.key) == (120, 4, "F#:maj")
    assert [(c.root, c.quality, c.bass) for c in song.score.chords] == [(0, "maj", 4), (9, "sus4", 2), (10, "min7", 10)]
    assert [(n.start, n.end) for n in song.accompaniment] == [(0, 1), (1, 1.5)]  # held by the pedal; not held


@pytest.mark.parametrize(
    "changes",
    [
        {"007__mid": None},
        {"007__mid": b"MThd garbage"},
        {"beat_midi__txt": "zero one two\n"},
        {"beat_midi__txt": ""},
        {"beat_midi__txt": BEATS.replace("4.0 ", "nan ")},
        {"chord_midi__txt": "0.0 1.0 C:nonsense\n"},
        {"key_audio__txt": "0.0 9.0 H:maj\n"},
        {"key_audio__txt": ""},
    ],
)
def test_damaged_pop_song_is_one_clear_error(tmp_path: Path, changes: dict[str, bytes | str | None]) -> None:
    path = pop_zip(tmp_path, **changes)
    with pytest.raises(InputError, match="007"):
        load_pop909(path, "007")


# ---------------------------------------------------------------- the listing
def test_listing_names_songs_with_their_splits_and_loads_them(tmp_path: Path) -> None:
    mxl(tmp_path, musicxml())
    row = {"file": "song.mxl", "composer": "Example, Ann", "title": "Morning", "language": "en",
           "lyric_line_languages": {"1": "de", "2": "en"}}  # fmt: skip
    (tmp_path / "index.jsonl").write_text(json.dumps(row) + "\n")
    archive = pop_zip(tmp_path)
    lied, pop = entries(tmp_path, archive)
    assert song_ids(tmp_path, archive) == ("lieder--song", "pop909--007") == (lied.id, pop.id)
    assert lied.verse == "2"
    assert (lied.split, pop.split) == (split_of_composer("Example, Ann"), split_of_song("007"))
    assert [song.id for song in songs(tmp_path, archive)] == [lied.id, pop.id]
    assert lied.load().split_key == lied.split_key == "Example, Ann"
    assert pop.load().split_key == pop.split_key == "007"


def test_listing_without_an_index_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"index\.jsonl"):
        entries(tmp_path, None)
