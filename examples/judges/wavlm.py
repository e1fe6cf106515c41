"""Who sings: WavLM (arXiv 2110.13900), tuned to tell speakers apart.

    python wavlm.py FOLDER

FOLDER is a copy of the model microsoft/wavlm-base-plus-sv. Needs torch and transformers.
"""

from __future__ import annotations

from collections.abc import Callable

from serve import argument, samples, serve

RATE = 16000


def hearing(folder: str) -> Callable[[str], list[float]]:
    import torch
    from transformers import Wav2Vec2FeatureExtractor, WavLMForXVector

    extract = Wav2Vec2FeatureExtractor.from_pretrained(folder, local_files_only=True)
    network = WavLMForXVector.from_pretrained(folder, local_files_only=True).eval()

    def hear(sound: str) -> list[float]:
        inputs = extract(samples(sound), sampling_rate=RATE, return_tensors="pt")
        with torch.inference_mode():
            found: list[float] = network(**inputs).embeddings[0].tolist()
        return found

    return hear


if __name__ == "__main__":
    serve(hearing(argument("FOLDER")), judge="wavlm", hears="voice", answers="vector", rate=RATE)
