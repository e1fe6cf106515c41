"""Whatever bytes the readers are given: a plan that can be used, or one line that refuses them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notation_files import READERS, plan_from, refused_or_sound, song
from unisinger_cli.errors import InputError
from unisinger_cli.notation.musicxml_tune import read_musicxml_tune
from unisinger_cli.notation.write import encoded

SMALL = {kind: encoded(song("oh morning sea\ncarry me\n"), kind) for kind in READERS}
PLAN: dict[str, Any] = json.loads(SMALL["plan"])
ODD = (b"-1", b"1e999", b"NaN", b"999999999999", b"1e-300", b'"x"', b"null", b"[]", b"0", b"\xff", b"\x80", b"<!--")


@st.composite
def mutated(draw: st.DrawFn, kind: str) -> bytes:
    """A valid file with some bytes changed, cut, doubled, or replaced by what is rarely thought of."""
    data = bytearray(SMALL[kind])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                data[at] = draw(st.integers(0, 255))
            case 1:
                del data[at : at + draw(st.integers(1, 60))]
            case 2:
                data[at:at] = data[at : at + draw(st.integers(1, 60))]
            case 3:
                data[at : at + draw(st.integers(0, 4))] = draw(st.sampled_from(ODD))
        if not data:
            break
    return bytes(data)


@pytest.mark.parametrize("kind", READERS)
def test_any_bytes(kind: str) -> None:
    heads = {"plan": b"{", "mid": SMALL["mid"][:22], "musicxml": b"<score-partwise>"}

    @settings(max_examples=60)
    @given(st.binary(max_size=200), st.booleans())
    def check(data: bytes, headed: bool) -> None:
        refused_or_sound(kind, heads[kind] + data if headed else data)

    check()


@pytest.mark.parametrize("kind", READERS)
def test_any_damage(kind: str) -> None:
    assert refused_or_sound(kind, SMALL[kind])

    @settings(max_examples=120)
    @given(mutated(kind))
    def check(data: bytes) -> None:
        refused_or_sound(kind, data)

    check()


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    plan = json.loads(SMALL["plan"])
    change(plan)
    return json.dumps(plan).encode()


def first(plan: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = plan["lines"][0]["syllables"][1]["notes"][0]
    return found


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            changed(lambda p: first(p).update(midi=300)),
            "lines[0].syllables[1].notes[0].midi is 300, and must be",
        ),
        (changed(lambda p: first(p).update(midi=True)), "midi is True, and must be a number"),
        (changed(lambda p: first(p).update(midi=10**400)), "must be from 24 to 96"),
        (changed(lambda p: first(p).update(start=0)), "lines[0].syllables[1].notes[0].start is 0.0"),
        (changed(lambda p: first(p).update(end=0)), "notes[0].end is 0"),
        (changed(lambda p: first(p).pop("end")), "notes[0].end is missing"),
        (changed(lambda p: p["lines"][0]["syllables"][0].update(phonemes=["q"])), "phonemes[0] is 'q'"),
        (changed(lambda p: p["lines"][0]["syllables"][0].update(phonemes="oh")), "must be a list"),
        (changed(lambda p: p["lines"][0]["syllables"][0].update(notes=[])), "has 0 entries"),
        (changed(lambda p: p["lines"][0].update(text="a\nb")), "control characters"),
        (changed(lambda p: p["lines"].__setitem__(0, None)), "lines[0] is NoneType, and must be an object"),
        (changed(lambda p: p.update(lines=[])), "lines has 0 entries"),
        (changed(lambda p: p.update(seconds=601)), "seconds is 601"),
        (changed(lambda p: p.update(seconds=1)), "within the song's 1 seconds"),
        (changed(lambda p: p.update(version=2)), "version is 2"),
        (changed(lambda p: p.update(tags=["loud"])), "tags[0] is 'loud'"),
        (changed(lambda p: p["score"].update(bpm=20)), "score.bpm is 20, and must be from 40 to 240"),
        (changed(lambda p: p["score"].update(key="H")), "score.key is 'H'"),
        (changed(lambda p: p["score"]["chords"][0].update(quality="nice")), "score.chords[0].quality is 'nice'"),
        (changed(lambda p: p["score"]["chords"][0].update(root=12)), "score.chords[0].root is 12"),
        (b'{"plan": null}', "receipt without a plan"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"format": NaN}', "NaN"),
        (b'{"format": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"format": 1, "format": 2}', "twice"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b"[]", "neither a plan"),
        (b"{}", "neither a plan"),
    ],
)
def test_plan_with_a_fault_names_it(data: bytes, says: str) -> None:
    with pytest.raises(InputError) as error:
        plan_from(data, "bad.json")
    assert says in error.value.message and error.value.message.startswith("bad.json")
    assert error.value.hint


def packed(score: bytes = SMALL["musicxml"], name: str = "score.xml", root: str = "score.xml") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as files:
        container = f'<container><rootfiles><rootfile full-path="{root}"/></rootfiles></container>'
        files.writestr("META-INF/container.xml", container)
        files.writestr(name, score)
    return buffer.getvalue()


def test_packed_score_is_read_by_its_container() -> None:
    plain = read_musicxml_tune(SMALL["musicxml"], "a")
    assert read_musicxml_tune(packed(name="x/s.musicxml", root="x/s.musicxml"), "a.mxl") == plain
    assert read_musicxml_tune(packed(root="../../etc/passwd"), "a.mxl") == plain  # no such entry: the one that is there


def test_numbers_that_would_never_end() -> None:
    """As a fraction, 1e-99999999 has a hundred million digits."""
    assert read_musicxml_tune(SMALL["musicxml"].replace(b"<duration>", b"<duration>1e-99999999", 1), "a").notes


LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><score-partwise>&b;</score-partwise>'
XXE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><score-partwise>&a;</score-partwise>'


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (LAUGHS.encode(), "entities"),
        (LAUGHS.encode("utf-16"), "entities"),
        (XXE.encode(), "entities"),
        (packed(XXE.encode()), "entities"),
        (packed(b" " * (17 << 20)), "MiB"),
        (packed(b"<a>" + b" " * (8 << 20)), "no score"),
        (packed(name="readme.txt"), "no score"),
        (packed()[:200], "mxl"),
        (b"<score-timewise/>", "score-partwise"),
        (b"<a>" * 200_000, "well-formed"),
        (SMALL["musicxml"].replace(b"<duration>", b"<duration>1e9999", 1), "understood"),
        (SMALL["musicxml"].replace(b"<divisions>16", b"<divisions>0"), "divisions"),
        (SMALL["musicxml"].replace(b"<sound ", b'<sound dacapo="yes" ', 1), "jumps"),
    ],
)
def test_hostile_score_is_one_clear_error(data: bytes, says: str) -> None:
    with pytest.raises(InputError) as error:
        read_musicxml_tune(data, "bad.mxl")
    assert says in error.value.message and "bad.mxl" in error.value.message and "\n" not in error.value.message
