"""Hundreds of things that must be refused: the promised exit code, one line, nothing written, no traceback."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import torture
from unisinger_cli.cli.app import main

ROWS = torture.rows()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("torture")
    torture.make_files(place)
    yield place


def test_the_table_is_long() -> None:
    assert len({line for _, line in ROWS}) == len(ROWS) >= 150


@pytest.mark.parametrize(("code", "line"), ROWS, ids=[line.replace(" --checkpoint debug", "") for _, line in ROWS])
def test_refused(
    code: int, line: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["unisinger", *shlex.split(line)])
    monkeypatch.setenv("COLUMNS", "100")
    before = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    assert main() == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err and "bug in unisinger" not in err
    said = [text for text in err.splitlines() if not text.startswith(("hint: ", "note: "))]
    if line.startswith("batch"):  # first the jobs that failed, one a line
        said = said[-1:]
    assert len(said) == 1 and said[0].startswith("error: "), err
    after = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    assert {p: t for p, t in after.items() if p != folder} == {p: t for p, t in before.items() if p != folder}
