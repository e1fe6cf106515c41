"""The checkpoint: one safetensors file whose header rebuilds the model.

Keys are the `state_dict` names of `UniSinger`. A matrix may be stored as int8 rows beside `<name>:scale` (fp16,
one scale per row), but for the directions of the linear flow, whose errors would be blown up; everything else is fp16
or fp32. The metadata holds

    format   FORMAT_VERSION as text; any other version is refused
    config   the ModelConfig as JSON, the authority on rates, widths and ids
    about    JSON: how and on what it was trained, free of meaning to the loader
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from unisinger_cli.model.config import FORMAT_VERSION, ModelConfig
from unisinger_cli.model.unisinger import UniSinger

_SCALE = ":scale"
_LINEAR = "flow.network.linear."
_DRAWING = (nn.init.kaiming_uniform_, nn.init.uniform_, nn.init.normal_)
_SMALLEST_QUANTISED = 4096  # numbers; below this int8 saves nothing worth its error


def quantise_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """[rows, ...] -> int8 of the same shape and fp16 scales [rows]; the largest number of a row becomes 127."""
    rows = weight.float().flatten(1)
    scale = (rows.abs().amax(1) / 127).clamp_min(1e-7).half()
    return (rows / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8).view_as(weight), scale


def save_checkpoint(model: UniSinger, path: Path, about: dict[str, Any], *, int8: bool) -> None:
    """Write weights and header beside `path`, then rename."""
    tensors: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        value = value.detach().cpu()
        large = value.ndim >= 2 and value.numel() >= _SMALLEST_QUANTISED
        if int8 and large and not name.startswith(_LINEAR):
            tensors[name], tensors[name + _SCALE] = (t.contiguous() for t in quantise_rows(value))
        elif int8 and value.is_floating_point():
            tensors[name] = value.half().contiguous()
        else:
            tensors[name] = value.contiguous()
    metadata = {
        "format": str(FORMAT_VERSION),
        "config": json.dumps(model.config.to_dict(), ensure_ascii=False),
        "about": json.dumps(about, ensure_ascii=False),
    }
    temporary = path.with_name(path.name + ".part")
    save_file(tensors, temporary, metadata=metadata)
    temporary.chmod(0o644)  # it is made for its owner alone, and is meant to be shared
    temporary.replace(path)


def read_header(path: Path) -> tuple[ModelConfig, dict[str, Any]]:
    """Configuration and notes of a checkpoint, without its weights.

    Raises ValueError where the file is no checkpoint of ours, is damaged, or is of another format version.
    """
    try:
        with safe_open(path, "pt") as handle:
            metadata = handle.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"not a whole safetensors file ({error})") from error
    version = metadata.get("format")
    if version != str(FORMAT_VERSION):
        raise ValueError(f"checkpoint format {version!r}, and this program reads format {FORMAT_VERSION}")
    try:
        return ModelConfig.from_dict(json.loads(metadata["config"])), json.loads(metadata.get("about", "{}"))
    except (KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"unreadable header ({error})") from error


class _NotDrawn(TorchFunctionMode):
    """Large weights are not drawn at random where a file is about to fill them.

    (On the meta device they would not be either, but the first random number there has torch import its compiler, which
    takes longer than all the rest of the loading.)
    """

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        return given["tensor"] if function in _DRAWING else function(*args, **given)


def load_checkpoint(path: Path) -> UniSinger:
    """Rebuild the model and fill it, strictly: missing, unknown or misshapen tensors raise ValueError."""
    config, _ = read_header(path)
    with _NotDrawn(), torch.random.fork_rng(devices=[]):
        model = UniSinger(config)
    state: dict[str, Tensor] = {}
    with safe_open(path, "pt") as handle:
        names = set(handle.keys())
        for name in names:
            if name.endswith(_SCALE):
                continue
            value = handle.get_tensor(name)
            if name + _SCALE in names:
                scale = handle.get_tensor(name + _SCALE).float()
                value = value * scale.view(-1, *[1] * (value.ndim - 1))
            state[name] = value.float() if value.is_floating_point() else value
    expected = model.state_dict()
    if not any(name.startswith(_LINEAR) for name in state):  # a flow from before there was a linear one beside it
        state |= {name: value for name, value in expected.items() if name.startswith(_LINEAR)}
    wrong = sorted(set(expected) ^ set(state))
    wrong += [n for n in expected if n in state and expected[n].shape != state[n].shape]
    if wrong:
        raise ValueError(f"{len(wrong)} tensors do not fit the header's configuration, first {wrong[:3]}")
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(False)
