"""What is sung: OpenAI's Whisper (arXiv 2212.04356).

    python whisper_words.py FILE.pt

FILE.pt is one of its models, large-v3 for choice. Needs openai-whisper.
"""

from __future__ import annotations

from collections.abc import Callable

from serve import argument, samples, serve


def hearing(file: str) -> Callable[[str], str]:
    import whisper

    model = whisper.load_model(file)

    def hear(sound: str) -> str:
        # greedy, and without what it heard before, which makes it repeat itself over pauses
        heard = model.transcribe(samples(sound), temperature=0.0, condition_on_previous_text=False)
        return str(heard["text"])

    return hear


if __name__ == "__main__":
    serve(hearing(argument("FILE.pt")), judge="whisper", hears="voice", answers="text", rate=16000)
