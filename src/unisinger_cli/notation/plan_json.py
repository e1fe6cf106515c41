"""Song plans as JSON: what `unisinger plan` writes, and `song --plan` sings.

{"format": "unisinger-plan", "version": 1} and the fields of `types.SongPlan`, all times in seconds. The receipt of a
song is read too: its plan stands under "plan".
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

from unisinger_cli import strict_json
from unisinger_cli.errors import InputError
from unisinger_cli.notation.fields import Field
from unisinger_cli.notation.keys import QUALITIES, read_key
from unisinger_cli.types import Chord, Note, PlanLine, Score, SongPlan, Syllable

FORMAT, VERSION = "unisinger-plan", 1
MAX_BYTES = 8 << 20
LONGEST = 600.0  # s
LOWEST, HIGHEST = 24, 96  # MIDI
_LINES, _SYLLABLES, _NOTES, _CHORDS = 2000, 8000, 16000, 4000
_NEAR = 1e-6  # s by which a note may seem to begin before the one before has ended
_HINT = "write one with: unisinger plan LYRICS -o plan.json"


def write_plan(plan: SongPlan) -> str:
    """JSON text, which `read_plan` turns into an equal plan."""
    return strict_json.dumps({"format": FORMAT, "version": VERSION, **asdict(plan)}, indent=1) + "\n"


def read_plan(data: bytes, file: str, *, phonemes: Collection[str], tags: Collection[str]) -> SongPlan:
    """The plan in `data`, a plan or the receipt of a song; errors call it `file`.

    Raises InputError for every field that is missing, of another type, or out of range, and for notes that overlap.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{file} has over {MAX_BYTES >> 20} MiB, and a plan may have as many", _HINT)
    root = Field.parse(data, file, _HINT)
    if root.has("format") or not root.has("plan"):
        if not root.has("format") or root["format"].value != FORMAT:
            raise InputError(f"{file} is neither a plan nor the receipt of a song", _HINT)
        root["version"].whole(VERSION, VERSION)
    elif root["plan"].value is None:
        raise InputError(f"{file} is a receipt without a plan: of a conversion", _HINT)
    else:
        root = root["plan"]
    seconds = root["seconds"].number(0.1, LONGEST)
    lines = tuple(_line(line, frozenset(phonemes)) for line in root["lines"].items(_LINES, 1))
    _check_order(root, lines, seconds)
    score = _score(root["score"])
    language = root["language"].text(16)
    found = tuple(dict.fromkeys(tag.one_of(tags) for tag in root["tags"].items(32)))
    return SongPlan(seconds, score, lines, language, found)


def _line(line: Field, phonemes: Collection[str]) -> PlanLine:
    return PlanLine(
        line["text"].text(100_000),
        tuple(
            Syllable(
                syllable["text"].text(10_000),
                tuple(phoneme.one_of(phonemes) for phoneme in syllable["phonemes"].items(2000, 1)),
                tuple(_note(note) for note in syllable["notes"].items(_NOTES, 1)),
            )
            for syllable in line["syllables"].items(_SYLLABLES, 1)
        ),
        line["section"].text(100),
    )


def _note(note: Field) -> Note:
    start, end = note["start"].number(0, LONGEST), note["end"].number(0, LONGEST)
    if end <= start:
        note["end"].wrong(f"after its start, {start:g}")
    return Note(start, end, note["midi"].number(LOWEST, HIGHEST))


def _check_order(root: Field, lines: tuple[PlanLine, ...], seconds: float) -> None:
    """Notes one after the other, none after the end, and neither more of them nor of syllables than can be sung."""
    syllables = notes = 0
    until = 0.0
    for i, line in enumerate(lines):
        for j, syllable in enumerate(line.syllables):
            syllables += 1
            for k, note in enumerate(syllable.notes):
                notes += 1
                place = f"{root.place + '.' if root.place else ''}lines[{i}].syllables[{j}].notes[{k}]"
                if note.start < until - _NEAR:
                    Field(root.file, f"{place}.start", note.start, _HINT).wrong(
                        f"{until:g} or later, when the note before has ended"
                    )
                if note.end > seconds + _NEAR:
                    Field(root.file, f"{place}.end", note.end, _HINT).wrong(f"within the song's {seconds:g} seconds")
                until = note.end
    for count, most, name in ((syllables, _SYLLABLES, "syllables"), (notes, _NOTES, "notes")):
        if count > most:
            raise InputError(f"{root.file} has {count} {name}, and may have {most}", "sing it in parts")


def _score(score: Field) -> Score:
    try:
        key = read_key(score["key"].text(20))
    except InputError:
        score["key"].wrong("a key such as C:maj or A:min")
    chords: list[Chord] = []
    for each in score["chords"].items(_CHORDS):
        start, end = each["start"].number(0, LONGEST), each["end"].number(0, LONGEST)
        if end <= start:
            each["end"].wrong(f"after its start, {start:g}")
        if chords and start < chords[-1].end - _NEAR:
            each["start"].wrong(f"{chords[-1].end:g} or later, when the chord before has ended")
        root, bass = each["root"].whole(0, 11), each["bass"].whole(0, 11)
        chords.append(Chord(start, end, root, each["quality"].one_of(QUALITIES), bass))
    beats = score["beats_per_bar"].whole(1, 16)
    return Score(score["bpm"].number(40, 240), beats, key, tuple(chords), score["downbeat"].number(-LONGEST, LONGEST))
