"""How far the songs are from real ones, in the eyes of a trained network: embeddings of fadtk (arXiv 2311.01616).

    python fad.py MODEL

MODEL is one of fadtk's names, such as clap-laion-music, vggish or encodec-emb; its weights have to be in fadtk's cache.
The distance itself is worked out by unisinger. Needs fadtk.
"""

from __future__ import annotations

import sys
from typing import Any

from serve import argument, serve


def loader(name: str) -> Any:
    from fadtk import get_all_models

    every = {model.name: model for model in get_all_models()}
    if name not in every:
        sys.exit(f"fadtk has no model {name!r}; it has {', '.join(every)}")
    every[name].load_model()
    return every[name]


if __name__ == "__main__":
    model = loader(argument("MODEL"))
    serve(
        lambda sound: model.get_embedding(model.load_wav(sound)).tolist(),
        judge=model.name,
        hears="song",
        answers="frames",
        rate=model.sr,
    )
