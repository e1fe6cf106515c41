"""How the pipeline tells what it is doing: a small protocol that is handed down, and its silent form."""

from __future__ import annotations

import time
from typing import Protocol

from unisinger_cli.backends.memory import give_back


class Reporter(Protocol):
    """Progress of one run. Implementations must be cheap: `step` is called for every solver step."""

    def stage(self, name: str) -> None:
        """A stage begins (and the one before it is over), such as "sampling"."""

    def step(self, i: int, n: int) -> None:
        """`i` of `n` equal parts of the stage are done."""

    def note(self, text: str) -> None:
        """One line that the user should know of, such as "6 channels were mixed down to 2"."""


class Silent:
    """A reporter for tests and for use as a library."""

    def stage(self, name: str) -> None:
        pass

    def step(self, i: int, n: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class Timed:
    """Passes progress on, and keeps how long each stage took."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._seconds: dict[str, float] = {}
        self._name, self._began = "", 0.0

    def stage(self, name: str) -> None:
        self.done()
        give_back()
        self._name, self._began = name, time.monotonic()
        self._reporter.stage(name)

    def step(self, i: int, n: int) -> None:
        self._reporter.step(i, n)

    def note(self, text: str) -> None:
        self._reporter.note(text)

    def done(self) -> dict[str, float]:
        """Seconds of every stage so far; ends the one that runs."""
        if self._name:
            self._seconds[self._name] = self._seconds.get(self._name, 0.0) + time.monotonic() - self._began
            self._name = ""
        return dict(self._seconds)
