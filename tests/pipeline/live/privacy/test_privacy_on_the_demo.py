"""The people in the demo video, whose exact masks are known, found by the shipped weights and hidden."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av

from assets.make_demo_video import VIDEO, scene
from model.predictor import load_predictor
from pipeline.frame import Frame, Result
from pipeline.live.painting import LivePainter
from pipeline.settings import DisplaySettings
from tests.pipeline.live.scenes import changed, noise

STRIDE = 5  # every fifth frame, as a slow machine takes them
LEAST = 0.99  # of everybody's pixels, in every frame
VISIBLE = 50  # pixels of somebody who can be seen


def frames() -> Iterator[tuple[int, Frame]]:
    with av.open(str(VIDEO)) as container:
        for index, picture in enumerate(container.decode(video=0)):
            if index % STRIDE == 0:
                assert picture.time is not None
                image = picture.to_ndarray(format="bgr24")
                yield index, Frame(image, index, index, Fraction(1, 25), picture.time)


def test_everybody_in_the_demo_is_hidden_in_every_frame() -> None:
    predictor = load_predictor(device="cpu", score_threshold=0.05)
    painter = LivePainter(DisplaySettings(privacy=True, boxes=False, labels=False))
    for index, frame in frames():
        # noise in place of the picture shows each pixel that is not hidden
        shown = Frame(noise(frame.size), index, frame.pts, frame.time_base, frame.captured_at)
        before = Result(shown, predictor(frame.image))
        gone = changed(before, painter(before, 0))
        for name, mask in scene(index)[1].items():
            if mask.sum() >= VISIBLE:
                assert gone[mask].mean() > LEAST, f"frame {index}: {name}"
