"""The overlay on the device where the detections are: tensors in, tensors out, nothing waits for the host.

It gives the picture of `pipeline.overlay.draw`: the same outlines and boxes, tints that differ by one level
at most (where rounding is a close call). Letters stay on the host: `overlay.draw_text_on` adds them to the
downloaded picture, of which they touch few pixels.

Every shape is fixed by the frame and the number of places, whatever was found: no value is ever needed on
the host. Compared with `pipeline.overlay.draw` on the CPU, and run on tensors that pretend to be on a GPU,
which shows that nothing synchronises; it has never run on a real one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from model.detection.postprocessing import Found
from pipeline.overlay.draw import OverlayStyle, line_width
from pipeline.overlay.palette import Colour

_PIXELS_AT_ONCE = 32_000_000  # of masks of the frame's size; each takes about ten bytes while it is looked at


def draw_masks(frame: Tensor, found: Found, image: int, style: OverlayStyle) -> Tensor:
    """A copy of `frame` with masks, outlines and boxes on it, as far as `style` asks for them.

    frame: [H, W, 3] uint8 BGR, on the device of `found`; image: which one of the batch of `found` it is.
    Returns [H, W, 3] uint8. The best score lies on top, as in `overlay.draw`, whose colours these are:
    "instance" goes by tracks where there are any, and counts the valid places otherwise.
    """
    height, width = frame.shape[:2]
    thickness = line_width(height, width)
    colours = _colours(found, image, style)
    numbers = _numbers(found.valid[image])
    picture = frame.clone()
    if not len(numbers):
        return picture
    if (style.masks or style.outlines) and found.masks is not None:
        fills, rims = _top_masks(found.masks[image], numbers, (height, width), thickness)
        if style.masks:
            picture = _tinted(picture, fills, colours, style.alpha)
        if style.outlines:
            picture = _painted(picture, rims, colours)
    if style.boxes:
        corners = _pixel_corners(found.boxes[image], height, width)
        boxes = _top_boxes(corners, numbers, (height, width), (thickness + 1) // 2)
        picture = _painted(picture, boxes, colours)
    return picture


def rim(masks: Tensor, width: int) -> Tensor:
    """The outermost `width` pixels of each mask, as `overlay_masks.outline` paints them.

    masks: [D, H, W] bool. Returns [D, H, W] bool.
    """
    kernel = masks
    for turn in range(width):
        across, along = _eroded(kernel, -1), _eroded(kernel, -2)
        kernel = across & along if turn % 2 == 0 else _eroded(across, -2)
    return masks & ~kernel


def _eroded(masks: Tensor, axis: int) -> Tensor:
    """Erode along an axis: keep pixels with both neighbours; there are none beyond the edge."""
    size = masks.shape[axis]
    padded = F.pad(masks, (1, 1) if axis == -1 else (0, 0, 1, 1))
    return padded.narrow(axis, 0, size) & masks & padded.narrow(axis, 2, size)


def _enlarged(masks: Tensor, height: int, width: int) -> Tensor:
    """[D, Hp, Wp] probabilities -> [D, H, W] bool, > 0.5 as in `model.host.masks.enlarge`."""
    # [D, Hp, Wp] -> [1, D, Hp, Wp] -> [D, H, W]
    return F.interpolate(masks[None], (height, width), mode="bilinear", align_corners=False)[0] > 0.5


def _numbers(valid: Tensor) -> Tensor:
    """[D] int16: each valid place's own number, and D, which stands for none, for the others."""
    places = torch.arange(len(valid), device=valid.device, dtype=torch.int16)
    return places.masked_fill(~valid, len(valid))


def _top_masks(
    masks: Tensor, numbers: Tensor, size: tuple[int, int], thickness: int
) -> tuple[Tensor, Tensor]:
    """Return the indices of the topmost mask and rim at each pixel: [H, W] int16 each, D for none."""
    fills = rims = torch.full(size, len(numbers), device=masks.device, dtype=torch.int16)
    for some, own in _chunks(masks, numbers, size):
        inside = _enlarged(some, *size)
        fills = torch.minimum(fills, _first(inside, own, len(numbers)))
        rims = torch.minimum(rims, _first(rim(inside, thickness), own, len(numbers)))
    return fills, rims


def _top_boxes(corners: Tensor, numbers: Tensor, size: tuple[int, int], thickness: int) -> Tensor:
    """Return the index of the topmost box with a line at each pixel: [H, W] int16, D where there is none."""
    top = torch.full(size, len(numbers), device=corners.device, dtype=torch.int16)
    for some, own in _chunks(corners, numbers, size):
        top = torch.minimum(top, _first(_lines(some, *size, thickness), own, len(numbers)))
    return top


def _chunks(values: Tensor, numbers: Tensor, size: tuple[int, int]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield chunks of places with their numbers, as many as fit into memory at the frame's size."""
    count = max(_PIXELS_AT_ONCE // (size[0] * size[1]), 1)
    return zip(values.split(count), numbers.split(count), strict=True)


def _first(shapes: Tensor, numbers: Tensor, none: int) -> Tensor:
    """The least number of the shapes that cover each pixel: [d, H, W] bool -> [H, W] int16."""
    return torch.where(shapes, numbers[:, None, None], none).amin(0)


def _tinted(picture: Tensor, top: Tensor, colours: Tensor, alpha: float) -> Tensor:
    """(1 - alpha) of the picture and alpha of the colour, where a place is on top."""
    mixed = (picture * (1 - alpha) + colours[top.long()] * alpha).round().to(torch.uint8)
    return torch.where((top < len(colours) - 1)[..., None], mixed, picture)


def _painted(picture: Tensor, top: Tensor, colours: Tensor) -> Tensor:
    """Return the picture with the colour itself where a place is on top."""
    return torch.where((top < len(colours) - 1)[..., None], colours[top.long()].to(torch.uint8), picture)


def _colours(found: Found, image: int, style: OverlayStyle) -> Tensor:
    """[D + 1, 3] float32 BGR, of each place and of none."""
    palette = _palette(style.palette, found.valid.device)
    if style.colour_by == "class":
        keys = found.classes[image]
    elif found.track_ids is not None:
        keys = found.track_ids[image]
    else:
        keys = found.valid[image].cumsum(0) - 1
    return F.pad(palette[keys % len(palette)], (0, 0, 0, 1))


@lru_cache(maxsize=8)
def _palette(colours: tuple[Colour, ...], device: torch.device) -> Tensor:
    """[P, 3] float32; kept, because each upload would wait for the device."""
    return torch.tensor(colours, dtype=torch.float32, device=device)


def _pixel_corners(boxes: Tensor, height: int, width: int) -> Tensor:
    """[D, 4] relative corners -> whole pixels, x1 y1 included, x2 y2 not, within the frame."""
    across, down = boxes[:, 0::2] * width, boxes[:, 1::2] * height  # [D, 2] each
    across, down = across.nan_to_num().clamp(0, width), down.nan_to_num().clamp(0, height)
    return torch.stack([across[:, 0].floor(), down[:, 0].floor(), across[:, 1].ceil(), down[:, 1].ceil()], 1)


def _lines(corners: Tensor, height: int, width: int, thickness: int) -> Tensor:
    """The `thickness` outermost pixels of each box: [d, H, W] bool."""
    x = torch.arange(width, device=corners.device)
    y = torch.arange(height, device=corners.device)
    x1, y1, x2, y2 = corners[..., None].unbind(1)  # [d, 1] each
    columns, rows = (x >= x1) & (x < x2), (y >= y1) & (y < y2)
    inner_columns = (x >= x1 + thickness) & (x < x2 - thickness)
    inner_rows = (y >= y1 + thickness) & (y < y2 - thickness)
    box = rows[:, :, None] & columns[:, None, :]
    return box & ~(inner_rows[:, :, None] & inner_columns[:, None, :])
