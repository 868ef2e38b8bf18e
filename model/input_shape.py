"""The size at which a frame enters the network: stretched to a square, or letterboxed.

Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.config import YolactConfig

PADDED_TO = 32
"""Sides of a letterboxed input are multiples of this many pixels, the stride of the coarsest level."""
CONTENT_STEP = 4
"""Sides of its content are multiples of this many pixels, so that it fills whole prototype pixels."""


@dataclass(frozen=True)
class InputShape:
    """The network's input for frames of one size.

    content: (height, width) in pixels that the frame is resized to, in the top left corner
    padded:  (height, width) of the whole input; what the content does not fill is the mean colour
    """

    content: tuple[int, int]
    padded: tuple[int, int]


def input_shape(config: YolactConfig, frame_size: tuple[int, int]) -> InputShape:
    """Return the input shape for a frame of (height, width) pixels.

    Where the configuration keeps the aspect ratio, the longer side becomes `config.image_size`, the other
    one follows to within `CONTENT_STEP` / 2 pixels, and both are padded to multiples of `PADDED_TO`.
    """
    side = config.image_size
    if not config.keeps_aspect_ratio:
        return InputShape((side, side), (side, side))
    scale = side / max(frame_size)
    height, width = (
        min(max(round(length * scale / CONTENT_STEP), 1) * CONTENT_STEP, side) for length in frame_size
    )
    return InputShape((height, width), (_padded(height), _padded(width)))


def _padded(side: int) -> int:
    return -(-side // PADDED_TO) * PADDED_TO
