"""Options that several commands share, each declared once: name, variable, help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from unisinger_cli.cli import completion
from unisinger_cli.errors import UsageError
from unisinger_cli.requests import SamplerConfig

Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="NAME.wav",
        help="The mix; stems go to NAME.vocal.wav and NAME.accomp.wav, the receipt to NAME.json. "
        "Also .flac, .ogg and .mp3.",
    ),
]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]
Bits: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--bits",
        metavar="16|24|float",
        autocompletion=completion.bits,
        help="Of a sample in a WAV file; FLAC has 16 and 24.  [default: 24]",
    ),
]
Report: TypeAlias = Annotated[
    bool, typer.Option("--report", help="Write NAME.html too: a page to listen to and look at.")
]
DryRun: TypeAlias = Annotated[
    bool,
    typer.Option("--dry-run", help="Check everything, tell how long it will take and what it writes; write nothing."),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON object on stdout instead of a path.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no remarks.")]
Checkpoint: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE|debug",
        envvar="UNISINGER_CHECKPOINT",
        show_envvar=False,
        help="Other weights than the bundled ones; `debug` is a tiny random model, for tests.",
    ),
]
Device: TypeAlias = Annotated[
    str,
    typer.Option("--device", envvar="UNISINGER_DEVICE", show_envvar=False, help="auto, cpu, cuda, cuda:1, mps."),
]
Threads: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        max=1024,
        envvar="UNISINGER_THREADS",
        show_envvar=False,
        help="CPU threads.  [default: OMP_NUM_THREADS, or all cores]",
    ),
]
Style: TypeAlias = Annotated[
    str,
    typer.Option(
        "--style",
        metavar="TEXT",
        envvar="UNISINGER_STYLE",
        show_envvar=False,
        autocompletion=completion.tags,
        help="What it should sound like: 'slow piano ballad, calm'; `unisinger styles` lists the words.",
    ),
]
Language: TypeAlias = Annotated[
    str,
    typer.Option(
        "--language",
        envvar="UNISINGER_LANGUAGE",
        show_envvar=False,
        autocompletion=completion.languages,
        help="Of the lyrics: en, de, nl, ja, zh, tr.",
    ),
]
Bpm: TypeAlias = Annotated[
    float | None, typer.Option("--bpm", help="Tempo, 40 to 240.  [default: composed, or the melody's]")
]
Key: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--key",
        autocompletion=completion.keys,
        help="Such as C, Am, F#m, Bb:maj.  [default: composed, to suit the voice, or the melody's]",
    ),
]
Melody: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--melody", "-m", metavar="MID|MUSICXML|WAV", help="A melody for the words: a score, or you humming it."
    ),
]
Ref: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--ref",
        metavar="WAV|NAME",
        autocompletion=completion.voices,
        help="A recording of the voice, 1 s or more, a saved voice, a voice file, or a blend: anna:0.7,ben:0.3.",
    ),
]
SavedVoice: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", autocompletion=completion.voices, help="Name of a saved voice.")
]
VoiceOrFile: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="NAME|FILE", autocompletion=completion.voices, help="A saved voice, or a voice file."),
]
Heard: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE", autocompletion=completion.voices, help="A saved voice, a voice file or a recording."
    ),
]
Blend: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="PARTS", autocompletion=completion.voices, help="Saved voices and their shares: anna:0.7,ben:0.3."
    ),
]
Seed: TypeAlias = Annotated[
    int,
    typer.Option("--seed", envvar="UNISINGER_SEED", show_envvar=False, help="Same seed, same machine, same output."),
]
Take: TypeAlias = Annotated[
    int,
    typer.Option("--take", metavar="N", help="Another performance of the same song, 1 to 9999; 0 is the plain one."),
]
Takes: TypeAlias = Annotated[
    int, typer.Option("--takes", metavar="N", help="Sing N other takes, 2 to 50, and keep what --pick says.")
]
Pick: TypeAlias = Annotated[
    str,
    typer.Option(
        "--pick",
        metavar="best|all",
        autocompletion=completion.picks,
        help="The take that measures best, or all, as NAME.take1.wav and so on.",
    ),
]


def _sampled(option: str, field: str, what: str) -> Any:
    """The option of one number of `SamplerConfig`, which knows its default."""
    return typer.Option(
        f"--{option}",
        envvar=f"UNISINGER_{option.upper().replace('-', '_')}",
        show_envvar=False,
        help=f"{what}.  [default: {getattr(SamplerConfig(), field):g}]",
    )


Steps: TypeAlias = Annotated[int | None, _sampled("steps", "steps", "Solver steps, 1 to 200; fewer is faster")]
Cfg: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--cfg",
        envvar="UNISINGER_CFG",
        show_envvar=False,
        help="All guidance scales at once, 0 to 20; 1 is no guidance.",
    ),
]
CfgWords: TypeAlias = Annotated[float | None, _sampled("cfg-words", "words", "Guidance on the words")]
CfgVoice: TypeAlias = Annotated[float | None, _sampled("cfg-voice", "voice", "Guidance on the voice")]
CfgAccomp: TypeAlias = Annotated[float | None, _sampled("cfg-accomp", "accomp", "Guidance on style and harmony")]
CfgSource: TypeAlias = Annotated[
    float | None, _sampled("cfg-source", "source", "Guidance away from the singer of the recording")
]
_NOISE = "Deviation of the noise that it begins from, 0 to 2; less is safer, and takes differ less"
Temperature: TypeAlias = Annotated[float | None, _sampled("temperature", "temperature", _NOISE)]


def sampler(
    seed: int,
    steps: int | None,
    cfg: float | None,
    words: float | None,
    voice: float | None,
    accomp: float | None,
    source: float | None = None,
    take: int = 0,
    temperature: float | None = None,
) -> SamplerConfig:
    """The sampler that was asked for: an own scale goes before --cfg, that before the default; 0 is 0."""
    usual = SamplerConfig()

    def scale(own: float | None, default: float) -> float:
        return own if own is not None else cfg if cfg is not None else default

    return SamplerConfig(
        seed=seed,
        take=take,
        steps=usual.steps if steps is None else steps,
        words=scale(words, usual.words),
        voice=scale(voice, usual.voice),
        accomp=scale(accomp, usual.accomp),
        source=scale(source, usual.source),
        temperature=usual.temperature if temperature is None else temperature,
    )


def semitones(text: str) -> float | None:
    """The value of --transpose: None for `auto`. Raises UsageError for what is neither that nor a number."""
    if text.strip().lower() == "auto":
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--transpose is {text!r}", "give auto, or a number of semitones such as -5") from None
