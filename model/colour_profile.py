"""Convert images of other colour spaces to sRGB: Display P3 of phones, Adobe RGB, CMYK of print."""

from __future__ import annotations

import io
from functools import lru_cache
from itertools import product

import numpy as np
from PIL import Image, ImageCms

_SPACES = {
    "RGB": "RGB",
    "RGBA": "RGB",
    "CMYK": "CMYK",
    "L": "GRAY",
}  # mode -> colour space that a profile must have
_LEVELS = (0, 51, 102, 153, 204, 255)
_NOTICEABLE = 2  # levels of 255; a profile that changes nothing by more is sRGB under another name


def to_srgb(picture: Image.Image) -> Image.Image:
    """Convert a picture to sRGB by its ICC profile; return it as it is without a usable one.

    picture: RGB, RGBA, CMYK or L of 8 bits; any other is returned as it is. RGBA keeps its alpha, the others
             become RGB
    """
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in _SPACES:
        return picture
    transform = _transform(bytes(profile), picture.mode)
    if transform is None:
        return picture
    converted = ImageCms.applyTransform(picture, transform)
    assert converted is not None  # None is returned for in-place conversions only
    return converted


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build the transform to sRGB; None if a profile is malformed, does not fit, or changes nothing."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        target = "RGBA" if mode == "RGBA" else "RGB"
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            target,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
    except (ImageCms.PyCMSError, OSError, ImportError):  # ImportError: a build of Pillow without LittleCMS
        return None
    return transform if mode == "CMYK" or _is_noticed(transform, mode, target) else None


def _is_noticed(transform: ImageCms.ImageCmsTransform, mode: str, target: str) -> bool:
    colours = Image.fromarray(np.array(list(product(_LEVELS, repeat=3)), np.uint8)[None]).convert(mode)
    before, after = (
        np.asarray(colours.convert(target)),
        np.asarray(ImageCms.applyTransform(colours, transform)),
    )
    return bool(np.abs(before.astype(int) - after).max() > _NOTICEABLE)
