"""Tags in audio files, for other programs and for ourselves: names such as TITLE, COMMENT, BPM and KEY, and a record.

MP3 and WAV get an ID3v2.4 tag (id3.org; in WAV as a chunk `id3 `, where most programs look), FLAC and Ogg Vorbis get
Vorbis comments (xiph.org). The samples are not touched. Readers are for files from anywhere: they believe no size.
"""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from unisinger_cli.errors import InputError

RECORD = "UNISINGER"  # the tag that holds what `inspect` reads: JSON
MOST_BYTES = 1 << 22  # of all tags of a file together; more is not read

_FRAMES = {"TITLE": b"TIT2", "ARTIST": b"TPE1", "SOFTWARE": b"TSSE", "BPM": b"TBPM", "KEY": b"TKEY"}
_VORBIS = {"KEY": "INITIALKEY", "SOFTWARE": "ENCODER"}
_REVERSED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))


def write_tags(path: Path, suffix: str, tags: Mapping[str, str]) -> None:
    """Put tags into a file that was just encoded in the format of `suffix`, in place of those it has."""
    if suffix.lower() == ".wav":
        _append_chunk(path, b"id3 ", _id3(tags))
        return
    part = path.with_name(path.name + ".tags")  # lies in the same folder: a rename is enough
    try:
        with path.open("rb") as old, part.open("wb") as new:
            {".mp3": _before_mpeg, ".flac": _into_flac, ".ogg": _into_ogg}[suffix.lower()](old, new, tags)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_record(path: Path) -> str:
    """The text of our own record in a WAV, FLAC, MP3 or Ogg Vorbis file.

    Raises InputError where there is none, or the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            found = _found(file)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, struct.error, EOFError) as error:
        raise InputError(f"{path} has tags that are damaged ({error})") from error
    if found is None:
        hint = "if unisinger made it, the receipt NAME.json that lay beside it tells as much"
        raise InputError(f"{path} has no record of unisinger in it", hint)
    return found


def _found(file: BinaryIO) -> str | None:
    head = file.read(12)
    file.seek(0)
    if head[:3] == b"ID3":
        return _from_id3(file.read(MOST_BYTES))
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        chunk = next((_bounded(file, size) for name, size in _chunks(file) if name == b"id3 "), None)
        return None if chunk is None else _from_id3(chunk)
    if head[:4] == b"fLaC":
        file.seek(4)
        block = next((_bounded(file, size) for kind, size in _blocks(file) if kind == 4), None)
        return None if block is None else _from_comments(block)
    if head[:4] == b"OggS":
        packet = _header_packets(file)[0][0]
        return _from_comments(packet[7:]) if packet[:7] == b"\x03vorbis" else None
    return None


def _bounded(file: BinaryIO, size: int) -> bytes:
    if size > MOST_BYTES:
        raise ValueError(f"{size} bytes, and at most {MOST_BYTES} are read")
    return _exactly(file, size)


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError("it ends too early")
    return data


# ---------------------------------------------------------------- ID3
def _synchsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def _size(four: bytes) -> int:
    return sum(byte << shift for byte, shift in zip(four, (21, 14, 7, 0), strict=True))


def _id3(tags: Mapping[str, str]) -> bytes:
    frames = b""
    for name, value in tags.items():
        text = value.replace("\0", " ").encode()
        if name == "COMMENT":
            frame, body = b"COMM", b"\x03eng\0" + text
        elif name in _FRAMES:
            frame, body = _FRAMES[name], b"\x03" + text
        else:
            frame, body = b"TXXX", b"\x03" + name.encode() + b"\0" + text
        frames += frame + _synchsafe(len(body)) + b"\0\0" + body
    return b"ID3\x04\0\0" + _synchsafe(len(frames)) + frames


def _from_id3(data: bytes) -> str | None:
    if data[:3] != b"ID3" or len(data) < 10 or data[3] != 4:
        return None
    end, at = min(10 + _size(data[6:10]), len(data)), 10
    while at + 10 <= end:
        name, size = data[at : at + 4], _size(data[at + 4 : at + 8])
        body = data[at + 10 : min(at + 10 + size, end)]
        wanted = b"\x03" + RECORD.encode() + b"\0"
        if name == b"TXXX" and body.startswith(wanted):
            return body[len(wanted) :].decode()
        at += 10 + size
    return None


def _before_mpeg(old: BinaryIO, new: BinaryIO, tags: Mapping[str, str]) -> None:
    head = old.read(10)
    old.seek(10 + _size(head[6:10]) if head[:3] == b"ID3" else 0)
    new.write(_id3(tags))
    shutil.copyfileobj(old, new)


# ---------------------------------------------------------------- WAV
def _append_chunk(path: Path, name: bytes, body: bytes) -> None:
    with path.open("r+b") as file:
        size = file.seek(0, io.SEEK_END)
        file.write(b"\0" * (size % 2) + name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2))
        whole = file.tell() - 8
        file.seek(4)
        file.write(struct.pack("<I", whole))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk, with the file at its body."""
    at = 12
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        size = int(struct.unpack("<I", head[4:])[0])
        yield head[:4], size
        at += 8 + size + size % 2


# ---------------------------------------------------------------- Vorbis comments
def _comments(tags: Mapping[str, str]) -> bytes:
    fields = [f"{_VORBIS.get(name, name)}={value}".encode() for name, value in tags.items()]
    packed = b"".join(struct.pack("<I", len(field)) + field for field in fields)
    vendor = b"unisinger"
    return struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(fields)) + packed


def _from_comments(data: bytes) -> str | None:
    file = io.BytesIO(data)
    _exactly(file, struct.unpack("<I", _exactly(file, 4))[0])
    for _ in range(struct.unpack("<I", _exactly(file, 4))[0]):
        field = _exactly(file, struct.unpack("<I", _exactly(file, 4))[0])
        name, _, value = field.partition(b"=")
        if name.upper() == RECORD.encode():
            return value.decode()
    return None


def _blocks(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Kind and size of each metadata block of a FLAC file, with the file at its body."""
    last = False
    while not last:
        head = _exactly(file, 4)
        size, after = int.from_bytes(head[1:], "big"), file.tell() + int.from_bytes(head[1:], "big")
        last = bool(head[0] & 0x80)
        yield head[0] & 0x7F, size
        file.seek(after)


def _into_flac(old: BinaryIO, new: BinaryIO, tags: Mapping[str, str]) -> None:
    old.seek(4)
    kept = [(kind, _exactly(old, size)) for kind, size in _blocks(old)]
    kept = [(kind, body) for kind, body in kept if kind != 4]
    kept.insert(1, (4, _comments(tags)))
    new.write(b"fLaC")
    for i, (kind, body) in enumerate(kept):
        new.write(bytes([kind | 0x80 * (i + 1 == len(kept))]) + len(body).to_bytes(3, "big") + body)
    shutil.copyfileobj(old, new)


# ---------------------------------------------------------------- Ogg
def _page(file: BinaryIO) -> tuple[bytes, bytes, bytes] | None:
    """The next page: its head of 27 bytes, its lacing values and its body; None at the end of the file."""
    head = file.read(27)
    if not head:
        return None
    if len(head) < 27 or head[:4] != b"OggS":
        raise ValueError("a page of Ogg does not begin where it should")
    lacing = _exactly(file, head[26])
    return head, lacing, _exactly(file, sum(lacing))


def _header_packets(file: BinaryIO) -> tuple[list[bytes], bytes, int]:
    """The comment and the setup packet, the first page's head, and on how many pages the two were. The file is left
    at the first page of sound."""
    first = _page(file)
    if first is None:
        raise ValueError("it is empty")
    packets: list[bytes] = []
    packet, pages = b"", 0
    while len(packets) < 2:
        page = _page(file)
        if page is None or len(packet) > MOST_BYTES:
            raise ValueError("its headers do not end")
        pages, at = pages + 1, 0
        for lace in page[1]:
            packet, at = packet + page[2][at : at + lace], at + lace
            if lace < 255:
                packets.append(packet)
                packet = b""
    return packets[:2], first[0], pages


def _into_ogg(old: BinaryIO, new: BinaryIO, tags: Mapping[str, str]) -> None:
    (_, setup), first, pages = _header_packets(old)
    sound = old.tell()
    old.seek(0)
    page, number = _page(old), 1
    if page is not None:  # there is one: it was read before
        new.write(_sealed(*page, 0))
    continued = False
    for lacing, body in _laid([b"\x03vorbis" + _comments(tags) + b"\x01", setup]):
        position = bytes(8) if min(lacing) < 255 else b"\xff" * 8  # the latter where no packet ends
        new.write(_sealed(first[:5] + bytes([continued]) + position + first[14:], lacing, body, number))
        number, continued = number + 1, lacing[-1] == 255
    old.seek(sound)
    while (sounding := _page(old)) is not None:
        new.write(_sealed(*sounding, struct.unpack("<I", sounding[0][18:22])[0] + number - 1 - pages))


def _laid(packets: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Lacing values and bodies of the pages that hold the packets."""
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    body, at = b"".join(packets), 0
    for start, end in pairwise([*range(0, len(lacing), 255), len(lacing)]):
        size = sum(lacing[start:end])
        yield lacing[start:end], body[at : at + size]
        at += size


def _sealed(head: bytes, lacing: bytes, body: bytes, number: int) -> bytes:
    """A page with its number in the stream and its checksum."""
    front = head[:18] + struct.pack("<I", number) + bytes(4) + bytes([len(lacing)])
    page = front + lacing + body
    # Ogg's CRC-32 is that of zlib on mirrored bits, begun with 0
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return page[:22] + struct.pack("<I", int(f"{mirrored:032b}"[::-1], 2)) + page[26:]
