"""How it sounds to listeners: audiobox-aesthetics (arXiv 2502.05139); CE, CU, PC and PQ are how much it is enjoyed, how
useful, how complex and how well produced it is, from 1 to 10.

    python audiobox.py FILE.pt

FILE.pt is the checkpoint of facebook/audiobox-aesthetics. Needs audiobox_aesthetics.
"""

from __future__ import annotations

from collections.abc import Callable

from serve import argument, samples, serve

RATE = 16000


def hearing(file: str) -> Callable[[str], dict[str, float]]:
    import torch
    from audiobox_aesthetics.infer import initialize_predictor

    predictor = initialize_predictor(file)

    def hear(sound: str) -> dict[str, float]:
        (found,) = predictor.forward([{"path": torch.from_numpy(samples(sound))[None], "sample_rate": RATE}])
        return {name: float(value) for name, value in found.items()}

    return hear


if __name__ == "__main__":
    serve(hearing(argument("FILE.pt")), judge="audiobox", hears="song", answers="scores", rate=RATE)
