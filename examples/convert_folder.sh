#!/bin/sh
# Every recording of a folder in another voice. Stop it with Ctrl-C and run it again: what is done is skipped.
# Usage: convert_folder.sh FOLDER VOICE RESULTS
set -eu
unisinger batch "$1" -o "$3" --set "target=$2" --progress json 2>"$3.progress" ||
    { grep '"event": "failed"' "$3.progress" >&2; exit 7; }
