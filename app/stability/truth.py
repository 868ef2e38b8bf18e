"""The known masks of a video: label images, one a frame, found and checked before any work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.evaluate.sequence import upright_size
from model.errors import DataError, SourceError
from model.training.data.label_images import read_label_image, regions
from pipeline.sources.images import find_media

_MOST = 255  # of a label


@dataclass(frozen=True)
class Truth:
    """A label image for each frame, in the frames' order, all of `width` x `height` pixels.

    exact: whether the video must have just as many frames as there are masks
    """

    masks: tuple[Path, ...]
    width: int
    height: int
    exact: bool = False

    def labels(self, index: int) -> NDArray[np.uint8]:
        """Return the known objects of a frame: [height, width] uint8, 0 background, one value an object.

        Raises DataError when there is no such mask, or it cannot be read.
        """
        if index >= len(self.masks):
            raise DataError(
                f"{self.masks[0].parent}: holds {len(self.masks)} masks, but the video has more frames; "
                "expected a mask for each, or --max-frames"
            )
        return _read(self.masks[index], self.width, self.height)

    def check_count(self, frames: int) -> None:
        """Raise DataError when the whole video had fewer frames than there are masks."""
        if self.exact and frames < len(self.masks):
            raise DataError(
                f"{self.masks[0].parent}: holds {len(self.masks)} masks, but the video has {frames} frames; "
                "expected as many"
            )


def masks_by_name(folder: Path, frames: Sequence[Path]) -> tuple[Path, ...]:
    """The mask NAME.png of each frame NAME. Raises DataError when one is missing or serves two frames."""
    stem, count = Counter(frame.stem for frame in frames).most_common(1)[0]
    if count > 1:
        raise DataError(f"{count} frames are named {stem!r}, expected one for each mask in {folder}")
    masks = tuple(folder / f"{frame.stem}.png" for frame in frames)
    missing = [mask.name for mask in masks if not mask.is_file()]
    if missing:
        raise DataError(
            f"{folder}: {len(missing)} of {len(frames)} frames have no mask, first {missing[0]}; "
            "expected NAME.png for each frame NAME"
        )
    return masks


def masks_in_order(folder: Path) -> tuple[Path, ...]:
    """The PNG files of a folder, 2 before 10. Raises DataError when there are none."""
    try:
        found = find_media(folder).images
    except SourceError as error:
        raise DataError(f"{error}; expected a folder of masks, a PNG for each frame") from error
    masks = tuple(path for path in found if path.suffix.lower() == ".png")
    if not masks:
        raise DataError(f"{folder}: holds no PNG; expected a mask for each frame")
    return masks


def checked(masks: Sequence[Path], size: tuple[int, int], exact: bool = False) -> Truth:
    """The masks, once all of them were read. size: (width, height) of the frames in pixels.

    Raises DataError when one cannot be read, has another size or smoothed edges, or none shows an object.
    """
    seen = False
    for path in masks:
        labels = _read(path, *size)
        try:
            seen |= any(True for _ in regions(labels.astype(np.int64)))
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error
    if not seen:
        raise DataError(f"{masks[0].parent}: no mask shows an object, so there is nothing to measure")
    return Truth(tuple(masks), *size, exact)


def common_size(images: Iterable[Path]) -> tuple[int, int]:
    """(width, height) in pixels, upright, of all images. Raises DataError when they differ, or are broken."""
    first: tuple[Path, tuple[int, int]] | None = None
    for path in images:
        size = upright_size(path)
        first = first or (path, size)
        if size != first[1]:
            raise DataError(
                f"{path}: {size[0]} x {size[1]} pixels, but {first[0].name} has {first[1][0]} x "
                f"{first[1][1]}; expected frames of one size"
            )
    assert first is not None
    return first[1]


def _read(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    try:
        labels = read_label_image(path, width, height)
    except ValueError as error:
        raise DataError(f"{path}: {error}; expected {width} x {height} pixels") from error
    if labels.max(initial=0) > _MOST or labels.min(initial=0) < 0:
        raise DataError(f"{path}: holds the label {labels.max()}, expected 0 to {_MOST}")
    return labels.astype(np.uint8)
