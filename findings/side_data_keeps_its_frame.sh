#!/usr/bin/env bash
# In PyAV a frame whose `side_data` was looked at and the container of that data hold each other: such frames stay in
# memory, pictures and all, until Python looks for circles. Exit 0 while it does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.2.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import gc
import resource
import sys

import av

print("PyAV", av.__version__, "libavutil", av.library_versions["libavutil"])
SIDE, FRAMES = 1024, 60
path = sys.argv[1] + "/a.mkv"
with av.open(path, "w") as output:
    stream = output.add_stream("ffv1", rate=25)
    stream.width = stream.height = SIDE
    stream.pix_fmt = "yuv420p"
    for _ in range(FRAMES):
        output.mux(stream.encode(av.VideoFrame(SIDE, SIDE, "yuv420p")))
    output.mux(stream.encode(None))


def held(look):
    """Megabytes more after all frames were decoded and let go of, and how many are still there."""
    gc.collect()
    gc.disable()
    before = memory()
    with av.open(path) as source:
        source.streams.video[0].thread_type = "NONE"
        for frame in source.decode(video=0):
            if look:
                list(frame.side_data)
        del frame
        kept = sum(isinstance(one, av.VideoFrame) for one in gc.get_objects())
        more = memory() - before
    gc.enable()
    gc.collect()
    return more, kept


def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


held(False)  # what is loaded once
without, with_it = held(False), held(True)
for name, (more, kept) in (("not looked at", without), ("looked at", with_it)):
    print(f"side data {name}: {more:.0f} MB more, {kept} frames that the collector knows")
picture = SIDE * SIDE * 1.5 / 1e6
as_described = with_it[0] - without[0] > FRAMES * picture / 2
print("seen:", "as described" if as_described else "another behaviour")
sys.exit(0 if as_described else 1)
PYTHON
