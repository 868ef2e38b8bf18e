"""EXIF orientation of photographs: pixels as stored, and turned upright."""

from __future__ import annotations

from PIL import Image, ImageOps
from PIL.Image import Transpose

_TAG = 0x0112  # EXIF 2.3, section 4.6.4
_QUARTER_TURNED = frozenset({5, 6, 7, 8})
_STORED_WIDTH, _STORED_HEIGHT = 256, 257  # TIFF 6.0, section 8
_UNDOES = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}


def stored_size(picture: Image.Image) -> tuple[int, int, bool]:
    """Return width and height of the pixels as stored, and True if EXIF turns them by a quarter.

    picture: as `model.images.opened` yields it, before its pixels are read
    """
    turned = _orientation(picture) in _QUARTER_TURNED
    width, height = picture.size
    if _turns_itself(picture):  # and has turned its size already, in some versions of Pillow
        tags = picture.tag_v2  # type: ignore[attr-defined]
        width, height = int(tags[_STORED_WIDTH]), int(tags[_STORED_HEIGHT])
    return width, height, turned


def turned_upright(picture: Image.Image) -> Image.Image:
    """Return the picture turned upright; not turned where its EXIF block is broken."""
    picture.load()
    if _turns_itself(picture):
        return picture
    try:
        return ImageOps.exif_transpose(picture)
    except MemoryError:
        raise
    except Exception:  # a broken block may raise anything
        return picture


def as_stored(picture: Image.Image) -> Image.Image:
    """Return the picture as its pixels are stored; its pixels must not have been read before."""
    orientation = _orientation(picture)
    picture.load()
    if _turns_itself(picture) and orientation in _UNDOES:
        return picture.transpose(_UNDOES[orientation])
    return picture


def _turns_itself(picture: Image.Image) -> bool:
    """Return True if Pillow turns the picture when it decodes it."""
    return picture.format == "TIFF"


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(_TAG, 1))
    except MemoryError:
        raise
    except Exception:  # a broken EXIF block counts as none
        return 1
