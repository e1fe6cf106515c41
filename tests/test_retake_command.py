"""`unisinger retake` as it is run: the list of lines, the names of files, what is refused, and the real model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

from conftest import RATE, Run


def test_command(unisinger: Run, tmp_path: Path) -> None:
    (tmp_path / "lyrics.txt").write_text("the morning comes\nacross the sea\n")
    flags = "--bpm", 150, "--checkpoint", "debug", "--steps", 1, "-o", "song.wav"
    assert unisinger("song", "--lyrics", "lyrics.txt", *flags).code == 0
    before = sorted(tmp_path.iterdir())
    listed = unisinger("retake", "song.json", "--json")
    assert [(one["line"], one["text"]) for one in listed.json["lines"]] == [
        (1, "the morning comes"),
        (2, "across the sea"),
    ]
    unknown = unisinger("retake", "song.json", "--line", 3)
    assert (unknown.code, unknown.out) == (3, "")
    assert "2 across the sea" in unknown.err
    assert sorted(tmp_path.iterdir()) == before

    worst = unisinger("retake", "song.json", "--line", "worst")
    assert (worst.code, worst.out) == (0, "song.retake.wav\n"), worst.err
    merits = {one["line"]: one["merit"] for one in listed.json["lines"]}
    told = json.loads((tmp_path / "song.retake.json").read_text())
    assert told["retakes"][0]["lines"] == [min(merits, key=lambda line: merits[line])]
    assert unisinger("retake", "song.json", "--line", 1).code == 3  # song.retake.wav exists
    assert unisinger("retake", "song.retake.json", "--line", 1).out == "song.retake2.wav\n"
    refused = unisinger("replay", "song.retake.json")
    assert refused.code == 3
    assert "sung again" in refused.err

    vocal = tmp_path / "song.vocal.wav"
    vocal.write_bytes(vocal.read_bytes()[:-100])
    changed = unisinger("retake", "song.json", "--line", 1, "--force")
    assert (changed.code, "has changed" in changed.err) == (3, True)


def test_the_real_model_sings_a_line_again(installed: Run, tmp_path: Path) -> None:
    (tmp_path / "lyrics.txt").write_text("the morning comes\nacross the sea\n")
    assert installed("song", "--lyrics", "lyrics.txt", "--bpm", 120, "--steps", 4, "-o", "song.wav").code == 0
    done = installed("retake", "song.json", "--line", 2, "-o", "new.wav")
    assert done.code == 0, done.err
    old, new = (
        soundfile.read(str(tmp_path / f"{name}.vocal.wav"), always_2d=True)[0][:, 0] for name in ("song", "new")
    )
    first, second = installed("retake", "new.json", "--json").json["lines"]
    inside = slice(int(second["start"] * RATE), int(second["end"] * RATE))
    assert np.array_equal(old[: int(first["end"] * RATE)], new[: int(first["end"] * RATE)])
    assert not np.array_equal(old[inside], new[inside])
    level = [float(np.sqrt(np.mean(sound[inside] ** 2))) for sound in (old, new)]
    assert 0.7 < level[1] / level[0] < 1.4
    assert second["scores"]["pitch_error_cents"] < 30
    assert second["scores"]["voicing_error"] < 0.2
    border = slice(int((second["start"] - 0.5) * RATE), int((second["start"] - 0.1) * RATE))
    assert np.abs(np.diff(new[border])).max() <= max(np.abs(np.diff(old)).max(), np.abs(np.diff(new[inside])).max())
