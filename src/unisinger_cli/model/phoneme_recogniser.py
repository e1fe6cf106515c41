"""The judge of words: which phonemes a recording says. For evaluation only: no loss ever sees it.

Unlike the content encoder in all that might make the two err alike: 16 kHz and 10 ms in place of the latent clock,
convolutions over time and band, recurrent layers (Graves et al. 2013, "Speech recognition with deep recurrent neural
networks"), and CTC over whole transcripts (Graves et al. 2006) in place of frame labels.

Shapes: b batch, l samples, t frames of 10 ms, n steps of 20 ms, m mel bands, d width, p phonemes
(the blank is class p).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unisinger_cli.model.config import PHONEMES
from unisinger_cli.model.ops import LogMel

FORMAT = "unisinger-judge-1"
_LEVEL = 0.08  # root mean square, about -22 dBFS, to which every recording is brought
_STRIDE = 2  # frames per step


@dataclass(frozen=True)
class RecogniserConfig:
    """Shapes of the network, and what its classes mean."""

    rate: int = 16000
    hop: int = 160
    mels: int = 80
    channels: int = 32  # of the first convolution; the second has twice as many
    width: int = 256
    hidden: int = 320  # of a recurrent layer, each way
    layers: int = 3
    dropout: float = 0.25
    phonemes: tuple[str, ...] = PHONEMES


class PhonemeRecogniser(nn.Module):
    """Sound at 16 kHz -> log-probabilities of phonemes and of the blank, 50 a second."""

    def __init__(self, config: RecogniserConfig) -> None:
        super().__init__()
        self.config = config
        self.mel = LogMel(config.rate, config.hop, config.mels, stack=1, n_fft=512, high=7600.0)
        c = config.channels
        self.first = nn.Conv2d(1, c, 3, stride=(1, 2), padding=1)
        self.second = nn.Conv2d(c, 2 * c, 3, stride=(_STRIDE, 2), padding=1)
        self.project = nn.Linear(2 * c * (config.mels // 4), config.width)
        self.norm = nn.LayerNorm(config.width)
        self.recurrent = nn.GRU(
            config.width,
            config.hidden,
            config.layers,
            batch_first=True,
            dropout=config.dropout,
            bidirectional=True,
        )
        self.drop = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * config.hidden, len(config.phonemes) + 1)
        for name, weight in self.recurrent.named_parameters():
            if "weight_hh" in name:  # keeps what it has heard, from the first step on
                for gate in weight.data.chunk(3):
                    nn.init.orthogonal_(gate)
        nn.init.zeros_(self.head.bias)
        self.head.bias.data[-1] = -1.0  # blanks are learned early enough

    def spectrum(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """Log-mels of [b, l] (l a multiple of the hop), 0 after the `lengths` [b] -> [b, t, m], whatever the level."""
        level = (audio.square().sum(1) / lengths.to(audio.device)).sqrt().clamp_min(1e-4)[:, None]
        return self.mel(audio / level * _LEVEL)

    def from_mel(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Log-mels without their mean [b, t, m], 0 after the `lengths` (int64 [b], on the CPU) -> [b, n, p + 1]."""
        x = F.gelu(self.first(mel[:, None]))  # b c t m/2
        x = F.gelu(self.second(x))  # b 2c n m/4
        x = self.drop(self.norm(self.project(x.transpose(1, 2).flatten(2))))
        packed = pack_padded_sequence(x, step_count(lengths), batch_first=True, enforce_sorted=False)
        x, _ = pad_packed_sequence(self.recurrent(packed)[0], batch_first=True, total_length=x.shape[1])
        return self.head(self.drop(x)).float().log_softmax(-1)

    def forward(self, audio: Tensor) -> Tensor:
        """Whole recordings of one length [b, l] -> [b, n, p + 1]."""
        audio = F.pad(audio, (0, -audio.shape[1] % self.config.hop))
        mel = self.spectrum(audio, torch.full((len(audio),), audio.shape[1]))
        return self.from_mel(mel - mel.mean(1, keepdim=True), torch.full((len(mel),), mel.shape[1]))

    def read(self, log_probs: Tensor) -> list[str]:
        """The likeliest class of each step [n, p + 1], repeats and blanks taken out."""
        best = torch.unique_consecutive(log_probs.argmax(-1)).tolist()
        return [self.config.phonemes[i] for i in best if i < len(self.config.phonemes)]


def step_count(lengths: Tensor) -> Tensor:
    """How many steps frames make."""
    return (lengths + _STRIDE - 1) // _STRIDE


def save_recogniser(model: PhonemeRecogniser, path: Path, about: dict[str, Any]) -> None:
    """Weights (matrices as fp16) and header beside `path`, then renamed."""
    tensors = {k: (v.half() if v.ndim >= 2 else v.float()).contiguous().cpu() for k, v in model.state_dict().items()}
    metadata = {
        "format": FORMAT,
        "config": json.dumps(asdict(model.config), ensure_ascii=False),
        "about": json.dumps(about, ensure_ascii=False),
    }
    temporary = path.with_name(path.name + ".part")
    save_file(tensors, temporary, metadata=metadata)
    temporary.chmod(0o644)
    temporary.replace(path)


def load_recogniser(path: Path) -> tuple[PhonemeRecogniser, dict[str, Any]]:
    """The network, and how it was trained. Raises ValueError where the file is none of these, or is damaged."""
    try:
        with safe_open(path, "pt") as handle:
            metadata = handle.metadata() or {}
        if metadata.get("format") != FORMAT:
            raise ValueError(f"holds {metadata.get('format', 'something else')!r}, and not {FORMAT}")
        fields = json.loads(metadata["config"])
        model = PhonemeRecogniser(RecogniserConfig(**fields | {"phonemes": tuple(fields["phonemes"])}))
        model.load_state_dict({k: v.float() for k, v in load_file(path).items()})
        return model.eval().requires_grad_(False), json.loads(metadata["about"])
    except (SafetensorError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"not a whole file of a judge ({error})") from error
