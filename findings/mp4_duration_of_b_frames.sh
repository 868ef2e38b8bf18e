#!/usr/bin/env bash
# FFmpeg's mp4 reader tells as duration the sum of the steps between decoding times. With B-frames those run
# behind the presentation times, so that a pause before the last two frames is missing from it, whatever the
# file's own header (mvhd, tkhd, edit list) says. Exit 0 while it does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.2.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import struct
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

print("PyAV", av.__version__, "libavformat", av.library_versions["libavformat"])
path = Path(sys.argv[1]) / "pause.mp4"
times = [40 * number for number in range(50)]
times += [times[-1] + 60_040, times[-1] + 60_080]  # milliseconds
with av.open(str(path), "w") as output:
    options = {"preset": "veryfast", "bf": "3", "x264-params": "log-level=none"}
    stream = output.add_stream("libx264", rate=25, options=options)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
    for number, time in enumerate(times):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * number, np.uint8), format="bgr24")
        frame.pts, frame.time_base = time, Fraction(1, 1000)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))

data = path.read_bytes()
at = data.rindex(b"mvhd") + 4
scale, length = struct.unpack(">II", data[at + 12 : at + 20])
with av.open(str(path)) as container:
    told = container.duration / av.time_base
    last = max(packet.pts * packet.time_base for packet in container.demux(video=0) if packet.size)
print(f"last frame is shown at {float(last):.3f} s")
print(f"the file's header says {length / scale:.3f} s")
print(f"container.duration     {told:.3f} s")
as_expected = told < 3 < 62 < length / scale
print("seen:", "as described" if as_expected else "another behaviour")
sys.exit(0 if as_expected else 1)
PYTHON
