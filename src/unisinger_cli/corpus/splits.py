"""Who may be learned from: fixed splits by speaker, by composer and by song, functions of the name alone.

A test speaker, composer or song is never trained on, in any part of the model.
"""

from __future__ import annotations

import hashlib

from unisinger_cli.corpus.manifest import Clip

TRAIN, VALID, TEST = "train", "valid", "test"
_TEST_SHARE = {"librispeech": 0.10, "alphanumeric": 0.15, "vctk": 0.20}
_TEST_SINGERS = frozenset({"makam-idil"})
_VALID_SPEAKERS = 0.05  # of LibriSpeech
_VALID_CLIPS = 0.03  # of the sets with a single speaker
_TEST_COMPOSERS, _TEST_SONGS = 0.10, 0.10


def share(name: str) -> float:
    """A number in 0..1 that depends on the name alone, evenly spread over names."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def split_of_clip(clip: Clip) -> str:
    """Split of a recording, the same for all clips of a speaker (and of ids that may be one person)."""
    if clip.speaker in _TEST_SINGERS:
        return TEST
    if clip.set in _TEST_SHARE:
        at = share(clip.same_voice if clip.same_voice is not None else clip.speaker)
        if at < _TEST_SHARE[clip.set]:
            return TEST
        return VALID if clip.set == "librispeech" and at > 1 - _VALID_SPEAKERS else TRAIN
    return VALID if share(clip.id) < _VALID_CLIPS else TRAIN


def split_of_composer(composer: str) -> str:
    """Split of a score by who wrote it."""
    return TEST if share("composer " + composer) < _TEST_COMPOSERS else TRAIN


def split_of_song(song: str) -> str:
    """Split of a pop song by its number."""
    return TEST if share("song " + song) < _TEST_SONGS else TRAIN
