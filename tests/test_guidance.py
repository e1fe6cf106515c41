"""When each condition guides, and that the time told beforehand counts what the sampler does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toy_flow import awake_flow
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.unisinger import UniSinger
from unisinger_cli.pipeline.estimate import _passes
from unisinger_cli.requests import ConvertRequest, SamplerConfig, SongRequest, one_voice
from unisinger_cli.stages.guidance import TURN, guidance
from unisinger_cli.stages.sample import sample
from unisinger_cli.types import Condition, Timbre

DEBUG = PRESETS["debug"]
FRAMES = 40
VOICE = one_voice(Path("voice.wav"))


@pytest.fixture(scope="module")
def model() -> UniSinger:
    model = UniSinger.random(DEBUG)
    model.flow = awake_flow(DEBUG)
    return model.eval()


def condition(task: int) -> Condition:
    """All that the task sees: tasks 0 and 2 words, 1 and 3 content."""
    rng = np.random.default_rng(0)
    words = rng.integers(2, len(DEBUG.phonemes), FRAMES) if task in (0, 2) else None
    content = rng.integers(DEBUG.content.codes, size=FRAMES) if task in (1, 3) else None
    voice, singer = (vector / np.linalg.norm(vector) for vector in rng.standard_normal((2, DEBUG.timbre.dim)))
    return Condition(
        task,
        FRAMES,
        ("vocal",) if task == 1 else ("vocal", "accomp"),
        words,
        content,
        np.full(FRAMES, 200.0, dtype=np.float32),
        None if task == 1 else np.zeros((FRAMES, DEBUG.score_dim), dtype=np.float32),
        None if task == 1 else np.array([0]),
        None if task == 0 else Timbre(voice.astype(np.float32)),
        Timbre(singer.astype(np.float32)) if task in (1, 3) else None,
    )


def test_voice_guides_the_vocal_early_and_words_late_and_harmony_the_band() -> None:
    sampler = SamplerConfig(words=3.0, voice=7.0, accomp=2.0, source=4.0)
    band = {"instruct_on+score_on": (1.0, 2.0)}
    for t in (0.0, TURN - 0.01):
        assert guidance(condition(2), sampler, t) == band | {"speaker_on": (7.0, 1.0)}
        assert guidance(condition(1), sampler, t) == {"speaker_on": (7.0, 1.0), "source": (4.0, 1.0)}
    for t in (TURN, 0.95):
        assert guidance(condition(2), sampler, t) == band | {"phoneme_on": (3.0, 1.0)}
        assert guidance(condition(1), sampler, t) == {"semantic_on": (3.0, 1.0)}
    assert guidance(condition(0), sampler, 0.0) == band  # nobody's voice


@pytest.mark.parametrize("name", ["words", "voice", "source"])
def test_guidance_is_heard(model: UniSinger, name: str) -> None:
    made = [
        sample(model, condition(1), replace(SamplerConfig(steps=8), **{name: scale}), lambda *a: None)["vocal"].read(
            0, FRAMES
        )
        for scale in (1.0, 4.0)
    ]
    assert np.abs(made[0] - made[1]).max() > 1e-3


def test_nobody_is_led_away_from_himself(model: UniSinger) -> None:
    own = replace(condition(1), singer=condition(1).timbre)
    made = [
        sample(model, own, SamplerConfig(steps=8, source=scale), lambda *a: None)["vocal"].read(0, FRAMES)
        for scale in (1.0, 4.0)
    ]
    np.testing.assert_allclose(made[0], made[1], atol=1e-4)


@pytest.mark.parametrize(
    ("steps", "words", "voice", "accomp", "source"),
    [(1, 2, 8, 1.5, 3), (16, 2, 8, 1.5, 3), (7, 1, 8, 1, 1), (10, 3, 1, 2, 3), (5, 1, 1, 1, 1)],
)
@pytest.mark.parametrize("task", range(4))
def test_the_estimate_counts_the_passes_of_the_sampler(
    model: UniSinger,
    monkeypatch: pytest.MonkeyPatch,
    task: int,
    steps: int,
    words: float,
    voice: float,
    accomp: float,
    source: float,
) -> None:
    sampler = SamplerConfig(steps=steps, words=words, voice=voice, accomp=accomp, source=source)
    asked = 0
    network = model.flow.network.forward

    def counted(*arguments: object) -> object:
        nonlocal asked
        asked += 1
        return network(*arguments)

    monkeypatch.setattr(model.flow.network, "forward", counted)
    sample(model, condition(task), sampler, lambda *a: None)
    if task in (0, 2):
        request = SongRequest("la", ref=VOICE if task == 2 else (), sampler=sampler)
    else:
        request = ConvertRequest(Path("in.wav"), VOICE, accomp="new" if task == 3 else "none", sampler=sampler)
    assert _passes(request, 1 if task == 1 else 2) == asked
