"""Read what `annotate --json` wrote for a video: how long each track is seen, and how large it is at most.

    python run_app.py annotate assets/demo.mp4 --as json -o out/demo.jsonl
    python -m examples.read_json_lines out/demo.jsonl

Needs nothing of this project: `json` of the standard library, and pycocotools to decode the masks.
"""

import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pycocotools import mask as coco_mask


@dataclass
class Track:
    """Summary of one instance over all frames."""

    name: str
    first: Fraction  # seconds, as for `last`
    last: Fraction
    frames: int = 0
    largest: int = 0  # pixels


def main(path: str) -> None:
    """Print a line for each track."""
    tracks: dict[int, Track] = {}
    seen: dict[str, int] = defaultdict(int)
    with Path(path).open(encoding="utf-8") as lines:
        for line in lines:  # one frame a line, so that a long video never has to be in memory
            frame = json.loads(line)
            # `time` is rounded; `pts` times `time_base` is exact, which matters where times are compared.
            time = frame["pts"] * Fraction(frame["time_base"])
            for found in frame["detections"]:
                seen[found["class"]] += 1
                # x, y, width, height in pixels from the top left corner, as COCO has boxes.
                _, _, width, height = found["bbox"]
                # A mask is COCO's compressed run-length code; decoded it is [height, width], 0 or 1.
                # With --no-masks there is none.
                code = found.get("segmentation")
                area = int(coco_mask.decode(code).sum()) if code else round(width * height)
                number = found.get("track_id", -1)  # absent with --no-track, -1 for part of no track
                if number >= 0:
                    track = tracks.setdefault(number, Track(found["class"], time, time))
                    track.last, track.frames = time, track.frames + 1
                    track.largest = max(track.largest, area)

    print(", ".join(f"{count} x {name}" for name, count in seen.items()) or "nothing was found")
    for number, t in sorted(tracks.items()):
        print(f"track {number}: {t.name}, {float(t.first):.2f} to {float(t.last):.2f} s, {t.frames} frames, "
              f"at most {t.largest} pixels")  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
