"""Everything that reaches the terminal: results on stdout, the rest on stderr. The only place that prints.

A result is a path, or with --json one object on one line. Progress is a bar with the time left on a terminal
and silence in a pipe. Errors are `error: ...` and, where there is something to do about it, `hint: ...`.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from unisinger_cli import strict_json
from unisinger_cli.cli import streams

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@dataclass
class Screen:
    """How this run wants to be spoken to; set by the options of the command that runs."""

    json: bool = False
    quiet: bool = False
    debug: bool = False
    written: list[str] = field(default_factory=list)  # what stays if the rest is interrupted


screen = Screen()


def result(text: str, data: Mapping[str, Any]) -> None:
    """The one thing on stdout: `text` for people, `data` as one JSON object with --json."""
    _put(strict_json.dumps(data) if screen.json else text, sys.stdout)


def _put(text: str, stream: TextIO) -> None:
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:  # `| head`: what is done stays, and the rest is done all the same
        streams.deaf(stream)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of equal length as aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def say(text: str) -> None:
    """A remark for people, on stderr; silent with --quiet and with --json."""
    if not (screen.quiet or screen.json):
        _put(text, sys.stderr)


def event(data: Mapping[str, Any]) -> None:
    """A line for programs that watch, on stderr."""
    _put(strict_json.dumps(data), sys.stderr)


def fail(message: str, hint: str, code: int) -> None:
    """The last words of a run that failed."""
    line, hint = one_line(message), one_line(hint)
    if screen.json:
        _put(strict_json.dumps({"schema": 1, "error": line, "hint": hint, "exit": code}), sys.stderr)
        return
    _put(f"error: {line}" + (f"\nhint: {hint}" if hint else ""), sys.stderr)


def one_line(text: str) -> str:
    """On one line, without what would command a terminal: names of files may hold anything."""
    return "".join("?" if unicodedata.category(letter) == "Cc" else letter for letter in " ".join(text.split()))


class Bar:
    """A `pipeline.reporter.Reporter` on a terminal: the stage, a bar, and the time that is left of it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def stage(self, name: str) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(one_line(name), total=None)

    def step(self, i: int, n: int) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=i, total=n)

    def note(self, text: str) -> None:
        self._progress.console.print(f"note: {text}", markup=False, highlight=False)


class Lines:
    """A reporter where no bar can be shown: notes alone."""

    def stage(self, name: str) -> None:
        pass

    def step(self, i: int, n: int) -> None:
        pass

    def note(self, text: str) -> None:
        say(f"note: {text}")


@contextmanager
def progress() -> Iterator[Bar | Lines]:
    """A reporter for the time of the block; the bar is gone from the terminal when the block ends."""
    if screen.quiet or screen.json or not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),  # names of files stand in it
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Bar(bar)
