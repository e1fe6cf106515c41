"""Loss curves: what is drawn of which run, and logs that are none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from unisinger_cli.errors import InputError
from unisinger_cli.training.curves import PICTURE, draw_curves, read_log


def logged(folder: Path, steps: int, joins: int = 0) -> Path:
    """The log of a run whose loss falls, and whose second task joins at the step `joins`."""
    folder.mkdir(parents=True)
    lines = [
        {"step": step, "seconds": step / 20, "rate": 20.0, "flow/loss": 1 / step, "flow/task1": float(step >= joins)}
        for step in range(1, steps, 10)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_a_log_is_read_without_the_steps_in_which_it_warms_up(tmp_path: Path) -> None:
    curves, rate = read_log(logged(tmp_path / "run", 1000))
    assert rate == 20 and set(curves) == {"flow/loss", "flow/task1"}
    steps, values = zip(*curves["flow/loss"], strict=True)
    assert steps == tuple(range(21, 1000, 10))
    assert values == pytest.approx([1 / step for step in steps])


def test_every_run_is_a_line_in_the_picture(tmp_path: Path) -> None:
    from matplotlib.image import imread

    one, other = logged(tmp_path / "one", 1000), logged(tmp_path / "other", 500, joins=200)
    draw_curves([one], tmp_path / "a")
    draw_curves([one, other], tmp_path / "b")
    alone, both = (np.asarray(imread(tmp_path / name / PICTURE)) for name in ("a", "b"))
    assert alone.shape == both.shape
    colours = [len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) for image in (alone, both)]
    assert colours[1] > colours[0]


def test_the_command_draws(tmp_path: Path) -> None:
    run = logged(tmp_path / "run", 100)
    command = [sys.executable, "-m", "unisinger_cli", "train", "curves", "--data", str(run), "--out", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (run / PICTURE).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("text", ["", "{}\n", "no json\n", '{"step": 3, "rate": 1}\n', "[1]\n"])
def test_what_is_no_log_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="holds no log"):
        read_log(tmp_path)
    (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(InputError, match="is not the log of a run"):
        read_log(tmp_path)
