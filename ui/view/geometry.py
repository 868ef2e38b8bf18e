"""The position of a frame in the view: aspect kept, zoomed about a point, panned; without Qt.

View coordinates are logical pixels of the widget, frame coordinates pixels of the frame, from the top left.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

LEAST_ZOOM = 1.0
MOST_ZOOM = 32.0


@dataclass(frozen=True)
class ViewGeometry:
    """The position and size of a frame in a view.

    view:   (width, height) of the view
    frame:  (width, height) of the frame
    aspect: width of a frame pixel to its height
    zoom:   1 fits the whole frame into the view
    centre: the point of the frame in the middle of the view, 0..1 of its width and height
    """

    view: tuple[float, float]
    frame: tuple[int, int]
    zoom: float = LEAST_ZOOM
    centre: tuple[float, float] = (0.5, 0.5)
    aspect: float = 1.0

    @property
    def scale(self) -> float:
        """View pixels per frame pixel along its shorter side; 0 where either is empty."""
        return min(self._scales)

    @property
    def _scales(self) -> tuple[float, float]:
        """View pixels per frame pixel along both axes, none less than the other needs for the aspect."""
        across, down = max(self.aspect, 1.0), max(1 / self.aspect, 1.0)
        width, height = self.frame[0] * across, self.frame[1] * down
        if width <= 0 or height <= 0:
            return 0.0, 0.0
        scale = self.zoom * min(self.view[0] / width, self.view[1] / height)
        return scale * across, scale * down

    @property
    def target(self) -> tuple[float, float, float, float]:
        """The (x, y, width, height) of the frame in the view; it may extend beyond the view."""
        width, height = (side * scale for side, scale in zip(self.frame, self._scales, strict=True))
        x = self.view[0] / 2 - self.centre[0] * width
        y = self.view[1] / 2 - self.centre[1] * height
        return x, y, width, height

    def to_frame(self, x: float, y: float) -> tuple[float, float] | None:
        """Return the point of the frame at a point of the view; None outside the frame."""
        left, top, width, height = self.target
        if not (left <= x < left + width and top <= y < top + height):
            return None
        across, down = self._scales
        return (x - left) / across, (y - top) / down

    def whole(self) -> ViewGeometry:
        """Return a geometry that shows the whole frame."""
        return ViewGeometry(self.view, self.frame, aspect=self.aspect)

    def zoomed(self, factor: float, x: float, y: float) -> ViewGeometry:
        """Return a geometry zoomed about a point of the view, which keeps showing the same point."""
        zoom = min(max(self.zoom * factor, LEAST_ZOOM), MOST_ZOOM)
        ratio = zoom / self.zoom
        closer = dataclasses.replace(self, zoom=zoom)
        # a point's distance from the middle grows by `ratio`; panning moves the point back
        return closer.panned((x - self.view[0] / 2) * (1 - ratio), (y - self.view[1] / 2) * (1 - ratio))

    def panned(self, dx: float, dy: float) -> ViewGeometry:
        """Return a geometry moved by view pixels, so far that the frame still covers the view."""
        _, _, width, height = self.target
        if not width or not height:
            return self
        moved = self.centre[0] - dx / width, self.centre[1] - dy / height
        spare = self.view[0] / width / 2, self.view[1] / height / 2
        x, y = (_within(at, rim) for at, rim in zip(moved, spare, strict=True))
        return dataclasses.replace(self, centre=(x, y))

    def fitted(
        self, view: tuple[float, float], frame: tuple[int, int], aspect: float | None = None
    ) -> ViewGeometry:
        """Return the geometry for another size of view or frame; reset if the frame's shape differs.

        aspect: of the frame's pixels; None to keep it
        """
        aspect = self.aspect if aspect is None else aspect
        if frame[0] * self.frame[1] != frame[1] * self.frame[0] or aspect != self.aspect:
            return ViewGeometry(view, frame, aspect=aspect)
        return dataclasses.replace(self, view=view, frame=frame).panned(0, 0)


def _within(centre: float, rim: float) -> float:
    """Return a centre that leaves no gap beside a frame larger than the view; 0.5 for a smaller one."""
    return 0.5 if rim >= 0.5 else min(max(centre, rim), 1 - rim)
