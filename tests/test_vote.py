"""The vote of several recognisers, against brute force and on cases made to show what it is for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import sung
from toys import tiny_whisper
from unisinger_cli.errors import ModelError, UsageError
from unisinger_cli.stages.recognisers import choose_recogniser, hear
from unisinger_cli.stages.transcribe import HeardWord
from unisinger_cli.stages.vote import GAP, Slot, align, cost, slots_of, spelling, vote
from unisinger_cli.types import Floats

TEXT = """we shall go down to the river when the evening light is low and the boats are coming homeward
on the silver tide they know sing a song of summer weather sing a song of falling rain all the
roads we walked together lead us to the sea again"""


def words(text: str) -> list[HeardWord]:
    return [HeardWord(word, i * 0.5, i * 0.5 + 0.4) for i, word in enumerate(text.split())]


def said(heard: Sequence[HeardWord]) -> str:
    return " ".join(word.text for word in heard)


# ---------------------------------------------------------------- alignment
def ways(n: int, m: int) -> Iterator[list[tuple[int | None, int | None]]]:
    """Every alignment of n slots and m words."""
    if not n and not m:
        yield []
    if n and m:
        yield from ([*way, (n - 1, m - 1)] for way in ways(n - 1, m - 1))
    if n:
        yield from ([*way, (n - 1, None)] for way in ways(n - 1, m))
    if m:
        yield from ([*way, (None, m - 1)] for way in ways(n, m - 1))


def price(way: Sequence[tuple[int | None, int | None]], slots: Sequence[Slot], heard: Sequence[HeardWord]) -> float:
    total = 0.0
    for i, j in way:
        word = None if j is None else heard[j]
        total += GAP if i is None else sum(cost(entry, word) for entry in slots[i]) / len(slots[i])
    return total


spoken = st.lists(st.sampled_from(["la", "lah", "moon", "noon", "on"]), max_size=4).map(lambda w: words(" ".join(w)))


@settings(max_examples=60, deadline=None)
@given(st.lists(spoken, min_size=1, max_size=3), spoken)
def test_no_alignment_is_cheaper(before: list[list[HeardWord]], heard: list[HeardWord]) -> None:
    slots = slots_of(before)[:4]
    found = align(slots, heard)
    assert [i for i, _ in found if i is not None] == list(range(len(slots)))
    assert [j for _, j in found if j is not None] == list(range(len(heard)))
    assert price(found, slots, heard) == pytest.approx(
        min(price(way, slots, heard) for way in ways(len(slots), len(heard)))
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(spoken, min_size=1, max_size=4))
def test_every_engine_keeps_all_its_words_in_order(hypotheses: list[list[HeardWord]]) -> None:
    slots = slots_of(hypotheses)
    for engine, heard in enumerate(hypotheses):
        assert [slot[engine] for slot in slots if slot[engine] is not None] == heard
    assert all(any(entry is not None for entry in slot) for slot in slots)


def test_of_two_equal_words_the_nearer_in_time_is_meant() -> None:
    slots = [(HeardWord("la", 0.0, 0.4),), (HeardWord("la", 5.0, 5.4),)]
    assert align(slots, [HeardWord("la", 5.1, 5.4)]) == [(0, None), (1, 0)]
    assert align(slots, [HeardWord("la", 0.1, 0.4)]) == [(0, 0), (1, None)]


# ---------------------------------------------------------------- the vote
def test_one_engine_is_believed() -> None:
    verdict = vote([words("all by myself")])
    assert said(verdict.words) == "all by myself" and verdict.agreement == 1.0


@pytest.mark.parametrize("count", [2, 3, 5])
def test_who_agree_are_believed(count: int) -> None:
    verdict = vote([words("sing a song")] * count)
    assert verdict.words == tuple(words("sing a song")) and verdict.agreement == 1.0


def test_nobody_heard_anything() -> None:
    assert vote([]).words == vote([[]]).words == vote([[], [], []]).words == ()


def test_most_heard_nothing() -> None:
    """What one engine makes up over an interlude is outvoted."""
    verdict = vote([words("thanks for watching"), [], []])
    assert verdict.words == () and verdict.agreement == pytest.approx(1 / 3)


def test_a_deaf_engine_is_outvoted() -> None:
    assert said(vote([[], words("oh my love"), words("oh my love")]).words) == "oh my love"


@pytest.mark.parametrize(
    ("heard", "verdict"),
    [
        (["the cat sat", "the bat sat", "the cat sat"], "the cat sat"),  # a wrong word
        (["the cat sat", "the cat sat down", "the cat sat"], "the cat sat"),  # one too many
        (["cat sat", "the cat sat", "the cat sat"], "the cat sat"),  # one too few
        (["the cat", "the hat", "the bat"], "the cat"),  # no two agree: the first is believed
        (["the cat", "the hat"], "the cat"),
        (["the", "the cat"], "the"),
        (["The cat,", "the cat", "THE CAT!"], "The cat,"),  # spelled as by the first
    ],
)
def test_cases(heard: list[str], verdict: str) -> None:
    assert said(vote([words(text) for text in heard]).words) == verdict


def test_agreement_is_the_share_of_pairs_that_say_the_same() -> None:
    assert vote([words("a b c d"), words("a b x d")]).agreement == pytest.approx(3 / 4)
    assert vote([words("a b"), words("a b"), words("a x")]).agreement == pytest.approx((3 + 1) / 6)


def test_a_word_sounds_when_its_voters_say() -> None:
    heard = [[HeardWord("la", start, start + 1)] for start in (1.0, 1.2, 1.3)] + [[HeardWord("no", 0.0, 9.0)]]
    assert vote(heard).words == (HeardWord("la", 1.2, 2.2),)


def errors(heard: Sequence[HeardWord], truth: Sequence[str]) -> int:
    """Word errors: substitutions, insertions and deletions."""
    row = list(range(len(truth) + 1))
    for i, word in enumerate(heard, 1):
        last, row[0] = row[0], i
        for j, true in enumerate(truth, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (spelling(word) != true))
    return row[-1]


def misheard(rng: np.random.Generator) -> list[HeardWord]:
    """TEXT with an error in every fifth word: a wrong one, none, or the same twice."""
    heard = []
    for word in words(TEXT):
        kind = rng.random()
        if kind < 0.1:
            word = HeardWord(str(rng.choice(TEXT.split())), word.start, word.end)
        heard += [] if 0.1 <= kind < 0.15 else [word, word] if 0.15 <= kind < 0.2 else [word]
    return heard


def test_the_vote_beats_every_engine() -> None:
    """Engines that each err in places of their own: three of them halve the errors of the best, four do better."""
    rng, truth = np.random.default_rng(0), TEXT.split()
    total = np.zeros(6)
    for _ in range(20):
        engines = [misheard(rng) for _ in range(4)]
        votes = [vote(engines[:3]).words, vote(engines).words]
        total += [errors(heard, truth) for heard in (*engines, *votes)]
    rate = total / (20 * len(truth))
    assert rate[:4].min() > 0.18  # measured: 0.20 0.20 0.19 0.21, by vote 0.086 and 0.046
    assert rate[4] < rate[:3].min() / 2 and rate[5] < rate[4]


# ---------------------------------------------------------------- engines
class Ears:
    """An engine that hears this, and takes it for that language."""

    rate = 16000

    def __init__(self, text: str, language: str = "en") -> None:
        self.text, self.language, self.asked = text, language, list[str | None]()

    def hear(self, samples: Floats, language: str | None) -> tuple[str, list[list[tuple[str, float, float]]]]:
        assert samples.shape == (16000,)
        self.asked.append(language)
        return language or self.language, [[(f" {w.text}", w.start, w.end) for w in words(self.text)]]


def test_the_language_is_what_most_take_it_for() -> None:
    engines = [Ears("hallo", "nl"), Ears("hallo", "de"), Ears("hallo - welt", "de")]
    language, verdict = hear(sung(1.0), engines)
    assert language == "de" and said(verdict.words) == "hallo"
    assert [engine.asked for engine in engines] == [[None, "de"], [None], [None]]
    assert hear(sung(1.0), engines, "en")[0] == "en"


def test_scripts_without_spaces_are_voted_on_by_character() -> None:
    engines = [Ears("你好 吗", "zh"), Ears("你 好吗", "zh"), Ears("他好吗", "zh")]
    assert "".join(word.text for word in hear(sung(1.0), engines)[1].words) == "你好吗"
    assert [w.text for w in hear(sung(1.0), [Ears("きょう", "ja")])[1].words] == ["きょ", "う"]


def test_an_engine_of_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text("def engine(device): return ('engine on', device)\n")
    about = tmp_path / "mine-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[unisinger.recognisers]\nmine = mine:engine\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert choose_recogniser("mine", "cpu") == ("engine on", "cpu")
    with pytest.raises(UsageError, match="firered") as caught:
        choose_recogniser("firered")
    assert "mine" in caught.value.hint and "whisper-small" in caught.value.hint


def test_whispers_by_size_and_by_file(tmp_path: Path) -> None:
    pytest.importorskip("whisper")
    assert choose_recogniser(f"whisper:{tiny_whisper(tmp_path / 'own.pt')}", "cpu", threads=1).rate == 16000
    for size in ("tiny", "base", "small"):
        with pytest.raises(ModelError) as caught:
            choose_recogniser(f"whisper-{size}", "cpu", threads=1)
        assert f"models pull whisper-{size}" in caught.value.hint
