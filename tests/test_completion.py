"""What a shell is offered, through the protocol by which it asks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Run
from unisinger_cli.cli.commands.styles import spoken
from unisinger_cli.cli.completion import tag_names
from unisinger_cli.notation.keys import read_key
from unisinger_cli.stages import style


def ask(line: str, **environment: str) -> list[str]:
    """What bash gets for a line whose last word is being written; "" for one that has not begun."""
    words = line.split(" ")
    asked = {"_UNISINGER_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-m", "unisinger_cli"],
        env={**os.environ, **asked, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def saved(own_home: Path) -> Path:
    """Two voices; only their names are looked at."""
    folder = own_home / "voices"
    folder.mkdir()
    for name in ("anna", "ben"):
        (folder / f"{name}.safetensors").write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("unisinger song --ref ", ["anna", "ben"]),
        ("unisinger song --ref a", ["anna"]),
        ("unisinger song --ref anna:0.7,", ["anna:0.7,ben"]),
        ("unisinger song --ref recordings/", []),  # bash completes paths
        ("unisinger convert in.wav --target b", ["ben"]),
        ("unisinger convert in.wav -t b", ["ben"]),
        ("unisinger voice show ", ["anna", "ben"]),
        ("unisinger voice remove b", ["ben"]),
        ("unisinger voice compare anna ", ["anna", "ben"]),
        ("unisinger voice export a", ["anna"]),
        ("unisinger voice add a", []),
    ],
)
def test_saved_voices_are_offered(saved: Path, line: str, offered: list[str]) -> None:
    assert ask(line) == offered


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("unisinger son", ["song"]),
        ("unisinger song --ta", ["--take", "--takes"]),
        ("unisinger song --language z", ["zh"]),
        ("unisinger plan --key F", ["F", "Fm", "F#", "F#m"]),
        ("unisinger song --style slow,pi", ["slow,piano"]),
        ("unisinger song --style narrow", []),  # said of recordings, never asked for
        ("unisinger song --bits f", ["float"]),
        ("unisinger song --export mid,l", ["mid,lrc"]),
        ("unisinger song --pick ", ["best", "all"]),
    ],
)
def test_values_are_offered(line: str, offered: list[str]) -> None:
    assert ask(line) == offered


def test_no_voices_and_a_broken_home_offer_nothing(own_home: Path) -> None:
    assert ask("unisinger song --ref ") == []
    (own_home / "voices").write_text("a file")
    assert ask("unisinger song --ref ") == []


def test_whatever_is_offered_is_understood() -> None:
    keys = ask("unisinger song --key ")
    assert len({read_key(key) for key in keys}) == len(keys) == 24
    tags = ask("unisinger song --style ")
    assert [style.tags_of(tag) for tag in tags] == [(tag,) for tag in tags]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "unisinger_cli"],
        env={**os.environ, "_UNISINGER_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert f"complete_{shell}" in done.stdout
    assert "unisinger" in done.stdout


def test_asking_needs_no_torch(saved: Path) -> None:
    code = (
        "import sys; from unisinger_cli.cli import completion as c\n"
        "assert c.voices('a') == ['anna'] and c.languages('') and c.keys('') and c.tags('') and c.bits('')\n"
        "assert c.exports('') and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# ---------------------------------------------------------------- styles
@pytest.mark.parametrize("tag", tag_names())
def test_every_word_that_is_shown_asks_for_its_tag(tag: str) -> None:
    for word in spoken(style._SYNONYMS.get(tag, "")):
        assert style._mentions(tag, word) == 0, word


def test_styles_shows_all_of_it_in_80_columns(unisinger: Run) -> None:
    done = unisinger("styles", COLUMNS="80")
    shown = [line.split()[0] for line in done.out.splitlines() if line and not line.startswith(" ")]
    assert set(tag_names()) <= set(shown)
    assert max(map(len, done.out.splitlines())) <= 80
    assert "lullaby" in done.out
    told = unisinger("styles", "--json").json
    assert [entry["tag"] for entry in told["tags"]] == tag_names()
    assert ["slow", "medium", "fast"] in told["opposites"]


def test_styles_shows_what_a_text_asks_for(unisinger: Run) -> None:
    told = unisinger("styles", "sad lullaby for a tenor in A minor, no drums, 72 bpm", "--json").json
    assert set(told["tags"]) == {"ballad", "slow", "minor", "calm", "dark", "male"}
    assert (told["bpm"], told["key"]) == (72, "A:min")
    assert unisinger("styles", "500 bpm").code == 3
