"""`models`: the only command that downloads, and what it does when the file is not as promised."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from unisinger_cli.backends import weights
from unisinger_cli.cli import output
from unisinger_cli.cli.app import app
from unisinger_cli.cli.exits import run

BODY = bytes(range(256)) * 8192  # 2 MiB: more than one block
SHA = hashlib.sha256(BODY).hexdigest()


def unisinger(*arguments: str) -> int:
    return run(lambda: app(list(arguments), prog_name="unisinger"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own place for weights, and an htdemucs that is two MiB of known bytes."""
    monkeypatch.setenv("UNISINGER_HOME", str(tmp_path / "home"))
    small = replace(weights.WEIGHTS["htdemucs"], sha256=SHA, size=len(BODY))
    monkeypatch.setitem(weights.WEIGHTS, "htdemucs", small)
    monkeypatch.setattr(output, "screen", output.Screen())  # runs in this process share it
    return tmp_path / "home"


@pytest.fixture
def server() -> Iterator[str]:
    """A mirror on this machine: /right, /wrong (same length), /short (less than it promised), /long, or 404."""
    bodies = {"/right": BODY, "/wrong": BODY[::-1], "/short": BODY[: 1 << 20], "/long": BODY + b"more"}

    class Mirror(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = bodies.get(self.path)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(max(len(body), len(BODY))))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as mirror:
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{mirror.server_port}"
        mirror.shutdown()


def left_behind(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "models").iterdir())


def test_pull_from_a_mirror(server: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert unisinger("models", "pull", "htdemucs", "--url", f"{server}/right") == 0
    path = home / "models" / "955717e8-8726e21a.th"
    assert capsys.readouterr().out == f"{path}\n"
    assert path.read_bytes() == BODY
    assert weights.verified("htdemucs") == path
    # it is here now, so a second pull does not touch the network, wherever that points
    assert unisinger("models", "pull", "htdemucs", "--url", f"{server}/missing") == 0
    assert unisinger("models", "pull", "htdemucs", "--url", f"{server}/missing", "--force") == 4
    assert path.read_bytes() == BODY, "a failed --force must not take away what was there"


def test_pull_from_a_file(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "copy.th").write_bytes(BODY)
    assert unisinger("models", "pull", "htdemucs", "--json", "--url", (tmp_path / "copy.th").as_uri()) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["fetched"] is True and told["sha256"] == SHA
    assert left_behind(home) == ["955717e8-8726e21a.th"]


@pytest.mark.parametrize(
    ("page", "says"),
    [("wrong", "sha256"), ("short", "sent 1048576 bytes"), ("long", "more than"), ("missing", "404")],
)
def test_a_bad_transfer_leaves_nothing(
    page: str, says: str, server: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if page == "long":  # promise and body agree; only the registry knows better
        weights.WEIGHTS["htdemucs"] = replace(weights.WEIGHTS["htdemucs"], size=len(BODY) - 1)
    assert unisinger("models", "pull", "htdemucs", "--url", f"{server}/{page}") == 4
    told = capsys.readouterr()
    assert told.out == ""
    assert says in told.err and told.err.startswith("error: ") and told.err.count("\n") == 2
    assert left_behind(home) == []


def test_offline_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert unisinger("models", "pull", "htdemucs", "--url", "http://127.0.0.1:9/model") == 4
    error, hint = capsys.readouterr().err.splitlines()
    assert "cannot fetch htdemucs" in error and "--url" in hint
    assert left_behind(home) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["htdemucs", "--url", "ftp://x/y"], 2),
        (["htdemucs", "--url", "/no/scheme"], 2),
        (["htdemucs", "--url", "http://[x"], 2),
        (["nothing"], 2),
        (["mini"], 3),
    ],
)
def test_pull_refuses(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert unisinger("models", "pull", *arguments) == code
    assert capsys.readouterr().err.startswith("error: ")


def test_a_missing_file_url(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert unisinger("models", "pull", "htdemucs", "--url", (tmp_path / "none.th").as_uri()) == 4
    assert "cannot fetch" in capsys.readouterr().err


def test_a_full_disk_is_told_before_the_transfer(
    server: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(weights.WEIGHTS, "htdemucs", replace(weights.WEIGHTS["htdemucs"], size=1 << 60))
    assert unisinger("models", "pull", "htdemucs", "--url", f"{server}/right") == 6
    assert "free" in capsys.readouterr().err


def test_a_home_that_cannot_be_made(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.write_text("a file stands here")
    assert unisinger("models", "pull", "htdemucs", "--url", "http://127.0.0.1:9/model") == 3
    assert "UNISINGER_HOME" in capsys.readouterr().err


def test_list_path_and_verify(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "copy.th").write_bytes(BODY)
    assert unisinger("models", "pull", "htdemucs", "--url", (tmp_path / "copy.th").as_uri()) == 0
    capsys.readouterr()
    assert unisinger("models", "list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert set(rows) == {"mini", "htdemucs", "whisper-tiny", "whisper-base", "whisper-small"}
    assert rows["htdemucs"]["installed"] and not rows["whisper-tiny"]["installed"]
    for row in rows.values():
        assert row["licence"] and row["path"]
    assert unisinger("models", "path", "htdemucs") == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == home / "models" / "955717e8-8726e21a.th"
    assert unisinger("models", "verify", "htdemucs") == 0
    path.write_bytes(BODY[:-1] + b"x")
    assert unisinger("models", "verify", "htdemucs") == 4
    assert unisinger("models", "verify", "whisper-tiny") == 4
    assert "models pull whisper-tiny" in capsys.readouterr().err


def test_the_bundled_checkpoint_is_read_strictly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from unisinger_cli.model.checkpoint import save_checkpoint
    from unisinger_cli.model.config import PRESETS
    from unisinger_cli.model.unisinger import UniSinger
    from unisinger_cli.pipeline import studio

    path = tmp_path / "model.safetensors"
    monkeypatch.setattr(studio, "bundled_checkpoint", lambda: path)
    assert unisinger("models", "verify", "mini") == 4
    assert "pull" not in capsys.readouterr().err, "it cannot be pulled"
    save_checkpoint(UniSinger.random(PRESETS["debug"]), path, {}, int8=True)
    assert unisinger("models", "verify") == 0
    assert hashlib.sha256(path.read_bytes()).hexdigest() in capsys.readouterr().out
    path.write_bytes(path.read_bytes()[:-100])
    assert unisinger("models", "verify") == 4


def test_the_published_hashes_agree_with_the_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Demucs puts 8 hex digits of the sha256 in the name, OpenAI all 64 in the address."""
    monkeypatch.undo()
    for item in weights.WEIGHTS.values():
        assert len(item.sha256) == 64 and item.url.startswith("https://") and item.url.endswith(item.file)
        stem = item.file.removesuffix(".th")
        assert item.sha256 in item.url or item.sha256.startswith(stem.split("-")[1])


def test_weights_lie_in_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("UNISINGER_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.folder() == tmp_path / "unisinger" / "models"
