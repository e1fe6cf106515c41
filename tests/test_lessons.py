"""Lessons: whose words and whose voice are asked for, what a listener hears, and that a flow learns from it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from conftest import Run
from toy_flow import CHANNELS, awake_flow, data_of, made_clip
from unisinger_cli.model.conditioning import Conditions
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.flow import draw_times
from unisinger_cli.training.critic import CriticLoss, Heard, LatentCritic
from unisinger_cli.training.features import OTHERS
from unisinger_cli.training.flow import FlowTrainee
from unisinger_cli.training.flow_data import FlowData
from unisinger_cli.training.lessons import Lessons
from unisinger_cli.training.listener import FRAMES, HEIGHTS, Listener, ListenerLoss, heights
from unisinger_cli.training.loop import run

DEBUG = PRESETS["debug"]
CONFIG = replace(DEBUG, flow=replace(DEBUG.flow, window=FRAMES))
SINGERS = {"anna": 220.0, "bert": 100.0, "carl": 110.0}


VOICED = torch.full((1, FRAMES), 200.0)
SAME = torch.zeros(1, FRAMES, dtype=torch.long)  # one sound throughout
CODES = CONFIG.content.codes


def singers(size: int, kind: str = "speech") -> FlowData:
    """Three singers, each at his height and with latents of his own; of each, one phoneme and then another."""
    torch.manual_seed(0)
    clips = []
    for number, (name, hz) in enumerate(SINGERS.items()):
        row, tensors = made_clip(name, torch.randn(3, CONFIG.timbre.dim), 4 * FRAMES)
        said = torch.arange(4 * FRAMES) // 20 % 2
        own = torch.zeros(CHANNELS)
        own[10 + number] = 90.0
        tensors["vocal"] = (
            (10 * torch.randn(4 * FRAMES, CHANNELS) + own + 40 * said[:, None]).clamp(-127, 127).to(torch.int8)
        )
        tensors["phonemes"] = (3 + said).to(torch.int8)
        tensors["content"] = (said + torch.zeros(1 + len(OTHERS), 1)).to(torch.int16)
        tensors["hz"] = torch.full((4 * FRAMES,), hz, dtype=torch.float16)
        tags = [kind if kind == "speech" else "singing", "female" if name == "anna" else "male"]
        clips.append((row | {"kind": kind, "tags": tags}, tensors))
    data = data_of(clips, size)
    data.task_weight.copy_(torch.tensor([0.0, 0.5, 0.5, 0.0]))
    return data


def listening(data: FlowData, steps: int = 40) -> Listener:
    """A listener who knows these singers."""
    torch.manual_seed(0)
    listener = Listener(CHANNELS, len(CONFIG.phonemes), CODES, list(data.references.speaker_id))
    loss = ListenerLoss(listener, data)
    optimiser = torch.optim.AdamW(listener.parameters(), 1e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        loss()["loss"].backward()
        optimiser.step()
    return listener.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def listener() -> Listener:
    return listening(singers(8))


@pytest.mark.parametrize("kind", ["speech", "song"])
def test_another_sings_where_he_lies(kind: str) -> None:
    data = singers(64, kind)
    batch = data.draw()
    listener = Listener(CHANNELS, len(CONFIG.phonemes), CODES, list(SINGERS))
    asked, singer = Lessons(awake_flow(CONFIG), data, listener).ask(batch)
    assert set(singer.tolist()) == {0, 1, 2}
    there = asked.moments_there[:, 0]
    assert there.float().mean() > 0.5
    assert torch.equal(asked.moments[there, 0, 10:13].argmax(1), singer[there])
    assert torch.equal(asked.content, batch.conditions.content)
    told = {name: asked.tags[:, CONFIG.tags.index(name)] > 0 for name in ("female", "male", "speech", "singing")}
    whose = torch.where(asked.speaker_on, singer, batch.speaker)
    assert torch.equal(told["female"], whose == 0) and torch.equal(told["male"], whose != 0)
    assert told["speech" if kind == "speech" else "singing"].all()
    height = torch.tensor(list(SINGERS.values()))
    own, wanted = height[batch.speaker], height[singer]
    spoken = torch.where(asked.speaker_on, wanted, own)
    octaves = (wanted / own).log2().round() * asked.speaker_on
    expected = own * 2**octaves if kind == "song" else spoken
    assert ((asked.pitch / expected[:, None]).log2().abs() < 0.01).all()  # 12 cents: F0 is kept in 16 bits
    assert (asked.speaker_on & (singer != batch.speaker)).any()


def test_a_listener_hears_who_and_what(listener: Listener) -> None:
    told = ListenerLoss(listener, singers(64))()
    assert told["recognised"] > 0.9 and told["right"] > 0.9


def test_heights_are_semitones() -> None:
    hz = torch.tensor([0.0, 20.0, 55.0, 440.0, 452.0, 467.0, 5000.0])
    found = heights(hz)
    assert found[0] == 0 and found[1] == 1 and found[-1] == HEIGHTS - 1
    assert found[3] == found[4] == found[5] - 1 == found[2] + 36


def test_a_listener_is_the_same_from_its_file(tmp_path: Path) -> None:
    listener = listening(singers(8), steps=2)
    listener.save(tmp_path / "part.safetensors", {})
    again = Listener.load(tmp_path / "part.safetensors")
    latents = torch.randn(2, FRAMES, CHANNELS)
    told, once_more = (vars(each(latents, VOICED, SAME.expand(2, -1))) for each in (listener, again))
    for name, logits in told.items():
        assert torch.equal(logits, once_more[name])
    assert again.voices == list(SINGERS)
    assert not any(weight.requires_grad for weight in again.parameters())


def test_a_margin_asks_more_of_the_own_voice_alone() -> None:
    listener = listening(singers(8), steps=2)
    latents, who = torch.randn(3, FRAMES, CHANNELS), torch.tensor([0, 1, 2])
    given = latents, VOICED, SAME.expand(3, -1)
    plain, strict = listener(*given).voices, listener(*given, who, 0.2).voices
    mine = torch.eye(3, dtype=torch.bool)
    assert (strict[mine] < plain[mine]).all() and torch.equal(strict[~mine], plain[~mine])


def test_a_voice_is_its_colour_and_not_how_it_moves() -> None:
    """Of the same sounds in another order words change, and the voice but for where they meet."""
    listener = listening(singers(8), steps=2)
    latents = torch.randn(4, FRAMES, CHANNELS)
    codes = torch.randint(CODES, (4, FRAMES))
    told = listener(latents, VOICED, codes)
    turned = listener(latents.roll(FRAMES // 2, 1), VOICED, codes.roll(FRAMES // 2, 1))
    apart = (told.voices - told.voices.roll(1, 0)).abs().max()
    assert (told.voices - turned.voices).abs().max() < 0.1 * apart
    assert (told.words - turned.words).abs().max() > 1.0
    pauses = torch.arange(FRAMES) >= FRAMES // 2
    noisy = latents + pauses[:, None] * torch.randn_like(latents)
    hz = 200.0 * (torch.arange(FRAMES) < FRAMES // 2 - 8).expand(4, -1)  # the ear for voices reaches over four frames
    torch.testing.assert_close(listener(latents, hz, codes).voices, listener(noisy, hz, codes).voices)


def test_one_sound_is_enough_to_know_a_voice_by(listener: Listener) -> None:
    data = singers(64)
    batch = data.draw()
    asked = batch.conditions.crop(0, FRAMES)
    for sound in (0, 1):
        heard = listener(batch.latents[:, 0, :FRAMES], asked.pitch * (asked.content == sound), asked.content)
        assert (heard.voices.argmax(1) == batch.speaker).float().mean() > 0.9


def taught(critic: LatentCritic, heard: Heard) -> dict[str, torch.Tensor]:
    loss = CriticLoss(critic, heard)
    optimiser = torch.optim.AdamW(critic.parameters(), 1e-3)
    for _ in range(60):
        optimiser.zero_grad()
        loss()["loss"].backward()
        optimiser.step()
    return loss()


def test_the_critic_learns_what_was_sung() -> None:
    torch.manual_seed(0)
    recorded = torch.randn(8, 32, 8).cumsum(1) / 8
    sung = recorded.flip(0).roll(1, 2).sign()
    heard = Heard.nothing(8, 32, 8, torch.device("cpu"))
    heard.keep((sung, recorded), (torch.full((8, 32), 200.0),) * 2, torch.zeros(8, 32, dtype=torch.long))
    told = taught(LatentCritic(8, 4), heard)
    assert told["made"] < -0.3 and told["real"] > 0.3
    assert told["loss"] < 1.2  # 2 where nothing is told apart


def test_the_critic_knows_what_should_have_been_sung() -> None:
    """Latents that would be right on another code are wrong on theirs."""
    torch.manual_seed(0)
    codes = torch.randint(2, (8, 32))
    recorded = 2.0 * codes[..., None] - 1 + 0.3 * torch.randn(8, 32, 8)
    heard = Heard.nothing(8, 32, 8, torch.device("cpu"))
    heard.keep((-recorded, recorded), (torch.full((8, 32), 200.0),) * 2, codes)
    assert taught(LatentCritic(8, 2), heard)["loss"] < 1.2


def test_no_time_is_a_lesson_alone(monkeypatch: pytest.MonkeyPatch, listener: Listener) -> None:
    """At 0, where no recording was learned from, a flow sang noise ten times too loud, and lessons were pleased."""
    data = singers(64)
    flow = awake_flow(CONFIG)
    lessons = Lessons(flow, data, listener)
    asked_at: list[torch.Tensor] = []
    plain = flow.network.forward

    def spied(latent: torch.Tensor, t: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        asked_at.append(t)
        return plain(latent, t, conditions)

    monkeypatch.setattr(flow.network, "forward", spied)
    lessons.sing(lessons.ask(data.draw())[0])
    times = torch.stack(asked_at)
    assert (times.diff(dim=0) > 0).all() and times.min() > 0 and times.max() < 1
    assert all(len(set(step.tolist())) == 64 for step in times)
    assert times[0].max() < 0.1  # where a sampler begins
    torch.manual_seed(0)
    recorded = draw_times(100_000, torch.device("cpu"))
    for begin, end in pairwise(torch.linspace(0, times.max(), 20).tolist()):
        assert ((recorded > begin) & (recorded < end)).float().mean() > 0.005


def test_what_nobody_wrote_down_is_heard_in_the_recording(listener: Listener) -> None:
    """In conversions, that is: a song whose words are not known is not asked for any."""
    data = singers(64)
    lessons = Lessons(awake_flow(CONFIG), data, listener)
    batch = data.draw()
    asked = lessons.ask(batch)[0].crop(0, FRAMES)
    said = batch.labels.clone()
    batch.labels[::2] = -1
    words = lessons._words(batch, asked)
    told = asked.semantic_on | asked.phoneme_on
    assert torch.equal(words[1::2][told[1::2]], said[1::2][told[1::2]])
    assert (words[~told] == -1).all()
    unknown = torch.arange(64) % 2 == 0
    converted = unknown & asked.semantic_on
    assert converted.any() and (words[converted] == said[converted]).float().mean() > 0.9
    assert (words[unknown & ~asked.semantic_on] == -1).all()


def test_a_flow_learns_to_sing_as_another(listener: Listener, tmp_path: Path) -> None:
    """With the listener as it is, less is wrong after lessons, in words and in voices; recordings are not forgotten."""
    data = singers(4)
    lessons = Lessons(awake_flow(CONFIG), data, listener)
    before_listening = {name: weight.clone() for name, weight in lessons.listener.state_dict().items()}
    trainee = FlowTrainee(lessons.flow, data, 6e-3, lessons=lessons)

    def wrong() -> dict[str, float]:
        torch.manual_seed(1)
        with torch.no_grad():
            return {name: sum(float(lessons()[name]) for _ in range(2)) / 2 for name in ("words", "voices")}

    before = wrong()
    last = run(trainee, tmp_path / "run", device=torch.device("cpu"), steps=45, log_every=1e9)
    after = wrong()
    assert after["words"] < 0.8 * before["words"] and after["voices"] < 0.8 * before["voices"], (before, after)
    assert {"flow/loss", "lessons/words", "lessons/voices", "critic/loss"} <= set(last)
    assert all(torch.equal(weight, before_listening[name]) for name, weight in lessons.listener.state_dict().items())


def test_lessons_have_a_learning_rate_of_their_own() -> None:
    data = singers(4)
    lessons = Lessons(awake_flow(CONFIG), data, Listener(CHANNELS, len(CONFIG.phonemes), CODES, list(SINGERS)))
    trainee = FlowTrainee(lessons.flow, data, 2e-3, lessons=lessons, lesson_rate=0.05)
    rates = {phase.name: phase.rate for phase in trainee.phases(0.5)}
    assert rates == pytest.approx({"flow": 2e-3, "lessons": 1e-4, "critic": 1e-3})
    assert trainee.beside == {"critic": lessons.critic}


def test_an_accompaniment_is_not_taught_by_what_is_heard_of_a_voice() -> None:
    data = singers(4)
    flow = awake_flow(CONFIG)
    lessons = Lessons(flow, data, Listener(CHANNELS, len(CONFIG.phonemes), CODES, list(SINGERS)))
    told: list[torch.Tensor] = []  # velocities of each step
    flow.network.register_forward_hook(lambda _, __, found: told.append(found) or found.retain_grad())
    lessons.sing(lessons.ask(data.draw())[0].crop(0, FRAMES))[:, 0].square().sum().backward()
    assert len(told) > 1
    for velocity in told:
        assert velocity.grad is not None
        assert velocity.grad[:, 0].abs().max() > 0 and velocity.grad[:, 1:].abs().max() == 0


def test_a_listener_of_other_voices_is_refused() -> None:
    data = singers(4)
    stranger = Listener(CHANNELS, len(CONFIG.phonemes), CODES, ["anna", "bert"])
    with pytest.raises(ValueError, match="carl"):
        Lessons(awake_flow(CONFIG), data, stranger)


def test_a_file_that_is_no_listener_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"x\.safetensors holds no listener"):
        Listener.load(tmp_path / "x.safetensors")


def test_only_a_flow_takes_lessons(tmp_path: Path, unisinger: Run) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "index.jsonl").write_text("")
    flags = "--data", "pack", "--steps", "1", "--listener", "x.safetensors", "--out", "out"
    refused = unisinger("train", "codec", *flags)
    assert refused.code == 2 and "--listener" in refused.err
    alone = unisinger("train", "flow", "--data", "pack", "--steps", "1", "--lesson-rate", "0.1", "--out", "out")
    assert alone.code == 2 and "--lesson-rate" in alone.err
    missing = unisinger("train", "flow", *flags[:-3], "no.safetensors", "--out", "out")
    assert missing.code == 3 and "no.safetensors does not exist" in missing.err
