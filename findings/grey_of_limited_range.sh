#!/bin/sh
# libswscale takes luma alone ("gray") for full range whatever the frame's tag says: black and white of limited
# range, 16 and 235, arrive in RGB as 16 and 235. The same luma with neutral colour planes arrives as 0 and 255.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet av==18.1.0 numpy
cd "$folder"
venv/bin/python - <<'PYTHON'
import sys

import av
from av.video.reformatter import ColorRange

print("PyAV", av.__version__, "with libswscale", av.library_versions["libswscale"])
seen = {}
for pixels in ("gray", "yuv444p"):
    for luma in (16, 235):
        frame = av.VideoFrame(64, 48, pixels)
        for plane, value in zip(frame.planes, (luma, 128, 128)):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.color_range = ColorRange.MPEG
        rgb = frame.reformat(format="rgb24", src_color_range=ColorRange.MPEG)
        seen[pixels, luma] = rgb.to_ndarray()[24, 32].tolist()
        print(f"{pixels} of limited range, luma {luma}: RGB {seen[pixels, luma]}")
if [seen["gray", 16], seen["gray", 235]] != [[16] * 3, [235] * 3]:
    sys.exit("the behaviour has changed")
PYTHON
