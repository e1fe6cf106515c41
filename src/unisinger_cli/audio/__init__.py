"""Reading, resampling, measuring, mastering and writing sound: the only package that touches audio files.

Everything in here is numpy; soundfile, soxr and pyloudnorm are imported where they are used, so that the
command line starts fast.
"""

from unisinger_cli.audio.levels import decibels, loudness, true_peak
from unisinger_cli.audio.mastering import CEILING, TARGET_LUFS, master
from unisinger_cli.audio.reading import MAX_SECONDS, read
from unisinger_cli.audio.shape import mono_at, quantised, resample, stereo
from unisinger_cli.audio.writing import FORMATS, encode, landing, write

__all__ = [
    "CEILING",
    "FORMATS",
    "MAX_SECONDS",
    "TARGET_LUFS",
    "decibels",
    "encode",
    "landing",
    "loudness",
    "master",
    "mono_at",
    "quantised",
    "read",
    "resample",
    "stereo",
    "true_peak",
    "write",
]
