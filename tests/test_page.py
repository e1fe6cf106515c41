"""The page of a receipt: what is on it, and that no receipt, however it was changed, gets further than an error."""

from __future__ import annotations

import copy
import json
import re
import zlib
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import RATE, Run, store, sung
from unisinger_cli.audio import write
from unisinger_cli.errors import InputError
from unisinger_cli.pipeline import account, controls, page, pictures
from unisinger_cli.types import Pitch

EVIL = "<script>alert(1)</script>\"'&\u202e\ud800\0😀مرحبا" + "x" * 300


def a_receipt(**changed: Any) -> dict[str, Any]:
    """What `song` writes, of two seconds on one note a word."""
    notes = [{"start": 0.2, "end": 0.9, "midi": 57.0}], [{"start": 1.0, "end": 1.8, "midi": 57.0}]
    words = [{"text": text, "notes": note} for text, note in zip(("silver", "sea"), notes, strict=True)]
    chord = {"start": 0.0, "end": 2.0, "root": 8, "quality": "min", "bass": 3}
    return {
        "schema": 2,
        "command": "song",
        "output": "out/s.wav",
        "files": {
            "mix": {"path": "out/s.wav"},
            "vocal": {"path": "out/s.vocal.wav"},
            "accomp": {"path": "out/s.accomp.wav"},
            "receipt": {"path": "out/s.json"},
        },
        "request": {"ref": [{"path": "me.wav", "weight": 1.0}], "style": "calm"},
        "seed": 7,
        "inputs": {},
        "model": {"name": "mini", "sha256": controls._data()["checkpoint"]},
        "machine": {"device": "cpu"},
        "audio": {"seconds": 2.0, "rate": RATE, "channels": 2},
        "scores": {"pitch_correlation": 0.99, "similarity_to_reference": None, "of_tomorrow": 0.5},
        "notes": [],
        "real_time_factor": 0.5,
        "peak_memory_mib": None,
        "plan": {
            "seconds": 2.0,
            "score": {"bpm": 90.0, "key": "C:maj", "chords": [chord]},
            "lines": [{"text": "silver sea", "section": "verse", "syllables": words}],
        },
        "consent": "Only with consent.",
    } | changed


def put(folder: Path, record: Any, seconds: float = 2.0) -> Path:
    for name, hz in (("s.wav", 220.0), ("s.vocal.wav", 220.0), ("s.accomp.wav", 110.0)):
        write(folder / name, sung(seconds, hz=hz, channels=2))
    (folder / "s.json").write_text(json.dumps(record), encoding="utf-8")
    return folder / "s.json"


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_a_page_holds_all_that_is_known_and_refers_to_nothing_outside(tmp_path: Path) -> None:
    text = page.of_files(put(tmp_path, a_receipt()))
    tags = Tags(text).found
    assert [tag for tag, _ in tags].count("audio") == [tag for tag, _ in tags].count("img") == 3
    control = f"{controls._data()['song']['pitch_correlation'][0][0]:.2f}"  # that of another melody
    for wanted in ("silver", "sea", "Abm/Eb", "me.wav", "Only with consent.", "C major", "of_tomorrow", control):
        assert wanted in text
    assert text.count('class="note"') == 2
    outside = [value for _, attrs in tags for name, value in attrs.items() if name in ("src", "href", "action")]
    assert outside and all(str(value).startswith("data:") for value in outside)
    assert not re.search(r"url\(|@import|https?:", re.sub(r"data:[^\"]+", "", text))
    assert {attrs.get("lang") for tag, attrs in tags if tag == "html"} == {"en"}


def test_a_score_without_a_control_says_so(tmp_path: Path) -> None:
    told = account.parse(json.dumps(a_receipt()), "r")
    by_name = {score.name: score for score in controls.told(told, None)}
    assert by_name["of_tomorrow"].compare == () and "another song" in by_name["Follows the melody"].compare[0]
    other = account.parse(json.dumps(a_receipt(model={"name": "mine", "sha256": "00"})), "r")
    assert not any("another song" in line for score in controls.told(other, None) for line in score.compare)


def test_controls_were_measured_on_the_bundled_checkpoint() -> None:
    """New weights need new controls: run what controls.json names as its sources, and put their sha256 there."""
    from unisinger_cli.backends.weights import sha256_of
    from unisinger_cli.pipeline.studio import bundled_checkpoint

    assert controls._data()["checkpoint"] == sha256_of(bundled_checkpoint())


def test_notes_that_are_sung_agree_and_moved_ones_do_not() -> None:
    told = account.parse(json.dumps(a_receipt()), "r")
    words = (told.words[0], account.SungWord("b", (account.Note(1.0, 2.0, 69.0),)))
    hz = np.where(np.arange(100) < 50, 220.0, 440.0).astype(np.float32)
    found = controls.against_notes(Pitch(hz, 50.0), words)
    assert found is not None and found[0] < 1 and found[1] > 500


def test_everything_from_a_receipt_is_escaped(tmp_path: Path) -> None:
    record = a_receipt(consent=EVIL, notes=[EVIL], scores={EVIL: 1.0})
    record["request"]["ref"][0]["path"] = record["request"]["style"] = EVIL
    line = record["plan"]["lines"][0]
    line["text"] = line["section"] = line["syllables"][0]["text"] = EVIL
    text = page.of_files(put(tmp_path, record))
    assert text.count("<script>") == 1 and "alert(1)</script>" not in text and "\u202e" not in text
    assert "مرحبا" in text and not any(name.startswith("on") for _, attrs in Tags(text).found for name in attrs)
    text.encode("utf-8")


def test_what_is_wrong_with_the_files_is_told(tmp_path: Path) -> None:
    source = tmp_path / "me.wav"
    source.write_bytes(b"another")
    receipt = put(tmp_path, a_receipt(inputs={"ref": {"path": str(source), "sha256": "ab" * 32}}))
    (tmp_path / "s.accomp.wav").unlink()
    write(tmp_path / "s.wav", sung(1.0))
    text = page.of_files(receipt)
    assert "s.accomp.wav does not exist" in text and "s.wav lasts 1.0 s" in text and "its sha256 differs" in text
    for name in ("s.wav", "s.vocal.wav"):
        store(tmp_path / name, np.zeros((2, RATE)))
    with pytest.raises(InputError, match="nothing to hear"):
        page.of_files(receipt)


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, item in inside for place in _places(item, (*at, key)))]


ODD = [None, True, -1, 10**400, 1e999, float("nan"), "", "..", EVIL, [], {}, [[]], {"": None}, [None] * 3]


@settings(max_examples=300)
@given(place=st.sampled_from(_places(a_receipt())[1:]), odd=st.sampled_from(ODD))
def test_a_changed_receipt_is_read_or_refused(place: tuple[Any, ...], odd: Any) -> None:
    record = copy.deepcopy(a_receipt())
    inside = record
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = odd
    try:
        told = account.parse(json.dumps(record), "r.json")
    except InputError as error:
        assert "r.json" in error.message
    else:
        controls.told(told, None)
        assert not any("/" in name for name in told.files.values())


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[" * 100_000, b"\xff\xfe{\0", b"null", b"{}", b"1" * 5000, b'{"schema": 2}']
)
def test_what_is_no_receipt_ends_in_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "r.json").write_bytes(data)
    with pytest.raises(InputError, match=r"r\.json"):
        account.read(tmp_path / "r.json")


def test_a_spectrogram_is_a_png_whose_brightest_row_is_the_tone() -> None:
    data = pictures.spectrogram(sung(1.0, hz=880), 90)
    start = data.index(b"IDAT") + 4
    rows = np.frombuffer(zlib.decompress(data[start:-16]), np.uint8).reshape(pictures.ROWS, 91)[:, 1:]
    brightest = pictures.ROWS - 1 - int(rows.mean(axis=1).argmax())
    assert abs(brightest - 4 * pictures.ROWS / pictures.OCTAVES) <= 2


def test_a_long_song_is_drawn_no_wider_than_a_browser_can_show() -> None:
    assert pictures.Scale(45).rate == pictures.FAST and pictures.Scale(page.LONGEST).width <= pictures.MOST
    told = account.parse(json.dumps(a_receipt()), "r")
    assert "only the first" not in page.page(told, {"vocal": sung(2.0)}, (), date(2026, 1, 2))


def test_report_and_its_exit_codes(tmp_path: Path, unisinger: Run) -> None:
    put(tmp_path, a_receipt())
    done = unisinger("report", "s.vocal.wav")
    assert (done.code, done.out.strip()) == (0, "s.html")
    assert (unisinger("report", "s.json").code, unisinger("report", "s.json", "-o", "p.txt").code) == (3, 2)
    (tmp_path / "s.json").write_text('{"schema": 2, "files": 3}')
    done = unisinger("report", "s.json", "--force")
    assert done.code == 3 and "Traceback" not in done.err and (tmp_path / "s.html").stat().st_size > 10_000


def test_convert_writes_its_page_with_all_else(tmp_path: Path, unisinger: Run) -> None:
    write(tmp_path / "a.wav", sung(2.0))
    done = unisinger(
        *("convert", "a.wav", "--target", "a.wav", "--checkpoint", "debug", "--steps", 1, "--report", "-o", "o.wav")
    )
    assert done.code == 0, done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "o.html", "o.json", "o.vocal.wav", "o.wav"]
    text = (tmp_path / "o.html").read_text(encoding="utf-8")
    assert text.count("<audio") == 1 and "other weights" in text


def test_the_roll_shows_a_voice_of_any_register_without_a_plan() -> None:
    hz = np.linspace(80, 120, 50, dtype=np.float32)
    hz[25] = 1000.0  # a slip of the tracker
    path = re.search(r'class="f0" d="([^"]+)"', pictures.roll((), Pitch(hz, 50.0), pictures.Scale(1.0)))
    assert path and path[1].count("L") > 40 and path[1].count("M") == 2
    heights = [float(point.split()[1]) for point in re.split("[ML]", path[1])[1:]]
    assert 0 <= min(heights) < 60 and 80 < max(heights) <= pictures.ROLL
