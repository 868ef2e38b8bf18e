#!/usr/bin/env bash
# FFmpeg's mp4 writer takes a header for uncompressed sound whose channels have no names, takes its packets, and
# refuses it only when the file is finished: a whole recording is lost at its very end. Exit 0 while it does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.2.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import av
import numpy as np

print("PyAV", av.__version__, "libavformat", av.library_versions["libavformat"])
source = Path(sys.argv[1]) / "stereo.avi"
with av.open(str(source), "w") as output:
    stream = output.add_stream("pcm_s16le", rate=48000)
    stream.layout = "stereo"
    sound = av.AudioFrame.from_ndarray(np.zeros((1, 9600), np.int16), format="s16", layout="stereo")
    sound.sample_rate, sound.pts = 48000, 0
    output.mux(stream.encode(sound))
    output.mux(stream.encode(None))

outcomes = {}
for name, layout in (("as it is read", None), ("named stereo", "stereo")):
    with av.open(str(source)) as read:
        audio = read.streams.audio[0]
        print(f"{name}: channels of the avi: {audio.codec_context.layout.name}")
        output = av.open(str(source.with_suffix(".mp4")), "w")
        copy = output.add_stream_from_template(audio)
        if layout:
            copy.codec_context.layout = layout
        output.start_encoding()
        print("  header written")
        for packet in read.demux(audio):
            if packet.size:
                packet.stream = copy
                output.mux(packet)
        print("  packets written")
        try:
            output.close()
            outcomes[name] = "finished"
        except av.FFmpegError as error:
            outcomes[name] = f"refused at the end: {error}"
        print(" ", outcomes[name])
as_expected = outcomes["as it is read"].startswith("refused") and outcomes["named stereo"] == "finished"
print("seen:", "as described" if as_expected else "another behaviour")
sys.exit(0 if as_expected else 1)
PYTHON
