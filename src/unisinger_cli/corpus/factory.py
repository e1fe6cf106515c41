"""The song factory: scores x recorded voices -> songs with separate vocal and accompaniment and labels for all of it.

Singing with words, notes and stems under a free licence hardly exists, and scores and read sentences do. Each song is
a window of a score, sung by a recorded voice with its own syllables (`resynth`), and played by a synthesiser. Song i of
a seed is always the same song; what is there already is not made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from unisinger_cli.audio import resample
from unisinger_cli.corpus.arrange import AS_WRITTEN, STYLES, arrange
from unisinger_cli.corpus.pack import Row, read_index, write_pack
from unisinger_cli.corpus.render import render
from unisinger_cli.corpus.resynth import Performance, perform
from unisinger_cli.corpus.scores import Entry, ScoreSong, entries, starts, window
from unisinger_cli.corpus.singers import Singer, median_midi, roster, units_for
from unisinger_cli.corpus.splits import TRAIN, VALID
from unisinger_cli.corpus.units import Unit
from unisinger_cli.errors import InputError
from unisinger_cli.stages.harmony import NAMES, tonic_and_mode
from unisinger_cli.types import Audio, Note, PlanLine, SongPlan, Syllable

_SECONDS = (10.0, 16.0)  # of a song
_FURTHER = 0.4  # share of songs sung by a voice whose formants are moved
_WARPS = ((0.88, 0.95), (1.05, 1.14))
_ABOVE_SPEECH, _ABOVE_SONG = (3.0, 7.0), (0.0, 3.0)  # semitones from the recording's middle pitch to the song's
_TRIES = 200
_BREAK = 0.25  # seconds of rest that end a line
_LEAST_NOTES, _SUNG = 8, 0.6  # notes, and share of the time that they take
_VALID_EVERY = 25  # every so many songs are sung by held-out voices
_WRITTEN = 0.35  # share of songs with the score's own accompaniment
_VOCAL_DB = -20.0  # level of the vocal where it sings, dBFS
_UNDER = (1.0, 7.0)  # dB that the accompaniment lies below
_OPUS_RATE, _OPUS_LEVEL = 48000, 0.78  # about 60 kbit/s


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


def make_songs(recipe: Recipe, songs: int, *, workers: int, report: Callable[[str], None]) -> int:
    """Make songs 0..songs-1 of the recipe's seed, and the index of all that are there; returns how many are.

    Scores and voices of the test split are never used. Raises InputError where pack or scores cannot be read.
    """
    for folder in ("audio", "parts"):
        (recipe.out / folder).mkdir(parents=True, exist_ok=True)
    if not _singers(recipe.pack, TRAIN):
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
    return f"factory--{recipe.seed}-{index:05d}"


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


@lru_cache(maxsize=1)
def _scores(lieder: Path | None, pop909: Path | None) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries(lieder, pop909) if entry.split == TRAIN)


def make_song(recipe: Recipe, index: int) -> None:
    """Make one song: two Opus files, and its row and F0 in `parts`, which is written last."""
    rng = np.random.default_rng([recipe.seed, index])
    split = VALID if index % _VALID_EVERY == _VALID_EVERY - 1 and _singers(recipe.pack, VALID) else TRAIN
    singers = _singers(recipe.pack, split)
    weights = np.array([singer.weight for singer in singers])
    for _ in range(_TRIES):
        song = _choose_song(_scores(recipe.lieder, recipe.pop909), rng)
        groups = sung_groups(song)
        singer = singers[rng.choice(len(singers), p=weights / weights.sum())]
        units, clips = units_for(singer, recipe.pack, len(groups), recipe.rate, rng)
        if units:
            break
    else:
        raise InputError(f"{recipe.pack}: no syllables are found in its recordings", "align them, or add voices")
    units = (units * (len(groups) // len(units) + 1))[: len(groups)]
    low, high = _ABOVE_SONG if singer.sings else _ABOVE_SPEECH
    wanted = median_midi(units) + rng.uniform(low, high)
    shift = round(wanted - float(np.median([note.midi for note in song.notes])))
    song = transposed(song, shift)
    plan = plan_of(song, sung_groups(song), units, clips[0]["language"])
    warp = float(np.round(rng.uniform(*_WARPS[rng.integers(2)]), 2)) if rng.random() < _FURTHER else 1.0
    sung = perform(plan, [u.pieces for u in units], frame_rate=recipe.frame_rate, rng=rng, warp=warp)
    accomp, style = _accompaniment(recipe, song, rng)
    _save(recipe, index, sung, accomp, rng)
    row = _row(_name(recipe, index), song, singer, clips[0], warp, split, style)
    if singer.transcribed:
        row["phonemes"] = [[symbol, round(start, 4), round(end, 4)] for symbol, start, end in sung.spans]
    part = {"row": row, "hz": [round(float(hz), 2) for hz in sung.pitch.hz]}
    text = json.dumps(part, ensure_ascii=False)
    _replace(_part(recipe, index), lambda path: path.write_text(text, encoding="utf-8"))


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
        if len(piece.notes) >= _LEAST_NOTES and piece.accompaniment and piece.score.chords:
            return piece
    raise InputError("no score has a window to sing", "give scores with at least 10 s of melody")


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
    tonic, mode = tonic_and_mode(song.score.key)
    chords = tuple(replace(c, root=(c.root + near) % 12, bass=(c.bass + near) % 12) for c in song.score.chords)
    return replace(
        song,
        notes=tuple(replace(note, midi=float(note.midi + semitones)) for note in song.notes),
        accompaniment=tuple(replace(note, midi=note.midi + near) for note in song.accompaniment),
        score=replace(song.score, key=f"{NAMES[(tonic + near) % 12]}:{mode}", chords=chords),
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


def _accompaniment(recipe: Recipe, song: ScoreSong, rng: np.random.Generator) -> tuple[Audio, tuple[str, ...]]:
    style = AS_WRITTEN if rng.random() < _WRITTEN else str(rng.choice(list(STYLES)))
    band = arrange(song, style, rng)
    return render(band, recipe.soundfonts[rng.integers(len(recipe.soundfonts))], recipe.rate), band.tags


def _save(recipe: Recipe, index: int, sung: Performance, accomp: Audio, rng: np.random.Generator) -> None:
    vocal = sung.audio.mono()
    singing = np.abs(vocal) > 0.05 * np.abs(vocal).max()
    vocal = vocal * np.float32(10 ** (_VOCAL_DB / 20) / np.sqrt(np.mean(vocal[singing] ** 2)))
    band = accomp.mono()[: len(vocal)]
    band = np.pad(band, (0, len(vocal) - len(band)))
    level = 10 ** ((_VOCAL_DB - rng.uniform(*_UNDER)) / 20)
    band = band * np.float32(level / max(1e-5, float(np.sqrt(np.mean(band**2)))))
    loudest = max(float(np.abs(x).max()) for x in (vocal, band, vocal + band))
    scale = np.float32(min(1.0, 0.9 / loudest))
    folder = recipe.out / "audio"
    for samples, suffix in ((vocal, ".opus"), (band, ".accomp.opus")):
        sound = Audio((samples * scale)[None], sung.audio.rate)
        _replace(folder / (_name(recipe, index) + suffix), partial(write_opus, audio=sound))


def write_opus(path: Path, audio: Audio) -> None:
    """Write mono sound as Ogg Opus."""
    import soundfile

    at = resample(audio, _OPUS_RATE)
    kinds: dict[str, Any] = {"format": "OGG", "subtype": "OPUS", "compression_level": _OPUS_LEVEL}
    with soundfile.SoundFile(str(path), "w", _OPUS_RATE, 1, **kinds) as file:
        file.write(at.samples[0])


def _replace(path: Path, write: Callable[[Path], Any]) -> None:
    temporary = path.with_name(f".{path.name}.part")
    write(temporary)
    os.replace(temporary, path)


def _row(name: str, song: ScoreSong, singer: Singer, clip: Row, warp: float, split: str, style: Sequence[str]) -> Row:
    score = song.score
    sex = [tag for tag in clip["tags"] if tag in ("female", "male")] if 0.93 <= warp <= 1.07 else []
    band = [tag for tag in clip["tags"] if tag in ("fullband", "narrowband")]
    return {
        "id": name,
        "kind": "factory",
        "speaker": singer.name if warp == 1.0 else f"{singer.name}~w{warp:.2f}",
        "split": split,
        "set": song.set,
        "language": clip["language"],
        "licence": clip["licence"],
        "seconds": round(song.seconds, 4),
        "source_rate": clip["source_rate"],
        "vocal": f"audio/{name}.opus",
        "accomp": f"audio/{name}.accomp.opus",
        "phonemes": None,
        "text": None,
        "score": {
            "bpm": score.bpm,
            "beats_per_bar": score.beats_per_bar,
            "key": score.key,
            "downbeat": score.downbeat,
            "chords": [[round(c.start, 4), round(c.end, 4), c.root, c.quality, c.bass] for c in score.chords],
        },
        "notes": [[round(n.start, 4), round(n.end, 4), n.midi] for n in song.notes],
        "tags": ["singing", *band, *sex, *style],
        "score_id": song.id,
    }
