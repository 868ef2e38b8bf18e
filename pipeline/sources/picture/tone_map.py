"""High dynamic range brought down to what BT.709 can show."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from pipeline.frame import Image
from pipeline.sources.picture.colours import HLG, ColourTags

WHITE = 203.0
"""Nits of a white sheet of paper in high dynamic range (ITU-R BT.2408); BT.709's white is as bright."""

USUAL_PEAK = 1000.0
"""Nits of the brightest highlights where a video does not say."""

_BRIGHTEST = 4000.0  # nits; what a mastering display can do
_POINTS = 33  # of the table, along each axis
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND

# ITU-R BT.2100, tables 4 and 5
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
_HLG_A, _HLG_B, _HLG_C = 0.17883277, 0.28466892, 0.55991073
_HLG_GAMMA = 1.2  # on a display of 1000 nits
_DISPLAY_GAMMA = 2.4  # ITU-R BT.1886

_RGB = {  # x and y of red, green and blue by the code point of the primaries; white is D65 in all
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_BT2020 = 9
_D65 = (0.3127, 0.3290)

Table = NDArray[np.float64]


def peak_of(side_data: Mapping[SideDataType, Any]) -> float:
    """The brightest that a frame may show, in nits: what its content reaches, else what its display did."""
    light = side_data.get(SideDataType.CONTENT_LIGHT_LEVEL)
    brightest = float(struct.unpack_from("I", bytes(light))[0]) if light is not None else 0.0
    display = side_data.get(SideDataType.MASTERING_DISPLAY_METADATA)
    if not brightest and display is not None:
        # ten fractions (primaries, white, least and most light), then whether they are known
        *numbers, _, has_light = struct.unpack_from("22i", bytes(display))
        brightest = numbers[18] / numbers[19] if has_light and numbers[19] else 0.0
    return min(max(brightest, WHITE), _BRIGHTEST) if brightest else USUAL_PEAK


class ToneMapper:
    """Makes BT.709 pictures of PQ and HLG.

    Up to about half of `WHITE` everything stays as bright as it was; what is brighter is pressed together,
    so that the peak comes out as white (the curve of ITU-R BT.2390, on the largest of red, green and blue,
    which keeps hues). Colours beyond BT.709 lose as much saturation as they must.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._made_for: tuple[object, ...] = ()
        self._graph: Graph | None = None

    def __call__(self, frame: av.VideoFrame, tags: ColourTags, peak: float) -> Image:
        """[H, W, 3] uint8 BGR. frame: in gbrp16le. peak: see `peak_of`. Raises av.FFmpegError."""
        wanted = (frame.width, frame.height, tags.transfer, tags.primaries, peak)
        if self._graph is None or wanted != self._made_for:
            self._graph, self._made_for = _looking_up(frame, table(tags, peak)), wanted
        self._graph.vpush(frame)
        mapped = self._graph.vpull()
        bgr = self._reformatter.reformat(mapped, format="bgr24", interpolation=_EXACT, threads=1)
        return np.ascontiguousarray(bgr.to_ndarray())


def table(tags: ColourTags, peak: float) -> Table:
    """Return a colour table: RGB of [B, G, R, 3], 0..1, for coded values from 0 to 1 on each axis."""
    axis = np.linspace(0, 1, _POINTS)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    return mapped(np.stack([red, green, blue], -1), tags, peak)


def mapped(coded: Table, tags: ColourTags, peak: float) -> Table:
    """Coded RGB [..., 3] of high dynamic range, 0..1, as coded RGB of BT.709, 0..1."""
    if tags.transfer == HLG:
        nits, peak = _hlg_nits(coded), 1000.0
    else:
        nits = _pq_nits(coded)
    largest = nits.max(-1, keepdims=True)
    nits = nits * (_pressed(largest, peak) / np.maximum(largest, 1e-9))
    light = nits / WHITE @ _to_bt709(tags.primaries).T
    return np.clip(_within(light), 0, 1) ** (1 / _DISPLAY_GAMMA)


def _pq_nits(coded: Table) -> Table:
    root = coded ** (1 / _M2)
    return 10_000 * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)


def _pq_coded(nits: Table) -> Table:
    power = (nits / 10_000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _hlg_nits(coded: Table) -> Table:
    scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - _HLG_C) / _HLG_A) + _HLG_B) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    return 1000 * scene * np.maximum(luminance, 1e-9)[..., None] ** (_HLG_GAMMA - 1)


def _pressed(nits: Table, peak: float) -> Table:
    """Brightness from 0 to `peak` brought into 0 to `WHITE`: ITU-R BT.2390, section 5.4."""
    most = float(_pq_coded(np.array(peak)))
    white = float(_pq_coded(np.array(WHITE))) / most
    coded = np.minimum(_pq_coded(nits) / most, 1)
    knee = 1.5 * white - 0.5
    if knee >= 1:  # nothing is brighter than white
        return nits
    t = (coded - knee) / (1 - knee)
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * white
    )
    return _pq_nits(np.where(coded < knee, coded, curve) * most)


def _within(light: Table) -> Table:
    """Light [..., 3] in which no colour is below 0: mixed with grey of its luminance as far as it takes."""
    grey = (light @ np.array([0.2126, 0.7152, 0.0722]))[..., None]
    lowest = light.min(-1, keepdims=True)
    share = np.where(lowest < 0, grey / np.maximum(grey - lowest, 1e-9), 1)
    return grey + (light - grey) * share


def _to_bt709(primaries: int) -> Table:
    source = _to_xyz(_RGB.get(primaries, _RGB[_BT2020]))
    return np.linalg.inv(_to_xyz(_RGB[1])) @ source


def _to_xyz(corners: tuple[tuple[float, float], ...]) -> Table:
    """The matrix [3, 3] from linear RGB to CIE XYZ, by which RGB of 1 is D65."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in corners]).T
    x, y = _D65
    return columns * np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y]))


def _looking_up(frame: av.VideoFrame, colours: Table) -> Graph:
    """FFmpeg's look-up in three dimensions, which reads its table from a file, and only as it is set up."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tone.cube"
        with path.open("w", encoding="ascii") as file:
            file.write(f"LUT_3D_SIZE {len(colours)}\n")
            np.savetxt(file, colours.reshape(-1, 3), fmt="%.6f")
        graph = Graph()
        graph.threads = 1
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
        )
        look_up = graph.add("lut3d", file=str(path), interp="tetrahedral")
        source.link_to(look_up)
        look_up.link_to(graph.add("buffersink"))
        graph.configure()
    return graph
