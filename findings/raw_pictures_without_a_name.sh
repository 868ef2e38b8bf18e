#!/bin/sh
# FFmpeg writes uncompressed pictures of any pixel format into AVI, mov and NUT, also where the container has no name
# for the format. It is then read back, without a word, as 15 bit RGB: 16 bit grey (depth, thermal) in AVI and mov,
# the 10 bit of hardware decoders (p010) in NUT. Matroska refuses to write them. Exit 0 while it is so.
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

print("PyAV", av.__version__, "with libavformat", av.library_versions["libavformat"])
COLOUR = (220, 30, 30)
EXPECTED = {  # None: refused as it is written
    ("avi", "gray16le"): "rgb555le",
    ("mov", "gray16le"): "rgb555be",
    ("nut", "gray16le"): "gray16le",
    ("nut", "p010le"): "rgb555le",
    ("avi", "p010le"): "rgb555le",
    ("matroska", "gray16le"): None,
    ("matroska", "p010le"): None,
}


def read_back(container, pixels):
    """The pixel format that a written file is read in, and a pixel of its first picture in RGB."""
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=container) as output:
            stream = output.add_stream("rawvideo", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), COLOUR, np.uint8), format="rgb24")
            frame = frame.reformat(format=pixels)
            frame.pts, frame.time_base = 0, Fraction(1, 25)
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    except av.ArgumentError:
        return None, None
    file.seek(0)
    with av.open(file) as source:
        frame = next(source.decode(video=0))
        return frame.format.name, frame.to_ndarray(format="rgb24")[24, 32].tolist()


seen = {}
for case in EXPECTED:
    seen[case], pixel = read_back(*case)
    print(f"{case[1]} into {case[0]}: read back as {seen[case]}, {list(COLOUR)} as {pixel}")
if seen != EXPECTED:
    sys.exit("the behaviour has changed")
PYTHON
