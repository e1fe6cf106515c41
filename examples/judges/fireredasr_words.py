"""What is sung, Mandarin above all: FireRedASR-AED (arXiv 2501.14350).

    PYTHONPATH=FireRedASR python fireredasr_words.py FOLDER

PYTHONPATH is a checkout of FireRedTeam/FireRedASR with what it needs, FOLDER a copy of FireRedTeam/FireRedASR-AED-L. It
takes up to a minute of sound.
"""

from __future__ import annotations

from collections.abc import Callable

from serve import argument, serve

# those of its README, for one thread of search on the CPU
_SEARCH = {"use_gpu": 0, "beam_size": 3, "nbest": 1, "decode_max_len": 0, "softmax_smoothing": 1.25}
_SEARCH |= {"aed_length_penalty": 0.6, "eos_penalty": 1.0}


def hearing(folder: str) -> Callable[[str], str]:
    from fireredasr.models.fireredasr import FireRedAsr

    model = FireRedAsr.from_pretrained("aed", folder)

    def hear(sound: str) -> str:
        return str(model.transcribe(["sound"], [sound], dict(_SEARCH))[0]["text"])

    return hear


if __name__ == "__main__":
    serve(hearing(argument("FOLDER")), judge="fireredasr", hears="voice", answers="text", rate=16000)
