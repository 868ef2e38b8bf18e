#!/usr/bin/env bash
# An AVI knows the order in which frames are decoded, and no presentation times. FFmpeg's reader makes some up;
# where H.264 has B-frames, decoded frames come in the order of showing with times that go forth and back.
# The decoding times of the packets, in order, are right. Exit 0 while it does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.2.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

print("PyAV", av.__version__, "libavformat", av.library_versions["libavformat"])
path = Path(sys.argv[1]) / "b_frames.avi"
with av.open(str(path), "w") as output:
    options = {"preset": "veryfast", "bf": "3", "x264-params": "b-adapt=0:log-level=none"}
    stream = output.add_stream("libx264", rate=25, options=options)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for number in range(12):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * number, np.uint8), format="bgr24")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))

with av.open(str(path)) as container:
    packets = [packet for packet in container.demux(video=0) if packet.size]
with av.open(str(path)) as container:
    frames = list(container.decode(video=0))
brightness = [int(frame.to_ndarray(format="gray").mean()) for frame in frames]
told = [frame.pts for frame in frames]
order = [packet.dts for packet in packets]
print("brightness of the frames as they come:", brightness)
print("their pts:                            ", told)
print("dts of the packets as they come:      ", order)
as_expected = brightness == sorted(brightness) and told != sorted(told) and order == list(range(12))
print("seen:", "as described" if as_expected else "another behaviour")
sys.exit(0 if as_expected else 1)
PYTHON
