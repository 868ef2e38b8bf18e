#!/bin/sh
# The shape of pixels that is set on an encoder reaches mp4, but not Matroska: FFmpeg's muxer takes it from the
# stream, and PyAV has no way to set it there. VP9 has no place for it of its own, so that it is lost.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet av==18.1.0 numpy
cd "$folder"
venv/bin/python - <<'PYTHON'
import sys
from fractions import Fraction

import av

print("PyAV", av.__version__, "with libavformat", av.library_versions["libavformat"])
seen = {}
for name in ("a.mp4", "a.mkv"):
    with av.open(name, "w") as output:
        stream = output.add_stream("libvpx-vp9", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(64, 45)
        for number in range(3):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([128]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with av.open(name) as source:
        seen[name] = source.streams.video[0].sample_aspect_ratio
    print(f"{name}: written as 64/45, read back as {seen[name]}")
if seen["a.mp4"] != Fraction(64, 45) or seen["a.mkv"] == Fraction(64, 45):
    sys.exit("the behaviour has changed")
PYTHON
