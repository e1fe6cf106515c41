"""The rules that keep the code one way and small, checked by reading it."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in SOURCES]


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "tests").glob("*.py"))], ids=lambda path: path.name)
def test_no_file_is_longer_than_300_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_no_tricks(path: Path) -> None:
    """No prints outside output.py, no edits of the import path, no relative imports, no click."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            assert path.name == "output.py", f"print in line {node.lineno}"
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) not in ("sys.path", "os.chdir"), f"line {node.lineno}"
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [item.name for item in node.names]
            assert not any(name == "click" or name.startswith("typer._") for name in names)


def test_no_module_of_leftovers() -> None:
    assert not {path.name for path in SOURCES} & {"utils.py", "common.py", "base.py", "helpers.py", "misc.py"}
    assert not list(ROOT.glob("*.py"))
    assert not list((ROOT / "models").rglob("*.py"))


def test_layers_are_kept() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_every_module_imports_without_the_extras(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an extra brings is imported where it is used; a base install can import everything."""
    for name in (
        "demucs",
        "whisper",
        "torchaudio",
        "pyworld",
        "resemblyzer",
        "silero_vad",
        "ray",
        "pocketsphinx",
        "torchfcpe",
        "librosa",
        "matplotlib",
    ):
        monkeypatch.setitem(sys.modules, name, None)
    name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    if name.endswith("__main__"):
        return
    kept = {key: value for key, value in sys.modules.items() if key.startswith("unisinger_cli")}
    for key in kept:
        monkeypatch.delitem(sys.modules, key)
    importlib.import_module(name)
    for key in [key for key in sys.modules if key.startswith("unisinger_cli")]:
        del sys.modules[key]
    sys.modules.update(kept)


def test_readme_shows_the_tree_as_it_is() -> None:
    """Every module stands in the README's file tree, and nothing stands there that is gone."""
    tree = (ROOT / "README.md").read_text(encoding="utf-8").split("## The tree")[1].split("```")[1]
    told = {word for line in tree.splitlines() for word in line.split("#")[0].split() if word.endswith(".py")}
    there = {path.name for path in SOURCES if path.name != "__init__.py"}
    assert told - {"__init__.py"} == there
