#!/bin/sh
# PyAV gives a frame's side data as a whole: one kind that it has no name for (EXIF, 31, of a JPEG in a video)
# makes it raise ValueError, and the display matrix beside it, which it knows, cannot be had either.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet av==18.1.0 pillow==13.0.0 numpy
cd "$folder"
venv/bin/python - <<'PYTHON'
import io
import sys
from fractions import Fraction

import av
from PIL import Image

print("PyAV", av.__version__, "with libavutil", av.library_versions["libavutil"])
exif = Image.Exif()
exif[0x0112] = 6  # to be turned a quarter clockwise
jpeg = io.BytesIO()
Image.new("RGB", (64, 48)).save(jpeg, "JPEG", exif=exif)
with av.open("a.mov", "w") as output:
    stream = output.add_stream("mjpeg", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
    output.start_encoding()
    packet = av.Packet(jpeg.getvalue())
    packet.stream, packet.time_base, packet.pts, packet.dts = stream, Fraction(1, 25), 0, 0
    output.mux(packet)
with av.open("a.mov") as source:
    frame = next(source.decode(video=0))
    print("rotation:", frame.rotation)
    try:
        kinds = [data.type for data in frame.side_data]
    except ValueError as error:
        print("side_data raises ValueError:", error)
    else:
        print("side_data:", kinds)
        sys.exit("the behaviour has changed")
PYTHON
