"""Shapes and vocabularies of every network: one dataclass each, and the three presets.

A checkpoint's header carries the `ModelConfig` that built it, and that header alone is the authority on rates,
widths and ids once weights are loaded; the presets below are what a *new* model starts from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

FORMAT_VERSION = 1

# One inventory for all languages, in IPA; diphthongs and affricates are written as two symbols, length and stress
# are dropped (notes carry them). "_" is a pause, "^" an audible breath.
PHONEMES: tuple[str, ...] = (
    *"_ ^ p b t d k g ʔ m n ŋ f v θ ð s z ʃ ʒ ç x h ɕ ɹ l j w ɾ ʁ".split(),
    *"i y ɪ e ø ɛ œ æ a ɑ ɔ o ʊ u ʌ ə ɚ ɐ ɯ".split(),
)
VOWELS: frozenset[str] = frozenset("i y ɪ e ø ɛ œ æ a ɑ ɔ o ʊ u ʌ ə ɚ ɐ ɯ".split())

# What a caption can say (stages/style.py finds these in free text), and what the recordings are labelled with.
TAGS: tuple[str, ...] = (
    *"pop ballad folk rock electronic classical jazz acoustic".split(),
    *"piano guitar strings organ bass drums synth".split(),
    *"slow medium fast major minor".split(),
    *"calm bright dark energetic".split(),
    *"female male".split(),
    *"speech singing".split(),  # how the voice is used in a training clip
    *"fullband narrowband".split(),  # bandwidth of a training clip; asked for as "fullband"
)
SCORE_DIM = 29  # chord pitch classes 12, bass 12, beat phase 2, bar phase 2, "harmony is known" 1


@dataclass(frozen=True)
class CodecConfig:
    """VAE codec after a measured recipe (Vocos-like: ConvNeXt blocks and an ISTFT head)."""

    rate: int = 44100  # Hz
    hop: int = 1024  # samples per latent frame
    n_fft: int = 4096  # analysis and synthesis window
    channels: int = 72  # latent width
    levels: int = 8  # the first of these are levels of as many octaves (model/levels.py)
    encoder_width: int = 256
    encoder_blocks: int = 6
    decoder_width: int = 512
    decoder_blocks: int = 6
    source_bands: int = 160  # points of the decoder's filter for the harmonics
    expansion: int = 3  # hidden width of a ConvNeXt block over its width

    @property
    def frame_rate(self) -> float:
        return self.rate / self.hop

    def without_levels(self) -> CodecConfig:
        """The same codec, with nothing but what it finds itself in its latents."""
        return replace(self, channels=self.channels - self.levels, levels=0)


@dataclass(frozen=True)
class ContentConfig:
    """Phonetic encoder with a vector-quantised bottleneck, on the codec's clock."""

    mels: int = 80
    width: int = 192
    blocks: int = 8  # ConvNeXt-like, kernel 7 with growing dilation
    codes: int = 512  # codebook size
    code_dim: int = 32  # width in which codes are looked up


@dataclass(frozen=True)
class TimbreConfig:
    """CAM++-like speaker encoder (arXiv 2303.00332)."""

    mels: int = 80
    width: int = 128
    blocks: int = 12  # densely connected layers
    growth: int = 32
    dim: int = 192  # width of the speaker space


@dataclass(frozen=True)
class FlowConfig:
    """The MM-DiT. Two latent frames make one token; vocal and accompaniment share a token."""

    width: int = 320
    heads: int = 5
    joint_blocks: int = 4
    single_blocks: int = 4
    mlp: int = 3  # hidden width over width, latent stream
    mlp_condition: int = 2  # the same, condition stream
    patch: int = 2  # latent frames per token
    window: int = 512  # latent frames the model was trained on, 11.9 s
    moments: int = 96  # frames of a reference that can be looked up, at most
    groups: tuple[str, ...] = ("vocal", "accomp")
    task_masks: bool = True  # what a task must not see is nulled; without, only what is not there
    speaker_spaces: int = 1  # maps of a voice: one for all tasks, or 2, of which conversions have the second


@dataclass(frozen=True)
class ModelConfig:
    """Everything that one checkpoint holds."""

    name: str
    codec: CodecConfig = field(default_factory=CodecConfig)
    content: ContentConfig = field(default_factory=ContentConfig)
    timbre: TimbreConfig = field(default_factory=TimbreConfig)
    flow: FlowConfig = field(default_factory=FlowConfig)
    phonemes: tuple[str, ...] = PHONEMES
    tags: tuple[str, ...] = TAGS
    score_dim: int = SCORE_DIM

    @property
    def phoneme_ids(self) -> dict[str, int]:
        """Symbol -> its id."""
        return {symbol: i for i, symbol in enumerate(self.phonemes)}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ModelConfig:
        """Rebuild from a checkpoint's header. Raises ValueError on unknown or missing fields."""
        try:
            flow = dict(data["flow"])
            flow["groups"] = tuple(flow["groups"])
            return cls(
                name=str(data["name"]),
                codec=CodecConfig(**{"levels": 0, **data["codec"]}),  # there are checkpoints from before levels
                content=ContentConfig(**data["content"]),
                timbre=TimbreConfig(**data["timbre"]),
                flow=FlowConfig(**flow),
                phonemes=tuple(data["phonemes"]),
                tags=tuple(data["tags"]),
                score_dim=int(data["score_dim"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"model configuration: {error}") from error


PRESETS: dict[str, ModelConfig] = {
    # Tiny and random: for tests of the machinery; whatever it makes is noise, and commands say so.
    "debug": ModelConfig(
        name="debug",
        codec=CodecConfig(encoder_width=16, encoder_blocks=1, decoder_width=16, decoder_blocks=1),
        content=ContentConfig(width=16, blocks=2, codes=32, code_dim=8),
        timbre=TimbreConfig(width=16, blocks=2, growth=8, dim=192),
        flow=FlowConfig(width=64, heads=2, joint_blocks=1, single_blocks=1, window=128),
    ),
    "mini": ModelConfig(name="mini"),
    # The paper's backbone: 14 joint and 6 single blocks of width 1024 (arXiv 2606.07015, fig. 2).
    "paper": ModelConfig(
        name="paper",
        codec=CodecConfig(decoder_blocks=8),
        content=ContentConfig(width=512, blocks=12),
        timbre=TimbreConfig(width=256, blocks=28),
        flow=FlowConfig(width=1024, heads=16, joint_blocks=14, single_blocks=6, mlp=4, mlp_condition=4, window=1024),
    ),
}
