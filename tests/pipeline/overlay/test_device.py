"""The overlay of tensors against the one of arrays, and on tensors that pretend to be on a GPU."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from model.detection.masks import crop_bounds, inside
from model.detection.postprocessing import Found, to_detections
from model.detections import Detections
from pipeline.overlay import device as overlay_torch
from pipeline.overlay.device import draw_masks
from pipeline.overlay.draw import OverlayStyle, draw

NAMES = ("person", "dog", "cat")
CELLS = (36, 44)
SHAPES = OverlayStyle(labels=False)


@pytest.fixture(autouse=True)
def no_kept_palette() -> Iterator[None]:
    """A palette of one device, or of a pretended one, must not pass into the next test."""
    overlay_torch._palette.cache_clear()
    yield
    overlay_torch._palette.cache_clear()


def scene(places: int, images: int = 2) -> Found:
    """Places of which a third holds nothing, with masks of soft blobs; some boxes leave the frame."""
    random = torch.Generator().manual_seed(0)
    centres, sides = torch.rand(2, images, places, 2, generator=random)
    boxes = torch.cat([centres - 0.1 - sides / 4, centres + 0.1 + sides / 4], dim=-1)
    noise = torch.rand(images, places, 7, 7, generator=random)
    masks = F.interpolate(noise, CELLS, mode="bicubic").clamp(0, 1)
    bounds = crop_bounds(boxes, *CELLS)
    scores = torch.rand(images, places, generator=random).sort(descending=True).values
    return Found(
        boxes=boxes,
        scores=scores,
        box_scores=scores,
        classes=torch.randint(len(NAMES), (images, places), generator=random),
        valid=torch.rand(images, places, generator=random) > 0.3,
        coefficients=None,
        masks=masks * inside(bounds, *CELLS),
        bounds=bounds,
    )


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def both(found: Found, frame: np.ndarray, style: OverlayStyle, image: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture by tensors and by arrays, as int."""
    height, width = frame.shape[:2]
    records: list[Detections] = to_detections(found, [(height, width)] * len(found.valid), NAMES)
    ours = draw_masks(torch.from_numpy(frame), found, image, style)
    return ours.numpy().astype(int), draw(frame, records[image], style).astype(int)


@pytest.mark.parametrize(("height", "width"), [(120, 200), (431, 767), (36, 44), (1, 1), (900, 30)])
@pytest.mark.parametrize("image", [0, 1])
def test_tensors_and_arrays_give_the_same_picture(height: int, width: int, image: int) -> None:
    ours, theirs = both(scene(places=11), picture(height, width), SHAPES, image)
    differs = np.abs(ours - theirs).max(axis=2)
    assert (differs > 1).mean() < 1e-4  # a pixel of a mask whose probability is one half to the last bit
    assert (differs > 0).mean() < 0.01


@pytest.mark.parametrize(
    "change",
    [
        {"boxes": False},
        {"masks": False},
        {"outlines": False},
        {"masks": False, "outlines": False},
        {"masks": False, "outlines": False, "boxes": False},
        {"colour_by": "class"},
        {"alpha": 0.0},
        {"alpha": 1.0},
        {"palette": ((255, 0, 0), (0, 9, 255))},
    ],
    ids=str,
)
def test_every_style_is_followed(change: dict[str, object]) -> None:
    ours, theirs = both(scene(places=9), picture(150, 180), dataclasses.replace(SHAPES, **change), 0)
    assert (np.abs(ours - theirs).max(axis=2) > 1).sum() <= 2


@pytest.mark.parametrize("at_once", [1, 4, 30, 100])
def test_however_many_places_are_looked_at_together_the_picture_is_the_same(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlay_torch, "_PIXELS_AT_ONCE", at_once * 60 * 80 + 1)
    ours, theirs = both(scene(places=30), picture(60, 80), SHAPES, 0)
    assert (np.abs(ours - theirs).max(axis=2) > 1).sum() <= 2


def test_places_that_hold_nothing_draw_nothing_and_the_frame_stays_as_it_was() -> None:
    found = scene(places=8)
    found = found._replace(valid=torch.zeros_like(found.valid), boxes=torch.full_like(found.boxes, torch.nan))
    frame = torch.from_numpy(picture(60, 80))
    drawn = draw_masks(frame, found, 0, SHAPES)
    assert torch.equal(drawn, frame)
    assert drawn.data_ptr() != frame.data_ptr()


def test_no_places_at_all_draw_nothing() -> None:
    found = Found._make(None if part is None else part[:, :0] for part in scene(places=3))
    frame = torch.from_numpy(picture(60, 80))
    assert torch.equal(draw_masks(frame, found, 0, SHAPES), frame)


def test_boxes_alone_are_drawn_when_there_are_no_masks() -> None:
    ours, theirs = both(scene(places=5)._replace(masks=None, bounds=None), picture(60, 80), SHAPES, 1)
    assert np.array_equal(ours, theirs)
    assert not np.array_equal(ours, picture(60, 80))


class HostTensors(TorchDispatchMode):
    """Notes every operation that takes a tensor from the host: each one would be uploaded, and waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.taken_by: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        parts = tree_flatten((args, kwargs or {}))[0]
        if any(isinstance(part, torch.Tensor) and part.device.type == "cpu" for part in parts):
            self.taken_by.append(str(func))
        return func(*args, **(kwargs or {}))


def pretended_gpu() -> tuple[torch.Tensor, Found]:
    """A frame and what was found in it, of shapes and devices but no values."""
    with torch.device("cuda"):
        found = Found(
            boxes=torch.empty(2, 100, 4),
            scores=torch.empty(2, 100),
            box_scores=torch.empty(2, 100),
            classes=torch.empty(2, 100, dtype=torch.int64),
            valid=torch.empty(2, 100, dtype=torch.bool),
            coefficients=None,
            masks=torch.empty(2, 100, 138, 138),
            bounds=torch.empty(2, 100, 4),
        )
        return torch.empty(720, 1280, 3, dtype=torch.uint8), found


needs_cuda_build = pytest.mark.skipif(
    not torch.backends.cuda.is_built(), reason="PyTorch is built without CUDA"
)


@needs_cuda_build
@pytest.mark.parametrize("colour_by", ["instance", "class"])
def test_nothing_leaves_the_device_has_a_shape_that_depends_on_values_or_is_uploaded(colour_by: str) -> None:
    style = dataclasses.replace(SHAPES, colour_by=colour_by)
    with FakeTensorMode():
        frame, found = pretended_gpu()
        draw_masks(frame, found, 1, style)  # the palette goes up, once
        with HostTensors() as host:
            drawn = draw_masks(frame, found, 1, style)
    assert host.taken_by == []
    assert (drawn.shape, drawn.dtype, drawn.device.type) == ((720, 1280, 3), torch.uint8, "cuda")


@needs_cuda_build
def test_an_upload_would_be_found() -> None:
    with FakeTensorMode(), HostTensors() as host:
        torch.tensor([1.0, 2.0], device="cuda")
    assert host.taken_by
