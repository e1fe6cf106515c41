"""What a worker of a batch does: one job at a time, with a model that it loaded once."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unisinger_cli.cli import exits, output
from unisinger_cli.errors import InputError
from unisinger_cli.requests import Job

if TYPE_CHECKING:
    from unisinger_cli.pipeline.studio import Studio


@dataclass(frozen=True)
class Worker:
    """Does jobs by their number; a copy of it goes to every process."""

    jobs: tuple[Job, ...]
    checkpoint: str | None
    device: str
    threads: int | None
    force: bool

    def __call__(self, number: str) -> dict[str, Any]:
        """Do a job, unless it is done. Returns "state" ("done", "skipped", "failed") and what there is to tell."""
        began = time.monotonic()
        job = self.jobs[int(number)]
        try:
            state = self._do(job)
        except Exception as error:
            if os.environ.get("UNISINGER_DEBUG"):
                raise
            known = exits.explained(error)
            told = (
                (str(error), "", int(exits.Exit.BUG)) if known is None else (known.message, known.hint, known.exit_code)
            )
            return {"state": "failed", "error": output.one_line(told[0]), "hint": told[1], "exit": told[2]}
        return {"state": state, "seconds": round(time.monotonic() - began, 3)}

    def _do(self, job: Job) -> str:
        from unisinger_cli.pipeline.locks import alone
        from unisinger_cli.pipeline.produce import produce
        from unisinger_cli.pipeline.recall import begun, done
        from unisinger_cli.pipeline.reporter import Silent

        model = _sha256(self.checkpoint)  # without loading it: perhaps all is done
        with alone(job.files["mix"], wait=True):  # another batch may be at the same list
            if not self.force:
                if done(job, model):
                    return "skipped"
                there = [path for path in job.files.values() if os.path.lexists(path)]
                if there and not begun(job, model):
                    raise InputError(f"{there[0]} exists, and is not of this job", "add --force to overwrite it")
            produce(_studio(self.checkpoint, self.device, self.threads), job, Silent())
            return "done"


@lru_cache(maxsize=1)
def _studio(checkpoint: str | None, device: str, threads: int | None) -> Studio:
    from unisinger_cli.pipeline.studio import Studio

    return Studio.open(checkpoint, device=device, threads=threads)


@lru_cache(maxsize=1)
def _sha256(checkpoint: str | None) -> str:
    from unisinger_cli.backends.weights import sha256_of
    from unisinger_cli.pipeline.studio import DEBUG, bundled_checkpoint

    if checkpoint == DEBUG:
        return DEBUG
    path = bundled_checkpoint() if checkpoint is None else Path(checkpoint)
    return sha256_of(path) if path.is_file() else ""  # the Studio tells what is wrong with it
