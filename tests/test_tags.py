"""Tags: the samples stay, what is written comes back, and what strangers write does no harm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import RATE, sung
from unisinger_cli import audio
from unisinger_cli.errors import InputError

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tags")
    for suffix in SUFFIXES:
        audio.write(folder / f"a{suffix}", sung(1.5, channels=2))
    return {suffix: folder / f"a{suffix}" for suffix in SUFFIXES}


def tagged(source: Path, tags: dict[str, str]) -> Path:
    path = source.with_name(f"tagged{source.suffix}")
    path.write_bytes(source.read_bytes())
    audio.write_tags(path, source.suffix, tags)
    return path


@settings(max_examples=20)
@given(suffix=st.sampled_from(SUFFIXES), record=texts, title=texts, times=st.sampled_from([1, 1, 1, 3000]))
def test_tags_come_back_and_samples_stay(
    files: dict[str, Path], suffix: str, record: str, title: str, times: int
) -> None:
    record = record * times  # over many pages of Ogg
    path = tagged(files[suffix], {"TITLE": title, "COMMENT": "é😀", "BPM": "92", "KEY": "Am", "UNISINGER": record})
    assert audio.read_record(path) == record
    assert np.array_equal(soundfile.read(str(path))[0], soundfile.read(str(files[suffix]))[0])
    assert [item.name for item in path.parent.iterdir() if "tags" in item.name] == []
    if suffix != ".wav":  # a second tag takes the place of the first
        audio.write_tags(path, suffix, {"UNISINGER": "{}"})
        assert audio.read_record(path) == "{}"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_programs_read_them(files: dict[str, Path], suffix: str) -> None:
    """libsndfile, which knows Vorbis comments and ID3, but no chunk `id3 ` in WAV."""
    path = tagged(files[suffix], {"TITLE": "Öde an die Freude", "COMMENT": "by a machine"})
    with soundfile.SoundFile(str(path)) as file:
        assert file.frames == pytest.approx(1.5 * RATE, abs=3000)
        if suffix in (".flac", ".ogg"):
            assert (file.title, file.comment) == ("Öde an die Freude", "by a machine")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_without_a_record_says_so(files: dict[str, Path], suffix: str) -> None:
    with pytest.raises(InputError, match="no record"):
        audio.read_record(files[suffix])


@settings(max_examples=150)
@given(data=st.data(), suffix=st.sampled_from(SUFFIXES))
def test_damaged_tags_are_refused_in_one_line(files: dict[str, Path], data: st.DataObject, suffix: str) -> None:
    """Bytes changed, taken away or put in anywhere in the first part, where the sizes are."""
    path = tagged(files[suffix], {"TITLE": "a", "UNISINGER": "{}"})
    body = bytearray(path.read_bytes())
    reach = len(body) if suffix == ".wav" else 600
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, min(reach, len(body)) - 1)))
        piece = data.draw(st.binary(max_size=8))
        body[at : at + data.draw(st.integers(0, 8))] = piece
    path.write_bytes(body[: data.draw(st.sampled_from([len(body), len(body) // 2, 100, 30, 3, 0]))])
    try:
        assert isinstance(audio.read_record(path), str)
    except InputError as error:
        assert "\n" not in error.message


def test_bits_and_sums(tmp_path: Path) -> None:
    """16 bits with dither: the mix is the sum of the stems, whoever reads it; quiet sound is not cut off."""
    vocal, band = sung(1.0, channels=2), sung(1.0, hz=110, level=0.1, channels=2)
    grid = [audio.quantised(vocal, "16"), audio.quantised(band, "16", seed=1)]
    mix = grid[0].read(0, RATE) + grid[1].read(0, RATE)
    assert np.array_equal(np.rint(mix * 2**15), mix * 2**15)
    again = np.concatenate([grid[0].read(i, i + 777) for i in range(0, RATE, 777)], axis=1)[:, :RATE]
    assert np.array_equal(again, grid[0].read(0, RATE))
    audio.write(tmp_path / "a.wav", grid[0], "16")
    assert soundfile.info(str(tmp_path / "a.wav")).subtype == "PCM_16"
    assert np.array_equal(audio.read(tmp_path / "a.wav").samples, grid[0].read(0, RATE))
    faint = audio.quantised(audio.scaled(vocal, 1e-4), "16").read(0, RATE)
    assert np.corrcoef(faint[0], vocal.samples[0])[0, 1] > 0.3  # undithered, most of it would be zero
    audio.write(tmp_path / "b.wav", vocal, "float")
    assert np.array_equal(audio.read(tmp_path / "b.wav").samples, vocal.samples)
