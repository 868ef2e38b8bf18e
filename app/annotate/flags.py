"""Flags of `annotate` that a batch has, too: what is made, how, and by whom."""

from __future__ import annotations

import argparse

from app.batch.backend import BACKENDS
from app.options import add_detection_arguments, add_drawing_arguments, add_tracking_arguments
from app.values import at_least_one, frame_rate, zero_or_more

AS = ("video", "images", "json")


def add_making_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what becomes of an input: detection, video, tracks, drawing, and `--json`."""
    parser.add_argument(
        "--json",
        action="store_true",
        help="write the detections too: NAME.json for an image, NAME.jsonl (a line a frame) for a video",
    )
    add_detection_arguments(parser)
    _add_video_arguments(parser)
    add_tracking_arguments(parser)
    add_drawing_arguments(parser)


def add_working_arguments(parser: argparse.ArgumentParser, on: str | None = None) -> None:
    """Add `--on` and `--workers`; `on` is what is taken without the former, None for no workers."""
    group = parser.add_argument_group("workers")
    group.add_argument(
        "--on",
        choices=tuple(BACKENDS),
        default=on,
        help="let several workers annotate, as `batch start` does: local, processes of this machine; ray, "
        f"the machines of a Ray cluster (default: {on or 'this process alone'})",
    )
    group.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="of the Ray cluster (default: one of this machine, started here)",
    )
    group.add_argument(
        "--workers",
        type=at_least_one,
        metavar="N",
        help="how many (default: one for every 4 cores, one where a GPU computes)",
    )


def _add_video_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("video")
    group.add_argument(
        "--as",
        dest="as_",
        choices=AS,
        default=AS[0],
        help="what becomes of a video's frames: a video, a folder of images, or JSON lines alone "
        "(default: %(default)s)",
    )
    group.add_argument("--codec", metavar="NAME", help="of videos (default: h264, of .webm vp9)")
    group.add_argument(
        "--crf",
        type=zero_or_more,
        metavar="Q",
        help="quality of videos, lower is better (default: the codec's own, 23 for h264)",
    )
    group.add_argument(
        "--batch",
        type=at_least_one,
        default=1,
        metavar="N",
        help="frames that go through the network together (default: %(default)s). What is found is the same "
        "to the last bit with the openvino engine; PyTorch may compute a single frame by another algorithm, "
        "and scores then differ in their last digits",
    )
    group.add_argument(
        "--stride", type=at_least_one, default=1, metavar="N", help="take every Nth frame only"
    )
    group.add_argument("--max-frames", type=at_least_one, metavar="N", help="stop after N frames")
    group.add_argument(
        "--frame-rate",
        type=frame_rate,
        metavar="FPS",
        help="of a video made of photographs (default: 25), and of files whose frames have no times, such as "
        ".h264, .hevc, .obu and .mjpeg (default: what the codec says, or 25)",
    )
