"""Many jobs: none lost, none done twice, however often the batch is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import LIMIT, Ran, Run, store, sung
from unisinger_cli.cli.commands.batch import _bytes, _workers
from unisinger_cli.cli.jobs import MOST_BYTES, arguments
from unisinger_cli.errors import UsageError

DEBUG = {"UNISINGER_CHECKPOINT": "debug", "UNISINGER_STEPS": "1"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "lyrics.txt").write_text("a day\n")
    store(tmp_path / "voice.wav", sung(1.2, hz=180.0).samples)
    store(tmp_path / "vocal.wav", sung(0.8, hz=300.0, rate=22050).samples, 22050)
    return tmp_path


def written(path: Path, count: int) -> Path:
    """A list of jobs, conversions most of them, since they are short."""
    jobs: list[dict[str, Any]] = []
    for i in range(count):
        if i % 10 == 9:
            jobs.append({"command": "song", "lyrics": "lyrics.txt", "bpm": 200, "seed": i, "output": f"o{i:02}.flac"})
        else:
            jobs.append({"command": "convert", "input": "vocal.wav", "target": "voice.wav", "output": f"o{i:02}.wav"})
            jobs[-1] |= {"seed": i, "cfg-voice": 1.5}
    path.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    return path


def events(ran: Ran) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.err.splitlines() if line.startswith('{"event"')]


def files(folder: Path) -> dict[str, Any]:
    """What a batch left: bytes of sounds, and receipts without what differs from run to run."""
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("o*")):
        if path.suffix == ".json":
            told = json.loads(path.read_text())
            for name in ("seconds", "real_time_factor", "peak_memory_mib", "stages"):
                del told[name]
            found[path.name] = told
        else:
            found[path.name] = path.read_bytes()
    return found


def test_a_list_with_bad_lines_and_what_is_done_is_skipped(unisinger: Run, place: Path) -> None:
    jobs = written(place / "jobs.jsonl", 2)
    lines = [
        "",
        "not json",
        "[1]",
        "[" * 100000,
        '{"command": "song", "lyrics": "none.txt", "output": "c.wav"}',
        '{"command": "rm", "output": "c.wav"}',
        '{"command": "song", "lyrics": "lyrics.txt"}',
        '{"command": "song", "lyrics": "lyrics.txt", "speed": 3, "output": "c.wav"}',
        '{"command": "song", "lyrics": "lyrics.txt", "seed": "x", "output": "c.wav"}',
        '{"command": "song", "lyrics": "lyrics.txt", "json": true, "output": "c.wav"}',
        '{"command": "song", "lyrics": ["a", {}], "output": "c.wav"}',
        '{"command": "song", "lyrics": "lyrics.txt", "output": "o00.wav", "id": "twin"}',
        '{"command": "song", "lyrics": "lyrics.txt", "output": "none/c.wav"}',
        '{"command": "song", "lyrics": "lyrics.txt", "output": "c.txt"}',
        '{"command": "convert", "input": "-x", "target": "voice.wav", "output": "c.wav"}',
    ]
    jobs.write_text(jobs.read_text() + "\n".join(lines))
    first = unisinger("batch", "jobs.jsonl", "--progress", "json", **DEBUG)
    assert first.code == 7, first.err
    assert "Traceback" not in first.err
    told = events(first)
    bad = [event for event in told if event["event"] == "failed"]
    assert len(bad) == len(lines) - 1  # an empty line is none
    assert [int(event["id"].split(":")[1].split()[0]) for event in bad] == list(range(4, 3 + len(lines)))
    assert {event["exit"] for event in bad} == {2, 3}
    assert [event["event"] for event in told[-3:]] == ["done", "done", "summary"]
    assert sorted(first.out.split()) == ["o00.wav", "o01.wav"]
    made = files(place)
    jobs.write_text("\n".join(jobs.read_text().splitlines()[:2]))
    again = unisinger("batch", "-", "--json", stdin=jobs.read_text(), **DEBUG)
    assert (again.code, again.json["skipped"], again.json["done"]) == (0, 2, 0), again.err
    assert files(place) == made
    # another request under the same name is not done over, unless told to; the same with a damaged file is
    text = jobs.read_text().replace('"seed": 0', '"seed": 5')
    other = unisinger("batch", "-", "--json", stdin=text, **DEBUG)
    assert (other.code, other.json["failed"], other.json["skipped"]) == (7, 1, 1)
    assert "not of this job" in other.json["failures"][0]["error"]
    (place / "o00.vocal.wav").write_bytes(b"cut")
    mended = unisinger("batch", "jobs.jsonl", "--json", **DEBUG)
    assert (mended.code, mended.json["done"], mended.json["skipped"]) == (0, 1, 1), mended.err
    assert files(place) == made


def test_a_folder(unisinger: Run, place: Path) -> None:
    (place / "in").mkdir()
    (place / "in" / "vocal.wav").write_bytes((place / "vocal.wav").read_bytes())
    (place / "in" / "words.txt").write_text("a day\n")
    (place / "in" / "notes.md").write_text("not for us")
    done = unisinger("batch", "in", "-o", "out", "--set", "seed=2", **DEBUG)
    assert done.code == 7 and "Missing option '--target'" in done.err  # which a song does not know
    assert done.out == "out/words.wav\n"
    (place / "in" / "words.txt").unlink()
    done = unisinger("batch", "in", "-o", "out", "--set", "target=voice.wav", **DEBUG)
    assert (done.code, done.out) == (0, "out/vocal.wav\n"), done.err
    same = "cannot be the same"
    for wrong, said in (
        (("in",), "--output"), (("in", "-o", "in"), "inputs too"), (("nothing",), "does not exist"),
        (("in", "-o", "out", "--set", ""), "--set is ''"), (("in", "-o", "out", "--set", "dry-run"), same),
        (("in", "-o", "out", "--set", "help"), same), (("in", "-o", "out", "--set", "output=a.wav"), same),
    ):  # fmt: skip
        done = unisinger("batch", *wrong, **DEBUG)
        assert done.code in (2, 3) and said in done.err


def test_a_list_is_utf8_whatever_else_is(unisinger: Run, place: Path) -> None:
    """A mark of byte order, separators of lines within a text, an encoding of the terminal that has few letters."""
    job = {
        "command": "convert",
        "input": "vocal.wav",
        "target": "voice.wav",
        "style": "a\u2028b\x85c",
        "output": "ö.wav",
    }
    text = "\ufeff" + json.dumps(job, ensure_ascii=False) + "\r\n"
    done = unisinger("batch", "-", "--json", stdin=text, PYTHONIOENCODING="utf-8", **DEBUG)
    assert (done.code, done.json["done"], (place / "ö.wav").exists()) == (0, 1, True), done.err
    ran = subprocess.run(
        [sys.executable, "-m", "unisinger_cli", "batch", "-"],
        cwd=place,
        input=b'{"command": "\xff"}',
        capture_output=True,
    )
    assert ran.returncode == 3 and b"stdin is not UTF-8 text (byte 13 cannot be read)" in ran.stderr
    (place / "many.jsonl").write_bytes(b" " * (MOST_BYTES + 1))
    with (place / "many.jsonl").open("rb") as many:
        long = subprocess.run([sys.executable, "-m", "unisinger_cli", "batch", "-"], stdin=many, capture_output=True)
    assert long.returncode == 3 and b"stdin has over" in long.stderr  # rather than do the first of them


def test_arguments_are_those_of_the_command_line() -> None:
    job = {"command": "convert", "input": "-in.wav", "target": "a b", "with-accomp": True, "keep-accomp": False}
    assert arguments(job | {"output": "o.wav", "bpm": -3, "id": 7}) == [
        "convert", "--target=a b", "--with-accomp", "--output=o.wav", "--bpm=-3", "--", "-in.wav"
    ]  # fmt: skip


def test_workers_fit_into_memory_and_cores() -> None:
    assert _bytes("4G") == 4 << 30 and _bytes("1.5gib") == 3 << 29 and _bytes("100") == 100 and _bytes(None) > 0
    for wrong in ("", "G", "4X", "-1G", "1e3", "nan", "9" * 40):
        with pytest.raises(UsageError):
            _bytes(wrong)
    assert [_workers(None, memory << 30, 8) for memory in (1, 3, 100)] == [1, 2, 4]
    assert [_workers(6, memory << 30, 1) for memory in (1, 3, 100)] == [1, 2, 6]


def killed_at_random(folder: Path, count: int, kills: int, seed: int) -> int:
    """Run a batch, killing it with all its workers `kills` times; returns how many were done when it was let be."""
    rng = random.Random(seed)
    command = [sys.executable, "-m", "unisinger_cli", "batch", "jobs.jsonl", "--json", "--workers", "2"]
    for _ in range(kills):
        log = (folder / "killed.log").open("w")
        run = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **DEBUG}, stdout=log, stderr=log, start_new_session=True
        )
        began, before = time.monotonic(), len(list(folder.glob("o*.json")))
        while run.poll() is None and time.monotonic() - began < 240:  # from when the first job of this run is done
            if len(list(folder.glob("o*.json"))) > before:
                time.sleep(rng.random() * 2)
                break
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        log.close()
    ended = subprocess.run(command, cwd=folder, env={**os.environ, **DEBUG}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["done"] + told["skipped"] == count and told["failed"] == 0
    return int(told["skipped"])


def compare(tmp_path: Path, place: Path, count: int, kills: int, seed: int) -> None:
    quiet, wild = tmp_path / "quiet", tmp_path / "wild"
    for folder in (quiet, wild):
        folder.mkdir()
        for name in ("lyrics.txt", "voice.wav", "vocal.wav"):
            (folder / name).write_bytes((place / name).read_bytes())
        written(folder / "jobs.jsonl", count)
    killed_at_random(quiet, count, 0, seed)
    assert killed_at_random(wild, count, kills, seed) > 0
    assert files(wild) == files(quiet)
    assert not list(wild.glob(".unisinger*"))


def test_killed_and_run_again(tmp_path: Path, place: Path) -> None:
    compare(tmp_path, place, 6, 1, 0)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(2))
def test_fifty_jobs_killed_three_times(tmp_path: Path, place: Path, seed: int) -> None:
    compare(tmp_path, place, 50, 3, seed)


def test_two_batches_at_once_do_each_job_once(tmp_path: Path, place: Path) -> None:
    written(place / "jobs.jsonl", 4)
    command = [sys.executable, "-m", "unisinger_cli", "batch", "jobs.jsonl", "--json"]
    both = [
        subprocess.Popen(command, cwd=place, env={**os.environ, **DEBUG}, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [json.loads(run.communicate(timeout=LIMIT)[0]) for run in both]
    assert [run.returncode for run in both] == [0, 0]
    assert sum(one["done"] for one in told) == 4 and sum(one["skipped"] for one in told) == 4


def test_interrupted(place: Path) -> None:
    """Ctrl-C: the workers end, what is done stays, and nothing is half there."""
    written(place / "jobs.jsonl", 30)
    command = [sys.executable, "-m", "unisinger_cli", "batch", "jobs.jsonl"]
    run = subprocess.Popen(
        command, cwd=place, env={**os.environ, **DEBUG}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    assert run.stdout.readline()
    run.send_signal(signal.SIGTERM)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "Traceback" not in err and "interrupted" in err
    for receipt in place.glob("o*.json"):
        assert receipt.with_suffix(".wav").is_file() or receipt.with_suffix(".flac").is_file()


@pytest.mark.parametrize("script", ["many_songs.sh lyrics.txt voice.wav out", "convert_folder.sh in voice.wav out"])
def test_example_scripts_run(script: str, place: Path) -> None:
    name, *arguments = script.split()
    (place / "in").mkdir()
    (place / "in" / "take one.wav").write_bytes((place / "vocal.wav").read_bytes())
    examples = Path(__file__).resolve().parents[1] / "examples"
    (place / "bin").mkdir()
    (place / "bin" / "unisinger").symlink_to(Path(sys.executable).with_name("unisinger"))
    path = f"{place / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", examples / name, *arguments],
        cwd=place, env={**os.environ, **DEBUG, "PATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list((place / "out").glob("*.json"))) == len(done.stdout.splitlines()) == (3 if "many" in script else 1)


def test_a_job_that_writes_what_another_reads(unisinger: Run, place: Path) -> None:
    jobs = [
        {"command": "convert", "input": "vocal.wav", "target": "voice.wav", "separate": False, "output": "a.wav"},
        {"command": "song", "lyrics": "lyrics.txt", "output": "voice.wav"},
    ]
    done = unisinger("batch", "-", "--json", stdin="\n".join(map(json.dumps, jobs)), **DEBUG)
    assert done.code == 7 and [one["id"] for one in done.json["failures"]] == ["stdin:2"]
    assert "reads" in done.json["failures"][0]["error"]
    assert json.loads((place / "a.json").read_text())["request"]["separate"] is False


@pytest.mark.torture
def test_over_ray(unisinger: Run, place: Path) -> None:
    pytest.importorskip("ray")
    jobs = [
        {"command": "convert", "input": str(place / "vocal.wav"), "target": str(place / "voice.wav"), "seed": seed}
        for seed in (1, 2)
    ]
    lines = "\n".join(json.dumps(job | {"output": str(place / f"o{job['seed']}.wav")}) for job in jobs)
    done = unisinger("batch", "-", "--ray", "local", "--workers", "2", "--json", stdin=lines, **DEBUG)
    assert done.code == 0 and done.json["done"] == 2, done.err
