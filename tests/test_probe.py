"""What tokens tell, and who is taken for whom: on tokens and similarities whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import RATE, sung
from unisinger_cli.evaluation.metrics import equal_error_rate
from unisinger_cli.evaluation.probe import Probe, histogram, nearest_centroid
from unisinger_cli.evaluation.shifted import shifted
from unisinger_cli.stages.pitch import track


def spell(phonemes: list[int], rng: np.random.Generator, length: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Labels of `length` frames a phoneme, and tokens: phoneme p is heard as one of the codes 2p and 2p + 1, or, in one
    frame of ten, as any."""
    labels = np.repeat(phonemes, length)
    tokens = 2 * labels + rng.integers(0, 2, len(labels))
    lost = rng.random(len(labels)) < 0.1
    return np.where(lost, rng.integers(0, 10, len(labels)), tokens), labels


def test_a_probe_reads_what_tokens_spell() -> None:
    rng = np.random.default_rng(0)
    probe = Probe.fit((spell(list(rng.permutation(5)), rng) for _ in range(200)), codes=10, phonemes=5)
    said = [0, 3, 1, 4, 2, 0, 2]
    tokens, labels = spell(said, rng)
    by_one, by_five = (float((probe.name(tokens, reach) == labels).mean()) for reach in (0, None))
    assert 0.8 < by_one < by_five
    assert probe.read(tokens) == said
    assert probe.stay == pytest.approx(np.full(5, 5 / 6), abs=0.01)
    assert probe.read(tokens[:0]) == []


def test_tokens_that_tell_nothing_are_named_by_the_commonest() -> None:
    rng = np.random.default_rng(1)
    labels = rng.choice(3, 3000, p=(0.6, 0.3, 0.1))
    probe = Probe.fit([(np.zeros(3000, dtype=np.int64), labels)], codes=4, phonemes=3)
    assert (probe.name(np.zeros(10, dtype=np.int64)) == 0).all()


def test_unknown_labels_teach_nothing() -> None:
    tokens = np.array([0, 0, 1, 1])
    probe = Probe.fit([(tokens, np.array([0, 0, -1, -1])), (tokens + 2, np.array([1, 1, 1, 1]))], 4, 2, reach=0)
    assert list(probe.name(np.array([0, 2, 3]))) == [0, 1, 1]


def test_speakers_by_their_tokens() -> None:
    """Two who use codes of their own are told apart; two who do not are not."""
    few, many = histogram(np.array([0, 0, 1]), 4), histogram(np.array([2, 3, 3]), 4)
    assert few @ few == pytest.approx(1) and few @ many == 0
    known = [("a", few), ("b", many)]
    assert nearest_centroid(known, known) == 1
    assert nearest_centroid(known, [("b", few), ("a", few)]) == 0.5
    assert nearest_centroid(known, []) is None


def test_a_shifted_voice_is_an_octave_off() -> None:
    pytest.importorskip("pyworld")
    voice = sung(1.5)
    for semitones, made in zip((-12.0, 12.0), shifted(voice, (-12.0, 12.0)), strict=True):
        assert made.samples.shape == voice.samples.shape
        before, after = (track(x, RATE / 1024).hz for x in (voice, made))
        both = (before > 0) & (after > 0)
        assert both.sum() > 20
        assert np.median(12 * np.log2(after[both] / before[both])) == pytest.approx(semitones, abs=0.2)


# ---------------------------------------------------------------- timbre
def test_equal_error_rate_by_hand() -> None:
    """At 0.5 one of three is refused, and one of three let through."""
    assert equal_error_rate([0.9, 0.8, 0.4], [0.5, 0.3, 0.2]) == pytest.approx(1 / 3)
    assert equal_error_rate([0.9, 0.8], [0.2, 0.1]) == 0
    assert equal_error_rate([0.1, 0.2], [0.8, 0.9]) == 1
    assert equal_error_rate([0.5] * 4, [0.5] * 4) == 0.5
    assert equal_error_rate([], [0.1]) is None
