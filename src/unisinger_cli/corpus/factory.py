"""The song factory: scores x recorded voices -> songs with separate vocal and accompaniment and labels for all of it.

Singing with words, notes and stems under a free licence hardly exists, and scores and read sentences do. Each song is
a window of a score, sung by a recorded voice with its own syllables (`resynth`), and played by a synthesiser. Song i of
a seed is always the same song; what is there already is not made again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from unisinger_cli.corpus.arrange import AS_WRITTEN, STYLES, Arrangement, arrange
from unisinger_cli.corpus.pack import read_index, write_pack
from unisinger_cli.corpus.render import render
from unisinger_cli.corpus.resynth import perform
from unisinger_cli.corpus.scores import Entry, ScoreSong, entries, starts, window
from unisinger_cli.corpus.singers import Singer, median_midi, roster, units_for
from unisinger_cli.corpus.songfile import Further, replace_file, row_of_song, save_sounds
from unisinger_cli.corpus.splits import TEST, TRAIN, VALID
from unisinger_cli.corpus.units import Unit
from unisinger_cli.errors import InputError
from unisinger_cli.notation.keys import moved
from unisinger_cli.types import Note, PlanLine, SongPlan, Syllable

_SECONDS = (10.0, 16.0)  # of a song
_FURTHER = 0.4  # share of songs sung by a voice that nobody has
_WARPS, _TILTS = ((0.88, 0.95), (1.05, 1.14)), (-2, 2)  # of its formants, and dB an octave
# Semitones from the recording's middle pitch to the song's. A voice that moves further is taken for another one
# (resemblyzer: one semitone up 0.80, three 0.79, five 0.77), but singing has to be learned higher than speech, too.
_NEAR, _ABOVE_SPEECH, _ABOVE_HIGH = 0.7, (0.0, 2.0), (2.0, 6.0)  # share of songs of the first kind
_ABOVE_SONG, _ABOVE_FURTHER = (-1.0, 2.0), (-2.0, 7.0)
_TRIES = 200
_BREAK = 0.25  # seconds of rest that end a line
_SUNG = 0.6  # share of the time that notes take
# A second at least and at most, and semitones at most from the middle note: a listener knows a voice least by long
# vowels, by syllables faster than it speaks, and by notes far from where it was recorded.
_SYLLABLES, _REACH = (1.4, 3.0), 7.0
_VALID_EVERY = 25  # every so many songs are sung by held-out voices
_WRITTEN = 0.35  # share of songs with the score's own accompaniment


@dataclass(frozen=True)
class Recipe:
    """All that a run of the factory depends on."""

    pack: Path
    lieder: Path | None
    pop909: Path | None
    soundfonts: tuple[Path, ...]
    out: Path
    seed: int
    rate: int
    frame_rate: float
    test: bool = False  # songs of the test voices and test scores, to measure on; else none of those is used


def make_songs(recipe: Recipe, songs: int, *, workers: int, report: Callable[[str], None]) -> int:
    """Make songs 0..songs-1 of the recipe's seed, and the index of all that are there; returns how many are.

    Only a recipe for tests uses scores and voices of the test split, and it uses no others. Raises InputError where
    pack or scores cannot be read.
    """
    for folder in ("audio", "parts"):
        (recipe.out / folder).mkdir(parents=True, exist_ok=True)
    if not _singers(recipe.pack, TEST if recipe.test else TRAIN):
        raise InputError(f"{recipe.pack} has no voice to sing with", "unisinger prepare voices makes such a pack")
    missing = [i for i in range(songs) if not _part(recipe, i).is_file()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(make_song, recipe, i) for i in missing]
        for done, job in enumerate(as_completed(jobs), 1):
            if job.exception() is not None:
                pool.shutdown(cancel_futures=True)
            job.result()
            if done % 20 == 0:
                report(f"{done} of {len(missing)} songs")
                _collect(recipe)
    return _collect(recipe)


def _name(recipe: Recipe, index: int) -> str:
    return f"factory{'-test' if recipe.test else ''}--{recipe.seed}-{index:05d}"


def _part(recipe: Recipe, index: int) -> Path:
    return recipe.out / "parts" / f"{_name(recipe, index)}.json"


def _collect(recipe: Recipe) -> int:
    parts = [json.loads(p.read_text(encoding="utf-8")) for p in sorted((recipe.out / "parts").glob("*.json"))]
    pitches = {part["row"]["id"]: np.array(part["hz"], dtype=np.float32) for part in parts}
    write_pack(recipe.out, [part["row"] for part in parts], pitches)
    return len(parts)


@lru_cache(maxsize=2)
def _singers(pack: Path, split: str) -> tuple[Singer, ...]:
    return roster(read_index(pack), split)


@lru_cache(maxsize=2)
def _scores(lieder: Path | None, pop909: Path | None, split: str) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries(lieder, pop909) if entry.split == split)


def _split(recipe: Recipe, index: int) -> str:
    """Whose voices sing song `index`; the scores of valid songs are those that are trained on."""
    if recipe.test:
        return TEST
    held_out = index % _VALID_EVERY == _VALID_EVERY - 1 and _singers(recipe.pack, VALID)
    return VALID if held_out else TRAIN


def make_song(recipe: Recipe, index: int) -> None:
    """Make one song: two Opus files, and its row and F0 in `parts`, which is written last."""
    rng = np.random.default_rng([recipe.seed, index])
    split = _split(recipe, index)
    singers = _singers(recipe.pack, split)
    scores = _scores(recipe.lieder, recipe.pop909, TEST if recipe.test else TRAIN)
    weights = np.array([singer.weight for singer in singers])
    for _ in range(_TRIES):
        song = _choose_song(scores, rng)
        groups = sung_groups(song)
        singer = singers[rng.choice(len(singers), p=weights / weights.sum())]
        units, clips = units_for(singer, recipe.pack, len(groups), recipe.rate, rng)
        if units:
            break
    else:
        raise InputError(f"{recipe.pack}: no syllables are found in its recordings", "align them, or add voices")
    units = (units * (len(groups) // len(units) + 1))[: len(groups)]
    voice = _further(rng) if rng.random() < _FURTHER else Further()
    spoken = _ABOVE_SPEECH if rng.random() < _NEAR else _ABOVE_HIGH
    low, high = _ABOVE_FURTHER if voice.label else _ABOVE_SONG if singer.sings else spoken
    wanted = median_midi(units) + rng.uniform(low, high)
    song = transposed(song, round(wanted - float(np.median([note.midi for note in song.notes]))))
    plan = plan_of(song, sung_groups(song), units, clips[0]["language"])
    pieces = [unit.pieces for unit in units]
    sung = perform(plan, pieces, frame_rate=recipe.frame_rate, rng=rng, warp=voice.warp, tilt=voice.tilt)
    band = _arranged(song, rng)
    soundfont = recipe.soundfonts[rng.integers(len(recipe.soundfonts))]
    name = _name(recipe, index)
    save_sounds(recipe.out / "audio" / name, sung.audio, render(band, soundfont, recipe.rate), rng)
    row = row_of_song(name, song, singer, clips, voice, split, band.tags, soundfont.stem)
    if singer.transcribed:
        row["phonemes"] = [[symbol, round(start, 4), round(end, 4)] for symbol, start, end in sung.spans]
    part = {"row": row, "hz": [round(float(hz), 2) for hz in sung.pitch.hz]}
    text = json.dumps(part, ensure_ascii=False)
    replace_file(_part(recipe, index), lambda path: path.write_text(text, encoding="utf-8"))


def _further(rng: np.random.Generator) -> Further:
    warp = float(np.round(rng.uniform(*_WARPS[rng.integers(2)]), 2))
    return Further(warp, float(rng.integers(_TILTS[0], _TILTS[1] + 1)))


def _choose_song(scores: Sequence[Entry], rng: np.random.Generator) -> ScoreSong:
    """A window with enough to sing; as many from one set of scores as from the other."""
    sets = sorted({entry.set for entry in scores})
    for _ in range(_TRIES):
        own = [entry for entry in scores if entry.set == sets[rng.integers(len(sets))]]
        seconds = round(float(rng.uniform(*_SECONDS)), 1)
        try:
            song = own[rng.integers(len(own))].load()
        except InputError:
            continue  # a damaged score
        places = starts(song, seconds, sung=_SUNG)
        if not places:
            continue
        piece = window(song, places[rng.integers(len(places))], seconds)
        if _singable(piece) and piece.accompaniment and piece.score.chords:
            return piece
    raise InputError("no score has a window to sing", "give scores with at least 10 s of melody")


def _singable(song: ScoreSong) -> bool:
    least, most = _SYLLABLES
    if not least <= len(sung_groups(song)) / song.seconds <= most:
        return False
    midi = np.array([note.midi for note in song.notes])
    return float(np.abs(midi - np.median(midi)).max()) <= _REACH


def sung_groups(song: ScoreSong) -> list[tuple[Note, ...]]:
    """Notes of each syllable: a note without one belongs to the syllable before, unless no words are known."""
    known = any(text is not None for text in song.syllables)
    groups: list[list[Note]] = []
    for note, text in zip(song.notes, song.syllables, strict=True):
        tied = known and text is None and groups and note.start - groups[-1][-1].end < _BREAK
        if tied:
            groups[-1].append(note)
        else:
            groups.append([note])
    return [tuple(group) for group in groups]


def transposed(song: ScoreSong, semitones: int) -> ScoreSong:
    """The melody moves by `semitones`, accompaniment and harmony by the nearest way to the same pitch class."""
    near = (semitones + 6) % 12 - 6
    return replace(
        song,
        notes=tuple(replace(note, midi=float(note.midi + semitones)) for note in song.notes),
        accompaniment=tuple(replace(note, midi=note.midi + near) for note in song.accompaniment),
        score=moved(song.score, near),
    )


def plan_of(song: ScoreSong, groups: Sequence[tuple[Note, ...]], units: Sequence[Unit], language: str) -> SongPlan:
    """One recorded syllable for each group of notes; a rest ends the line."""
    lines: list[list[Syllable]] = []
    for notes, unit in zip(groups, units, strict=True):
        syllable = Syllable("", tuple(piece.symbol for piece in unit.pieces), notes)
        if lines and notes[0].start - lines[-1][-1].end < _BREAK:
            lines[-1].append(syllable)
        else:
            lines.append([syllable])
    return SongPlan(song.seconds, song.score, tuple(PlanLine("", tuple(line)) for line in lines), language)


def _arranged(song: ScoreSong, rng: np.random.Generator) -> Arrangement:
    style = AS_WRITTEN if rng.random() < _WRITTEN else str(rng.choice(list(STYLES)))
    return arrange(song, style, rng)
