#!/usr/bin/env bash
# FFmpeg may find a stream behind the probed part of a file: FLV names its sound nowhere before the first packet of
# it. PyAV gathers the streams as it opens a file; `demux` over them raises IndexError at the first packet of a later
# one, and `streams` never shows it. Exit 0 while it does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.2.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import io
import sys
from fractions import Fraction

import av
import numpy as np

SECONDS, SOUND_FROM = 30, 25
print("PyAV", av.__version__, "libavformat", av.library_versions["libavformat"])


def flv(kind):
    """One stream of its own: the tags behind the header, as (time in ms, type, bytes)."""
    memory = io.BytesIO()
    with av.open(memory, "w", "flv") as output:
        if kind == "video":
            stream = output.add_stream("flv1", rate=5)
            stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
            stream.bit_rate = 4_000_000
            random = np.random.default_rng(0)
            for _ in range(5 * SECONDS):
                picture = random.integers(0, 256, (240, 320, 3), np.uint8)
                output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        else:
            stream = output.add_stream("pcm_s16le", rate=44100)
            stream.layout = "mono"
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.int16), "s16", "mono")
            sound.sample_rate, sound.pts, sound.time_base = 44100, 0, Fraction(1, 44100)
            output.mux(stream.encode(sound))
        output.mux(stream.encode(None))
    data, tags, at = memory.getvalue(), [], 13
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        stamp = int.from_bytes(data[at + 4 : at + 7], "big")
        tags.append((stamp, data[at], data[at + 11 : at + 11 + size]))
        at += size + 15
    return tags


def joined(tags):
    """A valid FLV file whose header says that there are pictures; the sound follows when it follows."""
    data = b"FLV\x01\x01\x00\x00\x00\x09\x00\x00\x00\x00"
    for stamp, kind, body in tags:
        tag = bytes([kind]) + len(body).to_bytes(3, "big") + stamp.to_bytes(3, "big") + bytes(4) + body
        data += tag + len(tag).to_bytes(4, "big")
    return data


pictures = [tag for tag in flv("video") if tag[1] == 9]
sound = [(stamp + 1000 * SOUND_FROM, kind, body) for stamp, kind, body in flv("sound") if kind == 8]
path = sys.argv[1] + "/late.flv"
with open(path, "wb") as file:
    file.write(joined(sorted(pictures + sound, key=lambda tag: tag[0])))

count, seen = 0, "no error"
with av.open(path) as source:
    print("streams as it is opened:", [stream.type for stream in source.streams])
    try:
        for packet in source.demux():
            count += packet.size > 0
    except IndexError as error:
        seen = f"IndexError: {error}"
    print(f"after {count} of {len(pictures) + len(sound)} packets: {seen}")
    print("streams then:", [stream.type for stream in source.streams])
sys.exit(0 if seen.startswith("IndexError") else "the behaviour has changed")
PYTHON
