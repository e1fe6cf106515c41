"""What musicians would say of the song: SongEval (arXiv 2505.10793), five scores from 1 to 5.

    MUQ=FOLDER python songeval.py CHECKOUT

CHECKOUT is one of ASLP-lab/SongEval, whose checkpoint comes with it; MUQ a copy of OpenMuQ/MuQ-large-msd-iter. Needs
muq, safetensors and PyYAML. Its licence is CC BY-NC-SA: not for commercial use.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from serve import argument, samples, serve

NAMES = ("coherence", "musicality", "memorability", "clarity", "naturalness")  # in the order of its outputs
LAYER = 6  # of MuQ, which it was trained on


def hearing(checkout: str) -> Callable[[str], dict[str, float]]:
    import torch
    import yaml
    from muq import MuQ
    from safetensors.torch import load_file

    sys.path.insert(0, checkout)
    from model import Generator

    sizes = yaml.safe_load((Path(checkout) / "config.yaml").read_text(encoding="utf-8"))["generator"]
    network = Generator(**{name: value for name, value in sizes.items() if name != "_target_"}).eval()
    network.load_state_dict(load_file(str(Path(checkout) / "ckpt" / "model.safetensors")), strict=False)
    muq = MuQ.from_pretrained(os.environ["MUQ"]).eval()

    def hear(sound: str) -> dict[str, float]:
        with torch.inference_mode():
            layers = muq(torch.from_numpy(samples(sound))[None], output_hidden_states=True)["hidden_states"]
            found = network(layers[LAYER]).squeeze(0)
        return dict(zip(NAMES, found.tolist(), strict=True))

    return hear


if __name__ == "__main__":
    serve(hearing(argument("CHECKOUT")), judge="songeval", hears="song", answers="scores", rate=24000)
