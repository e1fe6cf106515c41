#!/bin/sh
# The same words sung three times, each time another song: a list of jobs, made in a loop, and done in one go.
# Usage: many_songs.sh LYRICS VOICE FOLDER
set -eu
lyrics=$1 voice=$2 folder=$3
mkdir -p "$folder"
for seed in 1 2 3; do
    printf '{"command": "song", "lyrics": "%s", "ref": "%s", "seed": %d, "output": "%s/song-%d.wav"}\n' \
        "$lyrics" "$voice" "$seed" "$folder" "$seed"
done | unisinger batch -
