"""The part "content": what tokens tell of the words, at the pitch of the recording and an octave off, and of the
speaker."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unisinger_cli.audio import mono_at, read
from unisinger_cli.corpus.pack import Row, read_index
from unisinger_cli.corpus.singers import timed
from unisinger_cli.errors import InputError
from unisinger_cli.evaluation.bench import Bench, other
from unisinger_cli.evaluation.clips import Clip
from unisinger_cli.evaluation.findings import Item, Part, Score, mean
from unisinger_cli.evaluation.probe import Probe, histogram, nearest_centroid
from unisinger_cli.evaluation.shifted import shifted
from unisinger_cli.evaluation.words import spoken
from unisinger_cli.stages.align import edits
from unisinger_cli.types import Audio, Floats, Ints

SHIFTS = {"_resynthesised": 0.0, "_octave_down": -12.0, "_octave_up": 12.0}  # by the vocoder, which costs something too
SECONDS = 8.0  # of each clip
_FITTED = 20  # clips for the probe, for each one that is measured; of each set alike
_OWN = 6  # clips of a speaker, at most, that tell who it is
Found = tuple[Path, Row]


@dataclass(frozen=True)
class _Read:
    """A clip, or its shifted self, as the tokens tell it, beside what is said."""

    kind: str
    shift: str
    frames: Ints  # of each phoneme that is said, [phonemes]
    by_one: int  # frames that are named right by their own token
    by_five: int  # and with two neighbours on either side
    said: tuple[str, ...]
    heard: tuple[str, ...]
    judged: float | None  # phoneme error rate of the judge of words


def kind_of(row: Row) -> str | None:
    """What a clip with timed phonemes can test: "speech" and "singing" of test voices, or "syllables", held-out clips
    of sung syllables whose voices were trained on; None for what was trained on."""
    if row["split"] == "test":
        return {"speech": "speech", "song": "singing", "sung": "singing"}.get(row["kind"])
    return "syllables" if row["split"] == "valid" and row["kind"] == "sung" else None


def run(bench: Bench, clips: Sequence[Clip], count: int) -> Part:
    """Up to `count` clips of each kind, read by probes that were fitted on training clips.

    Frames count where something is said, pauses and breaths left out; the control of the accuracy is to say everywhere
    the phoneme that is commonest there, that of the error rate to read the tokens of another clip. The floor, where a
    judge of words was given, is its own error rate on the recordings.
    """
    rng = np.random.default_rng(bench.sampler.seed)
    rows = [(pack, row) for pack in bench.packs for row in read_index(pack) if row["vocal"]]
    known = [(pack, row) for pack, row in rows if row["kind"] != "factory" and timed(row)]
    learned = _spread([each for each in known if each[1]["split"] == "train"], _FITTED * count, "set", rng)
    if not learned:
        return Part("content", (), (), ("no training clip of the packs has timed phonemes to fit a probe on",))
    probe = _fit(bench, learned)
    tests = defaultdict[str, list[Found]](list)
    for each in known:
        if (kind := kind_of(each[1])) is not None:
            tests[kind].append(each)
    asked = [(kind, each) for kind in sorted(tests) for each in _spread(tests[kind], count, "speaker", rng)]
    reads, items = [], []
    for _, (kind, each) in bench.each("reading tokens", asked):
        try:
            found = _read(bench, probe, kind, each)
        except InputError as error:
            bench.miss(each[1]["id"], error)
            continue
        reads += found
        values = {f"phoneme_error_rate{one.shift}": _rate(one.heard, one.said) for one in found}
        values |= {f"frame_accuracy{one.shift}": one.by_one / max(1, one.frames.sum()) for one in found}
        values["phoneme_error_rate_of_judge"] = found[0].judged
        items.append(Item(f"{kind}: {each[1]['id']}", values))
    scores = [score for kind in tests for shift in ("", *SHIFTS) for score in _scores(reads, kind, shift)]
    return Part("content", (*scores, *_speakers(bench, rows, rng)), tuple(items), tuple(bench.failed))


def _spread(found: Sequence[Found], count: int, key: str, rng: np.random.Generator) -> list[Found]:
    """Up to `count` in random order: one of each set (or speaker) first, then a second of each, and so on."""
    turn = Counter[str]()
    turns: list[tuple[int, int, Found]] = []
    for i in rng.permutation(len(found)):
        name = found[i][1][key]
        turns.append((turn[name], len(turns), found[i]))
        turn[name] += 1
    return [each for _, _, each in sorted(turns, key=lambda t: t[:2])[:count]]


def _sound(bench: Bench, path: Path) -> Audio:
    rate = bench.studio.rate
    return Audio(mono_at(read(path), rate)[None, : int(SECONDS * rate)], rate)


def _labels(bench: Bench, row: Row, frames: int) -> Ints:
    from unisinger_cli.training.dataset import label_frames

    return np.asarray(label_frames(row, frames, bench.studio.frame_rate, bench.studio.config.phoneme_ids))


def _fit(bench: Bench, learned: Sequence[Found]) -> Probe:
    heard = []
    for _, (pack, row) in bench.each("fitting probes", learned):
        tokens = bench.studio.content(_sound(bench, pack / row["vocal"])).tokens
        heard.append((tokens, _labels(bench, row, len(tokens))))
    return Probe.fit(heard, bench.studio.config.content.codes, len(bench.studio.config.phonemes))


def _read(bench: Bench, probe: Probe, kind: str, each: Found) -> list[_Read]:
    pack, row = each
    audio, names = _sound(bench, pack / row["vocal"]), bench.studio.config.phonemes
    said = spoken(symbol for symbol, start, end in row["phonemes"] if (start + end) / 2 < audio.seconds)
    pauses = [names.index(symbol) for symbol in ("_", "^")]
    found = []
    sounds = {"": audio} | dict(zip(SHIFTS, shifted(audio, tuple(SHIFTS.values())), strict=True))
    for shift, sound in sounds.items():
        tokens = bench.studio.content(sound).tokens
        labels = _labels(bench, row, len(tokens))
        counted = (labels >= 0) & ~np.isin(labels, pauses)
        by_one, by_five = (int((probe.name(tokens, reach) == labels)[counted].sum()) for reach in (0, None))
        frames = np.bincount(labels[counted], minlength=len(names))
        heard = spoken(names[i] for i in probe.read(tokens))
        judged = bench.errors(sound, said) if sound is audio else None
        found.append(_Read(kind, shift, frames, by_one, by_five, tuple(said), tuple(heard), judged))
    return found


def _rate(heard: Sequence[str], said: Sequence[str]) -> float | None:
    return edits(heard, said) / len(said) if said else None


def _scores(reads: Sequence[_Read], kind: str, shift: str) -> list[Score]:
    """Over all frames, and all phonemes, of a kind of clips at one pitch."""
    own = [one for one in reads if (one.kind, one.shift) == (kind, shift)]
    phonemes = sum(len(one.said) for one in own)
    if not phonemes:
        return []
    each = np.sum([one.frames for one in own], axis=0)
    frames, chance = int(each.sum()), float(each.max() / each.sum())
    by_one, by_five = (sum(getattr(one, name) for one in own) / frames for name in ("by_one", "by_five"))
    wrong = sum(edits(one.heard, one.said) for one in own) / phonemes
    crossed = sum(edits(own[other(i, len(own))].heard, one.said) for i, one in enumerate(own)) / phonemes
    scores = [
        Score(f"{kind}_frame_accuracy{shift}", by_one, chance, "the commonest phoneme"),
        Score(f"{kind}_frame_accuracy_of_five{shift}", by_five, chance, "the commonest phoneme"),
        Score(f"{kind}_phoneme_error_rate{shift}", wrong, crossed if len(own) > 1 else None, "another clip"),
    ]
    judged = mean(one.judged for one in own)
    return scores if judged is None else [*scores, Score(f"{kind}_phoneme_error_rate_of_judge", judged)]


def _speakers(bench: Bench, rows: Sequence[Found], rng: np.random.Generator) -> list[Score]:
    """Who speaks, by how often each code is used: half the clips of a speaker make his centroid, the others are asked.

    Speakers of the language that most have, of any split: there are few others with several clips, and one who was
    trained on is if anything easier to tell. Beside it the same with timbre vectors, which should find everybody.
    """
    speech = [each for each in rows if each[1]["kind"] == "speech"]
    tongues = Counter(row["language"].partition("-")[0] for _, row in speech)
    owned = defaultdict[str, list[Found]](list)
    for i in rng.permutation(len(speech)):
        if speech[i][1]["language"].partition("-")[0] == tongues.most_common(1)[0][0]:
            owned[speech[i][1]["speaker"]].append(speech[i])
    people = {name: own[:_OWN] for name, own in owned.items() if len(own) > 1}
    if len(people) < 2:
        return []
    heard: list[tuple[bool, str, dict[str, Floats]]] = []
    for _, (name, own) in bench.each("telling speakers apart", people.items()):
        for i, (pack, row) in enumerate(own):
            try:
                audio = _sound(bench, pack / row["vocal"])
                vector = bench.studio.singer(audio).vector
            except InputError as error:
                bench.miss(row["id"], error)
                continue
            codes = histogram(bench.studio.content(audio).tokens, bench.studio.config.content.codes)
            heard.append((i < len(own) // 2, name, {"tokens": codes, "timbre": vector}))
    scores = []
    for how in ("tokens", "timbre"):
        known, asked = (
            [(name, vectors[how]) for first, name, vectors in heard if first is side] for side in (True, False)
        )
        scores.append(Score(f"speaker_found_by_{how}", nearest_centroid(known, asked), 1 / len(people), "chance"))
    return scores
