"""Detection of scene cuts, at which tracks end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame, Image
from pipeline.tracking.base import LOST

# loaded with the first tracker: without tracking it would only take time
if TYPE_CHECKING:
    from scenedetect.detectors import ContentDetector

# The mean distance of hue, saturation and value between two pictures, 0..255, that makes a cut. The
# detector's own default is 27; but where a live source drops frames, what is left lies further apart.
CUT = 32.0
_SIDE = 96  # pixels: the longer side of the picture that is compared


class CutDetector:
    """Finds hard cuts by PySceneDetect's `ContentDetector`, on a small picture, without delay."""

    def __init__(self) -> None:
        from scenedetect import FrameTimecode

        self._detector = _detector()
        self._size: tuple[int, ...] = ()
        self._now = FrameTimecode(0, fps=1.0)  # only passed on

    def __call__(self, image: Image) -> bool:
        """Return True if this picture, [H, W, 3] uint8 BGR, begins another scene than the one before it."""
        small = _small(image)
        if small.shape != self._size:
            self._detector, self._size = _detector(), small.shape
        return bool(self._detector.process_frame(self._now, small))


class Scenes:
    """Detects the cuts of a run's frames, where tracks must end."""

    def __init__(self) -> None:
        self._is_cut = CutDetector()
        self._size: tuple[int, int] | None = None
        self._time = 0.0

    def ended(self, frame: Frame) -> bool:
        """Return True if no track can continue from the frame before to this one.

        So it is at a cut, where frames have another size, and where time leaps, on or back, by more than a
        track may be missed. A repeated frame is no cut, and neither is one that is stepped back to.
        """
        size, time = frame.size, float(frame.time)
        goes_on = self._size == size and abs(time - self._time) <= LOST
        first = self._size is None
        self._size, self._time = size, time
        cut = self._is_cut(frame.image)
        return not first and (cut or not goes_on)


def _detector() -> ContentDetector:
    from scenedetect.detectors import ContentDetector

    # scenes of any length count: what is merged into longer ones is told late
    return ContentDetector(CUT, min_scene_len=0)


def _small(image: Image) -> NDArray[np.uint8]:
    """The picture at most `_SIDE` pixels long. Thinned out first: to average all of it would take long."""
    thinned = _resized(image, 4 * _SIDE, cv2.INTER_NEAREST)
    return _resized(thinned, _SIDE, cv2.INTER_AREA)


def _resized(image: NDArray[np.uint8], side: int, how: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
