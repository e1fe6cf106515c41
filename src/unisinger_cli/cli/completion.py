"""What the shell is offered for the value of an option (`unisinger --install-completion`). No torch; nothing printed.

Where nothing fits, nothing is offered, and the shell completes the name of a file.
"""

from __future__ import annotations

from collections.abc import Iterable


def voices(incomplete: str) -> list[str]:
    """Saved voices; each part of a blend such as anna:0.7,ben:0.3 (but bash asks no more after a colon)."""
    from unisinger_cli.errors import UnisingerError
    from unisinger_cli.pipeline.voices import names

    try:
        return _last(incomplete, ",", names())
    except (UnisingerError, OSError):
        return []


def languages(incomplete: str) -> list[str]:
    from unisinger_cli.stages.lyrics import LANGUAGES

    return _fitting(incomplete, LANGUAGES)


def keys(incomplete: str) -> list[str]:
    from unisinger_cli.notation.keys import NAMES

    # not C:maj and A:min, as shells take a colon for the end of a word
    return _fitting(incomplete, [name + mode for name in NAMES for mode in ("", "m")])


def tags(incomplete: str) -> list[str]:
    """Words of --style, the last one of a text of several."""
    return _last(incomplete, "," if incomplete.rfind(",") > incomplete.rfind(" ") else " ", tag_names())


def bits(incomplete: str) -> list[str]:
    from unisinger_cli.audio import BITS

    return _fitting(incomplete, BITS)


def exports(incomplete: str) -> list[str]:
    from unisinger_cli.notation.write import EXPORTS

    return _last(incomplete, ",", EXPORTS)


def picks(incomplete: str) -> list[str]:
    return _fitting(incomplete, ("best", "all"))


def tag_names() -> list[str]:
    """The tags that a caption can ask for; the others are said by the commands themselves."""
    from unisinger_cli.model.config import TAGS
    from unisinger_cli.stages.style import _OURS

    return [tag for tag in TAGS if tag not in _OURS]


def _fitting(incomplete: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]


def _last(incomplete: str, between: str, words: Iterable[str]) -> list[str]:
    """What fits the last of several, behind those that are there already, none twice."""
    before, mark, last = incomplete.rpartition(between)
    there = {word.partition(":")[0].strip() for word in before.replace(" ", between).split(between)}
    return [before + mark + word for word in _fitting(last, words) if word not in there]
