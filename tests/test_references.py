"""What training hears of a voice is that voice's own, and never what is to be learned."""

from __future__ import annotations

import torch

from toy_flow import CHANNELS, made_clip
from unisinger_cli.model.config import PRESETS
from unisinger_cli.model.sounds import SoundTable
from unisinger_cli.training.features import LATENT_STEP
from unisinger_cli.training.references import References

CONFIG = PRESETS["debug"]


def of_clips(
    clips: list[tuple[dict[str, object], dict[str, torch.Tensor]]], sounds: SoundTable | None = None
) -> References:
    """References of clips that follow each other from frame 1 on."""
    vocal = torch.cat([torch.zeros(1, CHANNELS, dtype=torch.int8), *(t["vocal"] for _, t in clips)])
    codes = torch.cat([torch.zeros(1, dtype=torch.int16), *(t["content"][0] for _, t in clips)])
    lengths = [len(t["vocal"]) for _, t in clips]
    starts = [1 + sum(lengths[:i]) for i in range(len(clips))]
    return References(clips, starts, vocal, codes, SoundTable(CONFIG) if sounds is None else sounds, CONFIG)


def talking() -> SoundTable:
    """A table to which code 4 is a pause, and every other one a phoneme."""
    sounds = SoundTable(CONFIG)
    sounds.said[:, 5] = 1.0
    sounds.kind.fill_(5)
    sounds.kind[4] = sounds.pause
    return sounds


def counting(
    name: str, frames: int, level: int, stretches: int = 1
) -> tuple[dict[str, object], dict[str, torch.Tensor]]:
    """A clip whose latents tell in channel 0 which thirty frames they are of, and in channel 1 whose."""
    row, tensors = made_clip(name, torch.eye(stretches, CONFIG.timbre.dim), frames)
    tensors["vocal"] = torch.full((frames, CHANNELS), level, dtype=torch.int8)
    tensors["vocal"][:, 0] = (torch.arange(frames) // 30).to(torch.int8)
    tensors["content"] = torch.full_like(tensors["content"], 3)
    return row, tensors


def test_a_reference_is_its_speakers() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.nn.functional.normalize(torch.randn(3, CONFIG.timbre.dim, generator=generator), dim=-1)
    noise = torch.randn(3, 5, CONFIG.timbre.dim, generator=generator) * 0.5 / CONFIG.timbre.dim**0.5
    stretches = torch.nn.functional.normalize(centres[:, None] + noise, dim=-1)
    references = of_clips([made_clip(name, stretches[i]) for i, name in enumerate(("a", "b", "c"))])
    who = torch.arange(3).repeat_interleave(40)
    window = 40 * who[:, None] + torch.arange(1, 9)
    drawn = references.draw(who, window, torch.ones_like(window, dtype=torch.bool))["timbre"]
    named = drawn.any(dim=-1)  # some are shown by their sounds alone
    assert 0.4 < named.float().mean() < 0.8
    torch.testing.assert_close(drawn[named].norm(dim=-1), torch.ones(int(named.sum())))
    assert ((drawn @ centres.T).argmax(1) == who)[named].all()  # never another's
    first = drawn[:40][named[:40]]
    same = (first @ first.T)[~torch.eye(len(first), dtype=torch.bool)]
    assert 0.5 < same.mean() < 0.98  # and never twice the same


def test_moments_are_the_speakers_own_and_never_what_is_to_be_learned() -> None:
    frames = 3000
    clips = [counting(name, frames, 10 * (i + 1)) for i, name in enumerate(("a", "b"))]
    for _, tensors in clips:
        tensors["content"][:, frames // 2 :] = 4
    references = of_clips(clips, talking())
    who = torch.tensor([0, 1]).repeat(20)
    window = 1 + frames * who[:, None] + 600 + torch.arange(CONFIG.flow.window)
    found = references.draw(who, window, torch.ones_like(window, dtype=torch.bool))
    there = found["moments_there"]
    assert there.any(1).all() and not there.all()
    speaker = (found["moments"][..., 1] / LATENT_STEP).round()
    assert (speaker[there] == (10 * (who + 1))[:, None].expand_as(there)[there]).all()
    assert (found["moment_codes"][there] == 3).all()  # nothing is heard of him in a pause
    place = (found["moments"][..., 0] / LATENT_STEP).round() * 30
    inside = (place >= 600) & (place + 30 <= 600 + CONFIG.flow.window)
    assert not (inside & there).any()


def test_of_a_speaker_with_one_short_clip_a_part_is_learned_and_the_other_heard() -> None:
    torch.manual_seed(0)
    short, n = 100, CONFIG.flow.window
    references = of_clips([counting("a", short, 10, stretches=5), counting("b", 20 * n, 20)], talking())
    frame = torch.arange(n)
    known = torch.where(frame < short, 1 + frame, torch.zeros_like(frame))  # filled up with silence
    window = torch.stack([known] * 30 + [1 + short + frame])
    who = torch.tensor([0] * 30 + [1])
    learned = references.split(who, window)
    assert learned[-1].all()  # of the other there is enough outside of the window
    share = learned[:30, :short].float().mean(1)
    assert ((share > 0.3) & (share < 0.7)).all() and learned[:30, 0].any() and not learned[:30, 0].all()
    edges = (learned[:30, 1:] != learned[:30, :-1]).sum(1)
    assert (edges == 1).all()
    found = references.draw(who, window, learned)
    place = (found["moments"][:30, :, 0] / LATENT_STEP).round() * 30
    there = found["moments_there"][:30]
    assert there.any(1).float().mean() > 0.8  # there is something to hear him in
    for i in range(30):
        heard = set(place[i][there[i]].int().tolist())
        learning = set((frame[learned[i, :short].nonzero()[:, 0]] // 30 * 30).tolist())
        assert len(heard & learning) <= 1  # but for the thirty frames that the cut goes through
    # stretch k is axis k: what the vector is made of does not lie in what is learned, if any other does
    axes = found["timbre"][:30, :5]
    for i in (i for i in range(30) if found["timbre"][i].any()):
        inside = [k for k in range(5) if learned[i, 20 * k : 20 * (k + 1)].all()]
        outside = [k for k in range(5) if k not in inside]
        assert inside and axes[i, inside].abs().max() < 0.2 < axes[i, outside].abs().max()
