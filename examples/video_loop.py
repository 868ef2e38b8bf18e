"""Go through a video frame by frame: find instances, follow them, draw them, and write a new video.

    python -m examples.video_loop assets/demo.mp4 out/demo_masks.mp4 --frames 100

Everything happens in one thread, so that each step can be seen. `own_source.py` and `own_sink.py` use a
`Runner`, which works on several frames at the same time and is faster.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from model import load_predictor
from pipeline.detectors.build import build_detector
from pipeline.metrics.run import Metrics
from pipeline.overlay.draw import draw
from pipeline.sinks.video import VideoSink
from pipeline.sources import open_source
from pipeline.tracking.options import FollowOptions


def main(argv: list[str] | None = None) -> None:
    """Annotate one video."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", help="a video; a number stands for a camera, an address for a stream")
    parser.add_argument("output", type=Path)
    parser.add_argument("--frames", type=int, help="stop after so many")
    parser.add_argument("--weights", help="a file, or a name that `models list` shows")
    args = parser.parse_args(argv)

    # A detector is a predictor with a tracker: each instance keeps an id for as long as it is seen, and
    # "light" smooths its mask from frame to frame.
    predictor = load_predictor(args.weights)
    detector = build_detector(predictor, Metrics(), follow=FollowOptions(stabilise="light"))

    args.output.parent.mkdir(parents=True, exist_ok=True)
    sink = VideoSink(args.output, overwrite=True)
    with closing(open_source(args.video)) as source:
        sink.open(source.info)
        count = 0
        while count != args.frames and (frame := source.read()) is not None:
            # `submit` begins with a batch of frames, here of one; the function that it returns waits for
            # the results. A `Result` is the frame with what was found in this very frame.
            (result,) = detector.submit([frame])()
            found = result.detections
            sink.write(replace(result, annotated=draw(frame.image, found)))
            count += 1
            print(f"{float(frame.time):6.2f} s:", *map("{} {}".format, found.names, found.track_ids))

        # The file is checked as it is closed, and gets its name only if it is whole.
        print(sink.close(complete=True).summary)


if __name__ == "__main__":
    main()
