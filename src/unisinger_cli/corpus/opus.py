"""Ogg Opus files that are the same, byte for byte, whenever they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unisinger_cli.audio import resample
from unisinger_cli.types import Audio

RATE, LEVEL = 48000, 0.78  # about 60 kbit/s
_SERIAL = b"sing"


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return tuple(table)


_TABLE = _crc_table()


def write_opus(path: Path, audio: Audio) -> None:
    """Write sound (its first channel) as mono Ogg Opus."""
    import soundfile

    at = resample(audio, RATE)
    kinds: dict[str, Any] = {"format": "OGG", "subtype": "OPUS", "compression_level": LEVEL}
    with soundfile.SoundFile(str(path), "w", RATE, 1, **kinds) as file:
        file.write(at.samples[0])
    path.write_bytes(_renumbered(path.read_bytes()))


def _renumbered(data: bytes) -> bytes:
    """The writer numbers a stream at random; with a number of ours in every page, and the checksums that this needs
    (RFC 3533, section 6), equal sounds are equal files."""
    out = bytearray(data)
    at = 0
    while at < len(out):
        lengths = out[at + 27 : at + 27 + out[at + 26]]
        end = at + 27 + len(lengths) + sum(lengths)
        out[at + 14 : at + 18] = _SERIAL
        out[at + 22 : at + 26] = bytes(4)
        checksum = 0
        for byte in out[at:end]:
            checksum = ((checksum << 8) & 0xFFFFFFFF) ^ _TABLE[(checksum >> 24) ^ byte]
        out[at + 22 : at + 26] = checksum.to_bytes(4, "little")
        at = end
    return bytes(out)
