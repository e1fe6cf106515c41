"""Reading, resampling, measuring, mastering and writing sound: the only package that touches audio files.

Everything in here is numpy; soundfile, soxr and pyloudnorm are imported where they are used, so that the
command line starts fast.
"""

from unisinger_cli.audio.levels import decibels, loudness, true_peak
from unisinger_cli.audio.mastering import CEILING, TARGET_LUFS, master
from unisinger_cli.audio.reading import LONGEST_SECONDS, MAX_SECONDS, examine, load, read
from unisinger_cli.audio.shape import at_rate, long, mono, mono_at, quantised, resample, scaled, stereo
from unisinger_cli.audio.splice import Spliced, crossfade, laid_over
from unisinger_cli.audio.tags import RECORD, read_record, write_tags
from unisinger_cli.audio.tape import BLOCK, Tape, blocks, excerpt, record, whole
from unisinger_cli.audio.writing import BITS, FORMATS, encode, landing, write

__all__ = [
    "BITS",
    "BLOCK",
    "CEILING",
    "FORMATS",
    "LONGEST_SECONDS",
    "MAX_SECONDS",
    "RECORD",
    "TARGET_LUFS",
    "Spliced",
    "Tape",
    "at_rate",
    "blocks",
    "crossfade",
    "decibels",
    "encode",
    "examine",
    "excerpt",
    "laid_over",
    "landing",
    "load",
    "long",
    "loudness",
    "master",
    "mono",
    "mono_at",
    "quantised",
    "read",
    "read_record",
    "record",
    "resample",
    "scaled",
    "stereo",
    "true_peak",
    "whole",
    "write",
    "write_tags",
]
