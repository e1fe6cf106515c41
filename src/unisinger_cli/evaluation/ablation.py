"""The ablation measured: each variant by the same code, on the same voices, and one table and statement of all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from unisinger_cli.errors import InputError
from unisinger_cli.evaluation import claims, report
from unisinger_cli.evaluation.record import PAGE, SCORES, Inquiry, measure, write
from unisinger_cli.model.checkpoint import read_header
from unisinger_cli.model.conditioning import MASKS
from unisinger_cli.pipeline.reporter import Reporter
from unisinger_cli.pipeline.studio import FILE, identity
from unisinger_cli.training.curriculum import VARIANTS

PARTS = ("convert", "song")


@dataclass(frozen=True)
class Contender:
    """A checkpoint, and what its header says of its training."""

    checkpoint: Path
    variant: str
    seed: int
    steps: int

    @property
    def name(self) -> str:
        return f"{self.variant}.{self.seed}"

    @property
    def parts(self) -> tuple[str, ...]:
        """Those that it was trained for: songs are made of phonemes, conversions of semantics."""
        masks = [MASKS[task] for task in VARIANTS[self.variant].tasks]
        trained = {"song": any(mask.phoneme for mask in masks), "convert": any(mask.semantic for mask in masks)}
        return tuple(part for part in PARTS if trained[part])


def contenders(places: Sequence[Path]) -> list[Contender]:
    """The checkpoints given, or below the folders given, seed by seed in the order of VARIANTS.

    Raises InputError where there is none, where one does not say how it was trained, where two are of the same variant
    and seed, and where they were trained for different numbers of steps: they could not be compared.
    """
    found: dict[str, Contender] = {}
    for place in places:
        files = sorted(place.rglob(FILE)) if place.is_dir() else [place]
        if not files or not files[0].is_file():
            raise InputError(f"{place} has no checkpoint {FILE}", "unisinger train ablation makes them")
        for one in map(_contender, files):
            if one.name in found:
                raise InputError(f"{one.checkpoint} and {found[one.name].checkpoint} are both {one.name}")
            found[one.name] = one
    every = list(found.values())
    odd = next((one for one in every if one.steps != every[0].steps), None)
    if odd is not None:
        lengths = f"{every[0].name} was trained for {every[0].steps} steps and {odd.name} for {odd.steps}"
        raise InputError(f"{lengths}: they cannot be compared")
    order = list(VARIANTS)
    return sorted(every, key=lambda one: (one.seed, order.index(one.variant)))


def _contender(path: Path) -> Contender:
    try:
        about = read_header(path)[1]
        if about["variant"] not in VARIANTS:
            raise ValueError(f"unknown variant {about['variant']!r}")
        return Contender(path, about["variant"], int(about["seed"]), int(about["steps"]))
    except KeyError as error:
        raise InputError(f"{path} does not tell its {error.args[0]}", "unisinger train ablation makes such") from error
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def study(
    inquiry: Inquiry, every: Sequence[Contender], out: Path, reporter: Reporter, *, force: bool = False
) -> tuple[list[claims.Cell], list[claims.Verdict], dict[str, Any]]:
    """Measure all contenders, each into a folder of its name under `out`, and write what they show together.

    One that was measured in the same way before is not measured again, unless with `force`. Returns the table, what it
    says, and the record that scores.json holds. Raises InputError where `out` holds something else, and what
    `record.measure` does.
    """
    if not force and (out / SCORES).exists() and "claims" not in json.loads((out / SCORES).read_text("utf-8")):
        raise InputError(f"{out} holds another report", "choose another folder with --out, or add --force")
    runs: list[claims.Run] = []
    told: list[dict[str, Any]] = []
    for one in every:
        reporter.note(f"{one.name}, {len(told) + 1} of {len(every)}")
        record = None if force else _kept(inquiry, one, out / one.name)
        if record is None:
            record = measure(inquiry, str(one.checkpoint), one.parts, out / one.name, reporter)[1]
        runs.append(claims.Run(one.variant, one.seed, record["parts"]))
        failed = [line for part in record["parts"] for line in part["failed"]]
        model = {"run": one.name, "variant": one.variant, "seed": one.seed, "steps": one.steps}
        told.append(model | {"sha256": record["model"]["sha256"], "report": f"{one.name}/{PAGE}", "failed": failed})
    cells = claims.table(runs)
    verdicts = [claims.judge(claim, cells) for claim in claims.CLAIMS]
    found = {
        "schema": 1,
        "output": str(out),
        **inquiry.as_data(),
        "runs": told,
        "table": [dict(zip(map(str.lower, claims.HEADINGS), _raw(cell), strict=True)) for cell in cells],
        "claims": [{"claim": v.claim.text, "answer": v.answer, "reasons": list(v.reasons)} for v in verdicts],
        "statement": claims.statement(verdicts),
    }
    write(out, _page(found, cells, verdicts), found)
    return cells, verdicts, found


def _raw(cell: claims.Cell) -> list[Any]:
    place = [cell.measure.part, cell.measure.score, cell.variant]
    return [*place, cell.mean, cell.spread, len(cell.values), cell.control, cell.against]


def _kept(inquiry: Inquiry, one: Contender, folder: Path) -> dict[str, Any] | None:
    """The record of a measurement that was made before; None where there is none.

    Raises InputError where it is of another checkpoint, or was asked something else.
    """
    if not (folder / SCORES).exists():
        return None
    record: dict[str, Any] = json.loads((folder / SCORES).read_text("utf-8"))
    asked = inquiry.as_data() | {"sha256": identity(one.checkpoint)}
    before = {name: record.get(name, record["model"].get(name)) for name in asked}
    if asked != before:
        other = ", ".join(name for name in asked if asked[name] != before[name])
        raise InputError(f"{folder} was measured otherwise ({other})", "choose another --out, or add --force")
    return record


def _page(record: Mapping[str, Any], cells: Sequence[claims.Cell], verdicts: Sequence[claims.Verdict]) -> str:
    """The table, what it says, and a link to the report of each run."""
    table = claims.rows(cells)
    lines = ["<h1>unisinger evaluate --ablation</h1>", f"<p>{escape(record['statement'])}</p>"]
    lines += report.table(table, [("", "", "", "number", "number", "number", "number", "")] * len(cells))
    for verdict in verdicts:
        lines.append(f"<h3>{escape(verdict.claim.text)}: {escape(verdict.answer)}</h3>")
        lines += [f"<p>{escape(reason)}</p>" for reason in verdict.reasons]
    lines.append("<h2>Runs</h2>")
    for run in record["runs"]:
        told = f"{run['steps']} steps, sha256 {run['sha256']}"
        lines.append(f'<p><a href="{escape(run["report"])}">{escape(run["run"])}</a>: {escape(told)}</p>')
        lines += [f'<p class="missed">{escape(line)}</p>' for line in run["failed"]]
    return report.html("unisinger evaluate --ablation", lines)
