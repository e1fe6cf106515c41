"""A plan as a MIDI file: tempo, metre and key, the melody with its lyrics, and the chords as a second track."""

from __future__ import annotations

import io
from typing import Any

from unisinger_cli.notation.keys import NAMES, QUALITIES, tonic_and_mode
from unisinger_cli.notation.voice import plan_syllables
from unisinger_cli.types import Chord, SongPlan

TICKS = 480  # in a beat
_MELODY, _CHORDS = "Melody", "Chords"
_VOICE, _PIANO = 53, 0  # General MIDI programs, from 0: "voice oohs", "acoustic grand piano"


def write_midi(plan: SongPlan) -> bytes:
    """A MIDI file of format 1. Times are rounded to the tick, pitches to the semitone.

    Lyric events follow the recommended practice RP-017 (MIDI Association, 1998): one at the note of each syllable, a
    "-" at its end where the word goes on, a carriage return where a line ends.
    """
    import mido

    tempo = round(60e6 / plan.score.bpm)  # microseconds in a beat

    def tick(seconds: float) -> int:
        return max(0, round(seconds * 1e6 / tempo * TICKS))

    file = mido.MidiFile(type=1, ticks_per_beat=TICKS, charset="utf-8")
    end = tick(plan.seconds)
    head = [
        (0, mido.MetaMessage("set_tempo", tempo=tempo)),
        *((at, _metre(plan)) for at in sorted({0, tick(_first_downbeat(plan))})),
        (0, mido.MetaMessage("key_signature", key=_signature(plan.score.key))),
    ]
    melody: list[tuple[int, Any]] = [(0, mido.Message("program_change", program=_VOICE))]
    for line, texts in zip(plan.lines, plan_syllables(plan), strict=True):
        for i, (syllable, text) in enumerate(zip(line.syllables, texts, strict=True)):
            last = "\r" if i + 1 == len(texts) else ""
            melody.append((tick(syllable.start), mido.MetaMessage("lyrics", text=text + last)))
            for note in syllable.notes:
                melody += _struck(round(note.midi), tick(note.start), tick(note.end), 90, 0)
    chords: list[tuple[int, Any]] = [(0, mido.Message("program_change", program=_PIANO, channel=1))]
    for chord in plan.score.chords:
        chords.append((tick(chord.start), mido.MetaMessage("marker", text=chord_name(chord))))
        for midi in _voiced(chord):
            chords += _struck(midi, tick(chord.start), tick(chord.end), 60, 1)
    for name, events in (("", head), (_MELODY, melody), (_CHORDS, chords)):
        file.tracks.append(_track(name, events, end))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def chord_name(chord: Chord) -> str:
    """As musicians write it: C, Am, Bdim, G7/B."""
    quality = {"maj": "", "min": "m", "min7": "m7"}.get(chord.quality, chord.quality)
    return NAMES[chord.root] + quality + (f"/{NAMES[chord.bass]}" if chord.bass != chord.root else "")


def _first_downbeat(plan: SongPlan) -> float:
    """Seconds from the start to the first downbeat."""
    bar = plan.score.beats_per_bar * 60 / plan.score.bpm
    first = plan.score.downbeat % bar
    return 0.0 if bar - first < 1e-6 else first


def _metre(plan: SongPlan) -> Any:
    import mido

    return mido.MetaMessage("time_signature", numerator=plan.score.beats_per_bar, denominator=4)


def _signature(key: str) -> str:
    tonic, mode = tonic_and_mode(key)
    name = {"Db": "C#"}.get(NAMES[tonic], NAMES[tonic]) if mode == "min" else NAMES[tonic]
    return name + ("m" if mode == "min" else "")


def _voiced(chord: Chord) -> list[int]:
    """The bass below, the chord about middle C."""
    return [36 + chord.bass, *sorted(55 + (chord.root + step - 55) % 12 for step in QUALITIES[chord.quality])]


def _struck(midi: int, start: int, end: int, velocity: int, channel: int) -> list[tuple[int, Any]]:
    import mido

    on = mido.Message("note_on", note=midi, velocity=velocity, channel=channel)
    return [(start, on), (max(end, start + 1), mido.Message("note_off", note=midi, channel=channel))]


def _track(name: str, events: list[tuple[int, Any]], end: int) -> Any:
    """Events in time order, the ends of notes before the beginnings of others, with the times between them."""
    import mido

    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)] if name else [])
    now = 0
    rank = {"note_off": 0, "note_on": 2}
    for at, event in sorted(events, key=lambda each: (each[0], rank.get(each[1].type, 1))):
        track.append(event.copy(time=at - now))
        now = at
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - now)))
    return track
