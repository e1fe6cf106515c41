"""Lessons: a flow sings what no recording shows, one person's words in another's voice, and is told what was heard.

From recordings alone it learns to sing as their singers did; that a voice can be changed it has to guess, and what it
guesses is on the way between the two singers. In a lesson it sings from noise to sound in a few solver steps, with the
voice of someone else and the pitch moved to where he sings, and a listener of latents says whether the words are the
first one's, the voice the second one's, and the pitch what was asked for. All steps are derived, to the noise (Clark et
al. 2023, arXiv 2309.17400, "DRaFT"; listeners of words and voices in latent space, Li et al. 2024, arXiv 2410.11097,
"DMOSpeech"). A critic, which learns beside the flow, says whether it could be a recording.

Shapes: b batch, n latent frames, c channels.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unisinger_cli.model.conditioning import Conditions
from unisinger_cli.model.flow import Flow
from unisinger_cli.training.content import known_cross_entropy, share_right
from unisinger_cli.training.critic import Heard, LatentCritic
from unisinger_cli.training.flow_data import Batch, FlowData
from unisinger_cli.training.listener import FRAMES, Listener, heights

_STEPS = 5  # from noise to latents; where each ends is drawn anew, so that no grid is learned by heart
# Up to here lies where the first step begins. Were it 0 in every lesson, a flow would do there what pleases listeners
# and is unlike any recording: noise of four to ten times the size, heard as the voice, that leaves no accompaniment.
_FIRST = 0.05
_HEARD = 2 * FRAMES  # frames of a window that are sung
_WORDS, _HEIGHTS, _CRITIC = 5.0, 1.0, 0.5  # weights beside that of the voice, which is the easiest to please
_SOUNDING = 0.25  # share of a stretch that has to be voiced, if a voice is to be told by it
VOICE_TAGS = ("female", "male", "fullband", "narrowband")  # what a style says of the singer, and not of the song


class Lessons(nn.Module):
    """Its `forward()` draws a batch, sings it, and returns what is wrong by the listener."""

    def __init__(self, flow: Flow, data: FlowData, listener: Listener) -> None:
        super().__init__()
        unknown = set(data.references.speaker_id) - set(listener.voices)
        if unknown:
            raise ValueError(f"the listener does not know the voice {min(unknown)}: train it on the same features")
        self.flow, self.data, self.listener = flow, data, listener
        place = [listener.voices.index(name) for name in data.references.speaker_id]
        device, config = data.frames.device, flow.network.config
        self.place = torch.tensor(place, device=device)
        self.of_singer = torch.tensor([tag in VOICE_TAGS for tag in config.tags], device=device)
        speakers = data.speaker.tolist()
        self.tags = data.tags[[speakers.index(i) for i in range(len(place))]]  # of a recording of each
        channels = config.codec.channels
        self.critic = LatentCritic(channels, config.content.codes).to(device)
        self.heard = Heard.nothing(data.size, min(_HEARD, config.flow.window), channels, device)
        self.trust = torch.zeros((), device=device)  # 0..1, in the critic

    def ask(self, batch: Batch) -> tuple[Conditions, Tensor]:
        """The conditions of a batch with a voice out of all, each as likely as any other, and whose that is [b].

        Pitch moves to where he sings: by octaves where there is a key to keep, as conversions do. Of the style, what
        tells of the singer is his.
        """
        c, data = batch.conditions, self.data
        b, device = len(c.task), c.pitch.device
        singer = torch.randint(len(data.height), (b,), device=device)
        elsewhere = torch.zeros(b, 1, dtype=torch.long, device=device)  # silence: all that he sang may be heard
        voice = data.references.draw(singer, elsewhere, elsewhere == 0)
        voiced = (c.pitch > 0).float()
        height = (c.pitch.clamp_min(1.0).log2() * voiced).sum(1) / voiced.sum(1).clamp_min(1)
        octaves = data.height[singer] - height
        octaves = torch.where(batch.keyed, octaves.round(), octaves) * c.speaker_on
        moved = c.pitch * torch.exp2(octaves)[:, None]
        tags = torch.where(self.of_singer & c.speaker_on[:, None], self.tags[singer], c.tags)
        return c.map({"pitch": moved, "tags": tags, **voice}), singer

    def sing(self, conditions: Conditions) -> Tensor:
        """Latents [b, groups, n, c] of these conditions, from noise; only those of the vocal can be derived."""
        b, n = conditions.pitch.shape
        device, config = conditions.pitch.device, self.flow.network.config
        x = torch.randn(b, len(config.flow.groups), n, config.codec.channels, device=device)
        inner = torch.arange(1, _STEPS, device=device)[:, None] + torch.rand(_STEPS - 1, b, device=device) - 0.5
        first = _FIRST * torch.rand(1, b, device=device)
        times = torch.cat([first, inner / _STEPS, torch.ones(1, b, device=device)])
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            given = self.flow.network.prepare(conditions)
            for t, after in pairwise(times.unbind(0)):
                x = x + (after - t).view(b, 1, 1, 1) * self.flow.network(x, t, given).float()
                # nobody listens to an accompaniment here: derived, it could become a scratch pad for the voice
                x = torch.cat([x[:, :1], x[:, 1:].detach()], dim=1)
        return x

    @torch.no_grad()
    def _words(self, batch: Batch, asked: Conditions) -> Tensor:
        """What is to be heard, [b, n]: what is known to be said; in conversions else what the listener hears in the
        recording; -1 where the flow is not told any of it."""
        b, n = asked.pitch.shape
        recorded = batch.latents[:, 0, :n]
        found = self.listener.read(recorded.reshape(-1, FRAMES, recorded.shape[-1])).view(b, n)
        labels = batch.labels[:, :n]
        labels = torch.where((labels < 0) & asked.semantic_on[:, None], found, labels)
        return labels.masked_fill(~(asked.phoneme_on | asked.semantic_on)[:, None], -1)

    def forward(self) -> dict[str, Tensor]:
        batch = self.data.draw()
        asked, singer = self.ask(batch)
        asked = asked.crop(0, _HEARD)
        vocal = self.sing(asked)[:, 0]
        stretches = vocal.shape[1] // FRAMES
        with torch.autocast(vocal.device.type, torch.bfloat16, enabled=vocal.device.type == "cuda"):
            labels = self._words(batch, asked).reshape(-1, FRAMES)
            heard = self.listener(
                vocal.reshape(-1, FRAMES, vocal.shape[-1]),
                asked.pitch.reshape(-1, FRAMES),
                asked.content.reshape(-1, FRAMES),
            )
        height = heights(asked.pitch).masked_fill(~asked.pitch_on[:, None], -1).reshape(-1, FRAMES)
        sounding = (asked.pitch > 0).view(-1, FRAMES).float().mean(1) >= _SOUNDING
        counted = (sounding & asked.speaker_on.repeat_interleave(stretches)).float()
        wanted = self.place[singer].repeat_interleave(stretches)
        missed = F.cross_entropy(heard.voices, wanted, reduction="none")
        found = {
            "words": known_cross_entropy(heard.words, labels),
            "heights": known_cross_entropy(heard.heights, height),
            "voices": (missed * counted).sum() / counted.sum().clamp_min(1),
            "critic": -self.critic(vocal, asked.pitch, asked.content).mean(),
        }
        loss = _WORDS * found["words"] + _HEIGHTS * found["heights"] + found["voices"]
        loss = loss + _CRITIC * self.trust * found["critic"]
        recognised = ((heard.voices.argmax(1) == wanted) * counted).sum() / counted.sum().clamp_min(1)
        recorded = batch.latents[:, 0, :_HEARD], batch.conditions.pitch[:, :_HEARD]
        self.heard.keep((vocal, recorded[0]), (asked.pitch, recorded[1]), asked.content)
        return {"loss": loss, **found, "right": share_right(heard.words, labels), "recognised": recognised}
