"""Whether songs of the factory are what their labels say: each measure beside a control, by judges from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unisinger_cli.audio import mono_at, read
from unisinger_cli.corpus.pack import Row, read_index
from unisinger_cli.errors import InputError, MissingExtra
from unisinger_cli.evaluation.bench import other
from unisinger_cli.evaluation.findings import Item, Part, Score, mean
from unisinger_cli.evaluation.judge import Judge
from unisinger_cli.evaluation.metrics import chord_agreement, chroma_agreement
from unisinger_cli.evaluation.recogniser import Recogniser, plain
from unisinger_cli.evaluation.spectra import chroma
from unisinger_cli.evaluation.tracker import Tracker, note_errors
from unisinger_cli.evaluation.words import Words, spoken
from unisinger_cli.pipeline.reporter import Reporter
from unisinger_cli.stages.align import edits
from unisinger_cli.types import Audio, Chord, Floats, Note

ITEMS = 24
CENTS, SIMILAR, NEAREST, ERROR_RATIO = 15.0, 0.80, 0.80, 1.5  # the bars
_RATE = 16000  # Hz at which voices are judged
_LEVEL = -20.0  # dBFS of what sounds, of all voices that are judged
_ENOUGH, _LEAST = 10.0, 4.0  # s of other recordings that a singer is known by: wanted, and at least


@dataclass
class _Song:
    """A song, and the recordings of its singer: `sung_from` were used for it, `others` were not."""

    row: Row
    vocal: Audio
    sung: Floats  # chroma of the vocal
    chroma: tuple[Floats, NDArray[np.float64]]  # of the accompaniment, and its times
    sung_from: list[Row]
    others: list[Row]
    cents: list[float] = field(default_factory=list)

    @property
    def agreement(self) -> float | None:
        return chroma_agreement(self.sung, self.chroma[0])

    @property
    def notes(self) -> list[Note]:
        return [Note(*note) for note in self.row["notes"]]

    @property
    def chords(self) -> list[Chord]:
        return [Chord(*chord) for chord in self.row["score"]["chords"]]


def check_songs(
    pack: Path, voices: Path, reporter: Reporter, *, items: int = ITEMS, seed: int = 0, words: Path | None = None
) -> Part:
    """Measure up to `items` songs of a pack of the factory, chosen by `seed`; `voices` is the pack they were made from,
    `words` the file of a judge of words, where one is to listen.

    Voices with moved formants are other voices, and left out. A judge that is not installed is told in `failed`.
    Raises InputError where a pack has no index or the songs do not tell what they were made from.
    """
    listener = None if words is None else Words(words)  # what is no judge is told before minutes of measuring
    songs = _choose(pack, voices, items, np.random.default_rng(seed))
    failed: list[str] = []
    reporter.stage("reading")
    read_in = []
    for i, (row, sung_from, others) in enumerate(songs):
        reporter.step(i, len(songs))
        vocal, accomp = (read(pack / row[name]) for name in ("vocal", "accomp"))
        sung, _ = chroma(vocal.mono(), vocal.rate)
        read_in.append(_Song(row, vocal, sung, chroma(accomp.mono(), accomp.rate), sung_from, others))
    scores: list[Score] = []
    measures: list[Callable[[Sequence[_Song], Path, Reporter], list[Score]]] = [_pitch, _voices, _words]
    if listener is not None:
        measures.append(partial(_judged, listener))
    for measure in measures:
        try:
            scores += measure(read_in, voices, reporter)
        except MissingExtra as missing:
            failed.append(f"{missing.message}: {missing.hint}")
            reporter.note(failed[-1])
    scores += _harmony(read_in)
    found_items = tuple(
        Item(
            f"{song.row['id']} by {song.row['speaker']}",
            {
                "note_error_cents": float(np.median(song.cents)) if song.cents else None,
                "chroma_agreement": song.agreement,
                "chord_agreement": chord_agreement(*song.chroma, song.chords),
            },
        )
        for song in read_in
    )
    return Part("songs", tuple(scores), found_items, tuple(failed))


def _choose(pack: Path, voices: Path, items: int, rng: np.random.Generator) -> list[tuple[Row, list[Row], list[Row]]]:
    """Songs with what they were sung from and what else there is of the singer; first those with enough of it."""
    rows = [row for row in read_index(pack) if row["kind"] == "factory" and "~" not in row["speaker"]]
    if not rows:
        raise InputError(f"{pack} has no songs of unchanged voices", "unisinger prepare factory makes songs")
    if any("clips" not in row for row in rows):
        raise InputError(f"{pack} does not tell what its songs were made from", "make the songs anew")
    recordings: dict[str, list[Row]] = {}
    for row in read_index(voices):
        if row["vocal"]:
            recordings.setdefault(row["speaker"], []).append(row)
    found = []
    for i in rng.permutation(len(rows)):
        row, used = rows[i], set(rows[i]["clips"])
        own = recordings.get(row["speaker"], [])
        own = [own[k] for k in rng.permutation(len(own))]
        sung_from = [each for each in own if each["id"] in used]
        if len(sung_from) != len(used):
            raise InputError(f"{voices} lacks recordings that {row['id']} was made from", "give the pack it came from")
        found.append((row, sung_from, [each for each in own if each["id"] not in used]))
    found.sort(key=lambda one: _seconds(one[2]) < _LEAST)  # stable
    return found[:items]


def _seconds(rows: Sequence[Row]) -> float:
    return float(sum(row["seconds"] for row in rows))


def _joined(voices: Path, rows: Sequence[Row]) -> Audio:
    """Recordings one after the other until there is enough to know a voice by."""
    parts: list[Floats] = []
    for row in rows:
        sound = read(voices / row["vocal"])
        parts.append(mono_at(sound, _RATE))
        if sum(map(len, parts)) >= _ENOUGH * _RATE:
            break
    return Audio(np.concatenate(parts)[None], _RATE)


def _levelled(audio: Audio) -> Audio:
    """At one level for all: the judge hears loudness, too, and it is no mark of a voice. A song's vocal lies as low as
    its mix needs, and recordings as their makers left them, up to 15 dB apart."""
    mono = mono_at(audio, _RATE)
    sounding = np.abs(mono) > 0.05 * np.abs(mono).max(initial=0.0)
    if not sounding.any():
        return audio
    gain = np.float32(10 ** (_LEVEL / 20) / np.sqrt(np.mean(mono[sounding] ** 2)))
    return Audio((mono * gain)[None], _RATE)


def _pitch(songs: Sequence[_Song], voices: Path, reporter: Reporter) -> list[Score]:
    tracker = Tracker()
    reporter.stage("tracking pitch")
    tracks = []
    for i, song in enumerate(songs):
        reporter.step(i, len(songs))
        tracks.append(tracker.track(song.vocal))
        song.cents = note_errors(tracks[i], song.notes)
    n = len(songs)
    crossed = [cents for i in range(n) if n > 1 for cents in note_errors(tracks[i], songs[other(i, n)].notes)]
    value = _median([cents for song in songs for cents in song.cents])
    return [Score("note_error_cents", value, _median(crossed), "another song's notes", at_most=CENTS)]


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if len(values) else None


def _voices(songs: Sequence[_Song], voices: Path, reporter: Reporter) -> list[Score]:
    """Similarity to other recordings of the singer. A voice of several sounds needs some seconds to be known by, so
    short recordings are joined; the recordings that were sung from, untouched, tell what could be reached."""
    judge = Judge()
    reporter.stage("judging voices")
    known = [song for song in songs if _seconds(song.others) >= _LEAST]
    singers: dict[str, Floats] = {}
    voices_of: list[tuple[str, Floats, Floats, Floats]] = []  # singer; song, other recordings, what was sung from
    for i, song in enumerate(known):
        reporter.step(i, len(known))
        name, reference = song.row["speaker"], judge.embed(_levelled(_joined(voices, song.others)))
        singers.setdefault(name, reference)
        source = judge.embed(_levelled(_joined(voices, song.sung_from)))
        voices_of.append((name, judge.embed(_levelled(song.vocal)), reference, source))
    sung = [(float(one @ own), _to_others(one, name, singers)) for name, one, own, _ in voices_of]
    untouched = [(float(one @ own), _to_others(one, name, singers)) for name, _, own, one in voices_of]
    reporter.note(f"voices: {len(known)} songs of {len(singers)} singers who have other recordings")
    strangers = "the other singers"
    return [
        Score("similarity_to_singer", *_own_and_others(sung), strangers, at_least=SIMILAR),
        Score("similarity_untouched", *_own_and_others(untouched), strangers),
        Score("nearest_is_the_singer", _nearest(sung), _nearest(untouched), "untouched", at_least=NEAREST),
    ]


def _to_others(voice: Floats, name: str, singers: Mapping[str, Floats]) -> list[float]:
    return [float(voice @ reference) for each, reference in singers.items() if each != name]


def _own_and_others(found: Sequence[tuple[float, list[float]]]) -> tuple[float | None, float | None]:
    return mean(own for own, _ in found), mean(value for _, others in found for value in others)


def _nearest(found: Sequence[tuple[float, list[float]]]) -> float | None:
    """Share of voices that are nearer to their singer than to every other."""
    return mean(float(own > max(others)) for own, others in found if others)


def _words(songs: Sequence[_Song], voices: Path, reporter: Reporter) -> list[Score]:
    """What a modest recogniser from elsewhere understands of English songs."""
    recogniser = Recogniser()
    english = [song for song in songs if song.row["language"].startswith("en")]
    return _understood("phoneme_error", english, voices, reporter, recogniser.phonemes, plain)


def _judged(judge: Words, songs: Sequence[_Song], voices: Path, reporter: Reporter) -> list[Score]:
    """What our own judge of words understands, which learned from songs of other voices too."""
    return _understood("judged_phoneme_error", songs, voices, reporter, judge.heard, spoken)


def _understood(
    name: str,
    songs: Sequence[_Song],
    voices: Path,
    reporter: Reporter,
    heard: Callable[[Audio], list[str]],
    spelt: Callable[[Sequence[str]], list[str]],
) -> list[Score]:
    """Phoneme error rate of songs, and of the untouched recordings that they were sung from."""
    worded = [song for song in songs if song.row["phonemes"]]
    reporter.stage("recognising")
    wrong, said = np.zeros(3), np.zeros(3)  # sung, spoken, and sung against another song's words
    texts = [spelt([symbol for symbol, _, _ in song.row["phonemes"]]) for song in worded]
    for i, song in enumerate(worded):
        reporter.step(i, len(worded))
        found, crossed = heard(song.vocal), texts[other(i, len(worded))]
        wrong[[0, 2]] += edits(found, texts[i]), edits(found, crossed)
        said[[0, 2]] += len(texts[i]), len(crossed)
        for row in song.sung_from:
            spoken_text = spelt([symbol for symbol, _, _ in row["phonemes"]])
            wrong[1] += edits(heard(read(voices / row["vocal"])), spoken_text)
            said[1] += len(spoken_text)
    ratio = f"{name}s_over_speech"
    if not said[1]:
        return [Score(ratio, None, at_most=ERROR_RATIO)]
    sung, untouched, against = (float(rate) for rate in wrong / said)
    found_ratio, crossed_ratio = (rate / untouched if untouched else None for rate in (sung, against))
    return [
        Score(f"{name}_rate", sung, untouched, "untouched speech"),
        Score(ratio, found_ratio, crossed_ratio, "another song's words", at_most=ERROR_RATIO),
    ]


def _harmony(songs: Sequence[_Song]) -> list[Score]:
    n = len(songs)
    true = mean(chord_agreement(*song.chroma, song.chords) for song in songs)
    shuffled = mean(chord_agreement(*one.chroma, two.chords) for one in songs for two in songs if one is not two)
    crossed = (chroma_agreement(songs[other(i, n)].sung, song.chroma[0]) for i, song in enumerate(songs) if n > 1)
    return [
        Score("accompaniment_fits_chords", true, shuffled, "chords of the other songs"),
        Score("accompaniment_fits_vocal", mean(song.agreement for song in songs), mean(crossed), "another vocal"),
    ]
