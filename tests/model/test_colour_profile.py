"""Photographs in other colour spaces come out in sRGB."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from model.training.data.image_files import decode_rgb
from pipeline.sources.images import read_image

Primaries = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
SRGB: Primaries = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE_RGB: Primaries = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
DISPLAY_P3: Primaries = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
GAMMA = 563 / 256  # of Adobe RGB (1998)
D65, D50 = (0.3127, 0.3290), np.array([0.9642, 1, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
COLOURS = np.array([[60, 120, 90], [150, 140, 120], [128, 128, 128], [255, 255, 255], [0, 0, 0]], np.uint8)


def white() -> NDArray[np.float64]:
    return np.array([D65[0], D65[1], 1 - sum(D65)]) / D65[1]


def to_xyz(primaries: Primaries) -> NDArray[np.float64]:
    """The matrix from linear RGB to XYZ under D65 (SMPTE RP 177)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    return columns * np.linalg.solve(columns, white())


def profile(primaries: Primaries) -> bytes:
    """An ICC profile of version 2 for a display of these primaries and a plain exponent."""
    adaptation = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ D50) / (BRADFORD @ white())) @ BRADFORD
    columns = (adaptation @ to_xyz(primaries)).T
    xyz = {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(GAMMA * 256))
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _file({**xyz, **curves, b"wtpt": _xyz(D50)}, b"RGB ")


def grey_profile(gamma: float) -> bytes:
    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))
    return _file({b"kTRC": curve, b"wtpt": _xyz(D50)}, b"GRAY")


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _file(tags: dict[bytes, bytes], space: bytes) -> bytes:
    table, body, begin = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", begin + len(body), len(content))
        body += content
    head = struct.pack(">I4xI4s4s4s12x4s28x", begin + len(body), 0x02100000, b"mntr", space, b"XYZ ", b"acsp")
    head += _xyz(D50)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def expected(colours: NDArray[np.uint8], primaries: Primaries) -> NDArray[np.float64]:
    """The same colours in sRGB (IEC 61966-2-1)."""
    linear = (colours / 255) ** GAMMA @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(primaries)).T
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def saved(path: Path, colours: NDArray[np.uint8], icc: bytes) -> Path:
    Image.fromarray(colours[None]).save(path, icc_profile=icc)
    return path


@pytest.mark.parametrize("primaries", [ADOBE_RGB, DISPLAY_P3], ids=["Adobe RGB", "Display P3"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_the_colours_of_another_space_become_those_of_srgb(
    tmp_path: Path, primaries: Primaries, suffix: str
) -> None:
    path = saved(tmp_path / f"a.{suffix}", COLOURS, profile(primaries))
    assert np.abs(read_image(path)[0, :, ::-1] - expected(COLOURS, primaries)).max() <= 2
    assert np.abs(COLOURS - expected(COLOURS, primaries)).max() > 8  # so that it matters
    assert np.array_equal(read_image(path)[..., ::-1], decode_rgb(path))  # learned as it is looked at


def test_transparency_stays_what_it_is(tmp_path: Path) -> None:
    colours = np.array([[60, 120, 90, 255], [60, 120, 90, 0]], np.uint8)
    seen = read_image(saved(tmp_path / "a.png", colours, profile(ADOBE_RGB)))[0, :, ::-1]
    assert np.abs(seen[0] - expected(colours[:1, :3], ADOBE_RGB)).max() <= 2
    assert seen[1].tolist() == [255, 255, 255]


def test_grey_has_a_profile_too(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", np.array([0, 64, 128, 255], np.uint8), grey_profile(1.0))
    linear = np.array([0, 64, 128, 255]) / 255
    right = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(read_image(path)[0].mean(-1) - right).max() <= 2


def test_a_profile_that_is_srgb_changes_no_pixel(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (500, 3)).astype(np.uint8)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(read_image(saved(tmp_path / "a.png", colours, icc))[0, :, ::-1], colours)


@pytest.mark.parametrize("icc", [b"no profile", profile(ADOBE_RGB)[:200], grey_profile(1.0)])
def test_a_profile_of_no_use_costs_nothing_but_itself(tmp_path: Path, icc: bytes) -> None:
    assert np.array_equal(read_image(saved(tmp_path / "a.png", COLOURS, icc))[0, :, ::-1], COLOURS)
