"""Loss curves of runs, drawn from the logs that the training loop writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from unisinger_cli.errors import InputError, MissingExtra
from unisinger_cli.training.loop import LOG

COLUMNS, WIDTH, HEIGHT = 4, 3.2, 2.4  # panels in a row, and inches of one
DPI = 80
PICTURE = "losses.png"
_WARMING = 0.02  # share of a run at its beginning that would squeeze all that follows

Curve = list[tuple[int, float]]  # steps, and the mean since the point before


def read_log(folder: Path) -> tuple[dict[str, Curve], float]:
    """Curves of a run by name, such as "flow/vocal", and its steps a second.

    Raises InputError where the folder has no log, or a damaged one.
    """
    path = folder / LOG
    try:
        points: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        last = max(int(point["step"]) for point in points)
        curves: dict[str, Curve] = {}
        for point in points:
            if int(point["step"]) >= _WARMING * last:
                for name in (name for name in point if "/" in name):
                    curves.setdefault(name, []).append((int(point["step"]), float(point[name])))
        if not any(y for curve in curves.values() for _, y in curve):
            raise ValueError("no losses")
        return curves, float(points[-1]["rate"])
    except OSError as error:
        raise InputError(f"{folder} holds no log of a run ({LOG})", "give a folder that a step trained into") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not the log of a run, or damaged") from error


def draw_curves(folders: Sequence[Path], out: Path) -> None:
    """`out`/losses.png with a panel for each loss and a line for each run; a loss that is 0 throughout has none.

    Raises what `read_log` raises, and MissingExtra where matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtra("drawing curves (matplotlib)", "train") from error
    runs = {str(folder): read_log(folder) for folder in folders}
    told = {name: None for curves, _ in runs.values() for name, curve in curves.items() if any(y for _, y in curve)}
    rows = -(-len(told) // COLUMNS)
    figure = Figure(figsize=(COLUMNS * WIDTH, rows * HEIGHT + 0.4), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for axis, name in zip(axes, told, strict=False):
        for folder, (curves, rate) in runs.items():
            curve = curves.get(name, [])
            # a task that joins later has 0 before, and its first mean is of a stretch that it was not all in
            points = [point for before, point in pairwise(curve) if before[1]]
            axis.plot(
                [x for x, _ in points], [y for _, y in points], linewidth=1, label=f"{folder}, {rate:.1f} steps/s"
            )
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
    for axis in list(axes)[len(told) :]:
        axis.axis("off")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / PICTURE, dpi=DPI)
