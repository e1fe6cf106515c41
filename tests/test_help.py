"""What the help and the README show can be typed: every example is read by the parser of its command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from unisinger_cli.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = re.compile(r"(?:^|[|;]\s*)(?:\.venv/bin/)?unisinger\s+([^|\n]*)")
USAGE_ERROR = typer.BadParameter.__bases__[0]  # click's, wherever Typer has it from
TOO_WIDE = ("| unisinger batch -",)  # a job as JSON is one line


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command, the groups and the program itself among them, with the words by which it is called."""
    yield " ".join(path), command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


def typed(text: str) -> list[str]:
    """The command lines of this program in a text, those that go on behind a backslash as one."""
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    lines = (" ".join(line.split()) for line in joined.splitlines())
    return [found[1] for line in lines for found in PROGRAM.finditer(line)]


def documents() -> list[tuple[str, str]]:
    pages = [ROOT / "README.md", *sorted((ROOT / "models").rglob("*.md"))]
    shown = []
    for page in pages:
        blocks = page.read_text(encoding="utf-8").split("```")[1::2]
        shown += [(page.name, line) for block in blocks for line in typed(block)]
    return shown


def parse(line: str) -> None:
    """Read a command line as the program would, and run nothing. Raises click's UsageError."""
    words, command, path = shlex.split(line, comments=True), COMMANDS[""], []
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        path.append(words.pop(0))
        assert path[-1] in command.commands, f"no command {' '.join(path)!r}"
        command = command.commands[path[-1]]
    if hasattr(command, "commands"):
        assert {*words} <= {"--help", "--debug", "--version", "--install-completion"}
        return
    context = command.context_class(command, info_name=" ".join(path))
    command.parse_args(context, [word for word in words if word != "--help"] if words != ["--help"] else [])


HELP = [(name, line) for name, command in COMMANDS.items() for line in typed(command.help or "")]
README = documents()


def test_examples_are_found() -> None:
    assert len(HELP) > 40
    assert len(README) > 20
    assert ("README.md", "song --lyrics words.txt --ref me.wav -o song.wav") in README


@pytest.mark.parametrize(("where", "line"), HELP + README)
def test_examples_are_read(where: str, line: str) -> None:
    parse(line)


@pytest.mark.parametrize(
    "line",
    ["sing", "song --lyric words.txt", "convert in.wav", "voice ad me", "inspect", "song --seed one", "inspect a b"],
)
def test_what_is_wrong_is_not_read(line: str) -> None:
    with pytest.raises((AssertionError, USAGE_ERROR)):
        parse(line)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example_of_its_own(name: str) -> None:
    assert [line for line in typed(COMMANDS[name].help or "") if line.startswith(name)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_fits_80_columns(name: str) -> None:
    command = COMMANDS[name]
    context = command.context_class(command, info_name=f"unisinger {name}".strip(), terminal_width=80)
    shown = [line for line in command.get_help(context).splitlines() if not line.endswith(TOO_WIDE)]
    assert [line for line in shown if len(line) > 80] == []
