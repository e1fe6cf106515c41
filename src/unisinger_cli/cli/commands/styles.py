"""`unisinger styles`: the words that --style knows, and what it makes of a text."""

from __future__ import annotations

import re
import shutil
import textwrap
from typing import Annotated

import typer

from unisinger_cli.cli import completion, options, output


def styles(
    text: Annotated[
        str | None,
        typer.Argument(metavar="[TEXT]", autocompletion=completion.tags, help="Show what --style TEXT asks for."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Show the words that --style knows, or what it makes of a text. Other words in it do nothing.

    \b
    Examples:
      unisinger styles
      unisinger styles "slow piano ballad in A minor, no drums, 72 bpm"
    """
    output.screen.json = json
    if text is None:
        _vocabulary()
        return
    from unisinger_cli.stages.style import bpm_of, key_of, tags_of

    tags, bpm, key = tags_of(text), bpm_of(text), key_of(text)
    rows = [["tags", ", ".join(tags) or "none"]]
    rows += [["tempo", "as composed" if bpm is None else f"{bpm:g} bpm"], ["key", key or "as composed"]]
    output.result(output.table(rows), {"schema": 1, "text": text, "tags": tags, "bpm": bpm, "key": key})


def _vocabulary() -> None:
    from unisinger_cli.stages import style

    words = {
        tag: [word for word in spoken(style._SYNONYMS.get(tag, "")) if word != tag] for tag in completion.tag_names()
    }
    opposites = [group.split() for group in style._EXCLUSIVE]
    slow, fast = style._SLOW, style._FAST
    width = min(shutil.get_terminal_size().columns, 100)
    lines = [_row(tag, ", ".join(also), width) for tag, also in words.items()]
    read = {
        "opposites": "; ".join(" or ".join(group) for group in opposites) + ": the last one named counts",
        "not": "'no drums', 'without piano' and 'not too slow' ask for none of it",
        "tempo": f"'72 bpm' or 'tempo 120', 40 to 240; below {slow} is slow, above {fast} fast; --bpm goes before it",
        "key": "'in A minor', 'F# major' or 'key of D'; --key goes before it",
    }
    lines += ["", *(_row(name, how, width) for name, how in read.items())]
    data = {
        "tags": [{"tag": tag, "words": also} for tag, also in words.items()],
        "opposites": opposites,
        "tempo": {"lowest": 40, "slow_below": slow, "fast_above": fast, "highest": 240},
        "how": read,
    }
    output.result("\n".join(lines), {"schema": 1} | data)


def _row(name: str, text: str, width: int) -> str:
    return textwrap.fill(text, width, initial_indent=f"{name:<12}", subsequent_indent=" " * 12, break_on_hyphens=False)


def spoken(pattern: str) -> list[str]:
    """The words that a pattern of `stages.style` stands for, each in one way of writing it: "k-?pop" is k-pop."""
    plain = pattern.replace("(?:-| )?", " ").replace("[sz]", "(?:s|z)")
    plain = re.sub(r"([ '-])\?", r"\1", plain)  # what joins words is shown
    plain = re.sub(r"\w\?", "", plain)  # an ending is not
    words = [word for part in re.split(r"\|(?![^(]*\))", plain) if part for word in _expanded(part)]
    return list(dict.fromkeys(words))


def _expanded(text: str) -> list[str]:
    match = re.search(r"\(\?:([^)]*)\)(\??)", text)
    if match is None:
        return [text]
    choices = ([""] if match[2] else []) + match[1].split("|")
    return [word for one in choices for word in _expanded(text[: match.start()] + one + text[match.end() :])]
