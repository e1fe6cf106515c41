"""One checkpoint measured into one folder: scores.json, report.html, and the sounds that they tell of."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unisinger_cli import strict_json
from unisinger_cli.evaluation import report
from unisinger_cli.evaluation.findings import Part, as_data
from unisinger_cli.evaluation.suite import evaluate
from unisinger_cli.pipeline.receipt import versions
from unisinger_cli.pipeline.reporter import Reporter
from unisinger_cli.pipeline.studio import Studio
from unisinger_cli.requests import SamplerConfig

SCORES, PAGE = "scores.json", "report.html"
THREADS = 2  # the machine that the bars are set for


@dataclass(frozen=True)
class Inquiry:
    """What is asked, of one checkpoint or of several alike; the fields are those of `suite.evaluate`."""

    packs: Sequence[Path]
    sampler: SamplerConfig
    items: int | None = None
    words: Path | None = None
    device: str = "auto"
    threads: int | None = None
    baseline: Path | None = None
    judges: Sequence[str] = ()

    def as_data(self) -> dict[str, Any]:
        """What two measurements must have in common to be compared, as JSON-able objects."""
        return {
            "data": [str(pack) for pack in self.packs],
            "sampler": asdict(self.sampler),
            "items": self.items,
            "words": None if self.words is None else str(self.words),
            "baseline": None if self.baseline is None else str(self.baseline),
            "judges": list(self.judges),
        }


def measure(
    inquiry: Inquiry, checkpoint: str | None, parts: Sequence[str], out: Path, reporter: Reporter
) -> tuple[list[Part], dict[str, Any]]:
    """Measure `parts` of a checkpoint, named as for `Studio.open`, and fill the folder `out`: with all or with nothing.

    Returns the parts, and the record that scores.json holds. Raises what `Studio.open` and `suite.evaluate` do.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as made:
        work = Path(made) / "report"  # a folder of usual permissions
        work.mkdir()
        reporter.stage("loading")
        studio = Studio.open(checkpoint, device=inquiry.device, threads=inquiry.threads)
        found = evaluate(
            studio,
            inquiry.packs,
            work,
            inquiry.sampler,
            reporter,
            parts=parts,
            items=inquiry.items,
            checkpoint=checkpoint,
            threads=THREADS if inquiry.threads is None else inquiry.threads,
            words=inquiry.words,
            baseline=inquiry.baseline,
            judges=inquiry.judges,
        )
        reporter.stage("drawing")
        drawn = report.pictures(studio, found, work)
        model = {"name": studio.name, "sha256": studio.sha256}
        record = {"schema": 1, "output": str(out), "model": model, "device": str(studio.device)}
        record |= inquiry.as_data() | {"versions": versions(), "parts": as_data(found)}
        about = {
            "model": f"{studio.name}, sha256 {studio.sha256}",
            "sampler": ", ".join(f"{name} {value}" for name, value in asdict(inquiry.sampler).items()),
            "voices": "test speakers, never trained on; everything but `source`, `reference`, `original` is synthetic",
        }
        write(work, report.page("unisinger evaluate", about, found, drawn), record)
        shutil.copytree(work, out, dirs_exist_ok=True)
    for note in studio.notes:
        reporter.note(note)
    return found, record


def write(folder: Path, page: str, record: dict[str, Any]) -> None:
    """The page and the scores of a folder."""
    (folder / PAGE).write_text(page, encoding="utf-8")
    (folder / SCORES).write_text(strict_json.dumps(record, indent=1) + "\n", encoding="utf-8")
