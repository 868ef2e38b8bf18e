#!/bin/sh
# A recording of television changes from 4:3 to 16:9 without a change of size: only the shape of its pixels is
# another. PyAV's frames do not tell theirs. The decoder does, for what it has decoded last: with B-frames two frames
# too early. A key frame begins the new shape; waiting for the next one is right. Exit 0 while it is so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check av==18.1.0 numpy==2.2.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import io
import sys
from fractions import Fraction

import av
import numpy as np

FRAMES, NARROW, WIDE = 12, Fraction(16, 15), Fraction(64, 45)
print("PyAV", av.__version__, "with libavcodec", av.library_versions["libavcodec"])


def recording(aspect):
    """Twelve pictures of H.264 with B-frames in MPEG-TS, with pixels of this shape."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as output:
        options = {"bf": "3", "x264-params": "log-level=none"}
        stream = output.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


with av.open(io.BytesIO(recording(NARROW) + recording(WIDE))) as source:
    stream = source.streams.video[0]
    stream.thread_count = 1
    told, keys, own = [], [], False
    for frame in source.decode(stream):
        told.append(stream.codec_context.sample_aspect_ratio)
        keys.append(frame.key_frame)
        own = own or hasattr(frame, "sample_aspect_ratio")
    of_stream = stream.sample_aspect_ratio
first = told.index(WIDE)
key = keys.index(True, 1)
print(f"frame {FRAMES} is the first one of {WIDE}; the decoder tells it from frame {first} on")
print(f"the next key frame is frame {key}; frames tell a shape of their own: {own}")
print(f"the stream tells {of_stream} to the end")
if (len(told), first, key, own, of_stream) != (2 * FRAMES, 10, FRAMES, False, NARROW):
    sys.exit("the behaviour has changed")
PYTHON
