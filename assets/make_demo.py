"""Make the demo photographs in `assets/photos` out of public-domain ones. Run by hand:

    pip install scikit-image==0.26.0 matplotlib==3.11.2 PyQt6
    apt-get install gcompris-qt-data=3.1-2
    python assets/make_demo.py

The originals come inside those packages; CREDITS.md tells their origin and licence. People are cut out
with GrabCut, guided by hand-drawn polygons, and set before other photographs. A Debian package that was
unpacked elsewhere (`dpkg-deb -x`) is named with its folder: `python assets/make_demo.py FOLDER`.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PHOTOS = Path(__file__).resolve().parent / "photos"

# name -> (package, file inside the package)
ORIGINALS = {
    "collins": ("skimage", "data/astronaut.png"),
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "photographer": ("skimage", "data/camera.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "launch pad": ("skimage", "data/rocket.jpg"),
    "bricks": ("skimage", "data/brick.png"),
    "deep field": ("skimage", "data/hubble_deep_field.jpg"),
    "coffee": ("skimage", "data/coffee.png"),
}

# name -> file among the resources of GCompris, whose third folder is the name of the .rcc file
GCOMPRIS = {
    "chair": "categorization/resource/images/others/chair.webp",
    "colosseum": "explore_monuments/resource/wonders/colosseum.webp",
    "cows": "explore_farm_animals/resource/animals/cow.webp",
    "cutlery": "categorization/resource/images/others/knife.webp",
    "dog": "explore_farm_animals/resource/animals/dog.webp",
    "giraffes": "explore_world_animals/resource/animals/giraffe.webp",
    "horses": "explore_farm_animals/resource/animals/horse.webp",
    "kitten": "explore_farm_animals/resource/animals/cat.webp",
    "lawn": "explore_monuments/resource/germany/berlinCathedral.webp",
    "mariachi": "explore_world_music/resource/music/mexico.webp",
    "orchestra": "explore_world_music/resource/music/orchestra.webp",
    "palace_square": "explore_monuments/resource/france/palaisdesPapes.webp",
    "sheep": "explore_farm_animals/resource/animals/sheep.webp",
}
LARGEST_SIDE = 800  # of the photographs from GCompris

# the part of the original that is taken: left, top, width, height, in its pixels
CROPS = {
    "colosseum": (0, 306, 640, 360),
    "lawn": (0, 323, 640, 360),
    "palace_square": (288, 409, 640, 360),
}

Image = NDArray[np.uint8]
Polygon = list[tuple[int, int]]


@dataclass(frozen=True)
class Hints:
    """Polygons in pixels of the original that surely lie inside a person, or surely outside of one."""

    inside: tuple[Polygon, ...]
    outside: tuple[Polygon, ...]


@dataclass(frozen=True)
class Placement:
    """A person in a composition, as fractions of its size: height, centre, and how much is cut off below."""

    person: str
    height: float
    centre: float
    below: float
    mirrored: bool = False


@dataclass(frozen=True)
class Composition:
    """People, the farthest first, before a background that is out of focus by `blur` (fraction of width)."""

    background: str
    width: int
    height: int
    blur: float
    people: tuple[Placement, ...]


# fmt: off
HINTS = {
    "hopper": Hints(
        inside=(
            [(190, 62), (235, 34), (290, 34), (335, 65), (362, 95), (365, 130), (155, 130), (160, 110)],
            [(165, 140), (355, 140), (360, 240), (300, 330), (220, 330), (165, 240)],
            [(60, 400), (200, 340), (330, 340), (460, 400), (490, 599), (30, 599)],
        ),
        outside=(
            [(0, 0), (232, 0), (228, 26), (216, 36), (196, 46), (184, 60), (174, 80), (160, 92), (150, 112),
             (145, 140), (144, 175), (150, 185), (150, 205), (156, 222), (159, 250), (158, 274), (168, 288),
             (186, 298), (199, 303), (196, 316), (182, 329), (160, 340), (130, 349), (80, 360), (40, 375),
             (20, 400), (8, 460), (0, 599)],
            [(235, 0), (511, 0), (511, 395), (480, 372), (430, 358), (385, 345), (352, 328), (334, 312),
             (345, 305), (352, 290), (362, 270), (366, 250), (374, 225), (377, 200), (376, 185), (371, 170),
             (373, 140), (370, 100), (363, 86), (354, 84), (350, 70), (338, 55), (320, 42), (302, 36),
             (285, 26), (262, 20)],
        ),
    ),
    "collins": Hints(
        inside=(
            [(170, 60), (225, 25), (280, 60), (290, 90), (270, 115), (255, 165), (195, 165), (185, 140),
             (180, 110), (160, 100)],
            [(130, 230), (180, 190), (280, 190), (330, 280), (350, 350), (330, 511), (60, 511), (60, 300)],
            [(340, 380), (400, 350), (460, 380), (490, 440), (500, 511), (300, 511), (300, 440)],
        ),
        outside=(
            [(0, 0), (140, 0), (130, 130), (110, 190), (60, 250), (30, 330), (20, 511), (0, 511)],
            [(140, 118), (160, 116), (172, 128), (181, 134), (184, 146), (160, 147), (140, 152)],
            [(285, 129), (273, 138), (268, 150), (262, 162), (260, 171), (276, 181), (292, 196), (320, 196),
             (320, 120)],
            [(361, 300), (361, 346), (380, 341), (400, 340), (422, 342), (444, 350), (464, 363), (482, 381),
             (491, 399), (498, 420), (501, 445), (508, 455), (511, 470), (511, 200), (350, 200)],
        ),
    ),
}
# fmt: on

COMPOSITIONS = {
    "launch_pad": Composition(
        "launch pad", 1200, 800, 0.0015,
        (Placement("collins", 0.74, 0.23, 0.1), Placement("hopper", 0.82, 0.78, 0.24)),
    ),
    "wall": Composition(
        "bricks", 1200, 800, 0.002,
        (
            Placement("collins", 0.68, 0.48, 0.02, mirrored=True),
            Placement("hopper", 0.85, 0.21, 0.24, mirrored=True),
            Placement("collins", 0.80, 0.80, 0.12),
        ),
    ),
    "deep_field": Composition(
        "deep field", 1000, 750, 0.0, (Placement("collins", 0.5, 0.66, 0.1, mirrored=True),)
    ),
}  # fmt: skip


def main() -> None:
    """Write every demo photograph."""
    PHOTOS.mkdir(exist_ok=True)
    for name in ("collins", "photographer", "cat", "coffee"):
        save(name, read_original(name))
    (PHOTOS / "hopper.jpg").write_bytes(original_path("hopper").read_bytes())
    for name, composition in COMPOSITIONS.items():
        save(name, compose(composition))
    for name, inside in GCOMPRIS.items():
        save(name, reduced(cropped(name, read_resource(inside))))


def read_resource(inside: str) -> Image:
    """A picture out of the resources of GCompris: [H, W, 3] uint8 BGR."""
    from PyQt6.QtCore import QFile, QResource

    root = Path(sys.argv[1] if len(sys.argv) > 1 else "/")
    rcc = root / "usr/share/gcompris-qt/rcc" / f"{inside.partition('/')[0]}.rcc"
    if not QResource.registerResource(str(rcc)):
        sys.exit(f"{rcc} is not there: apt-get install gcompris-qt-data")
    file = QFile(f":/gcompris/src/activities/{inside}")
    if not file.open(QFile.OpenModeFlag.ReadOnly):
        sys.exit(f"{rcc} does not hold {inside}: another version of gcompris-qt-data?")
    return cv2.imdecode(np.frombuffer(file.readAll().data(), np.uint8), cv2.IMREAD_COLOR)


def cropped(name: str, image: Image) -> Image:
    """The part of the image that is taken, all of it where `CROPS` has no other word."""
    left, top, width, height = CROPS.get(name, (0, 0, image.shape[1], image.shape[0]))
    return image[top : top + height, left : left + width]


def reduced(image: Image) -> Image:
    """The image, made smaller where its longer side exceeds `LARGEST_SIDE`."""
    scale = LARGEST_SIDE / max(image.shape[:2])
    return image if scale >= 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def original_path(name: str) -> Path:
    """Return the path at which the installed package keeps the photograph."""
    package, inside = ORIGINALS[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        sys.exit(f"{package} is not installed: pip install scikit-image matplotlib")
    return Path(spec.origin).parent / inside


def read_original(name: str) -> Image:
    """[H, W, 3] uint8 BGR."""
    return cv2.imread(str(original_path(name)))


def save(name: str, image: Image) -> None:
    """Write a photograph as JPEG, a grey one with a single channel."""
    grey = bool(np.all(image == image[..., :1]))
    path = PHOTOS / f"{name}.jpg"
    cv2.imwrite(str(path), image[..., 0] if grey else image, (cv2.IMWRITE_JPEG_QUALITY, 88))
    print(f"{path.name}: {path.stat().st_size // 1000} kB")


def compose(composition: Composition) -> Image:
    """The composition as a picture: [height, width, 3] uint8 BGR."""
    canvas = cover(read_original(composition.background), composition.width, composition.height)
    if composition.blur:
        canvas = cv2.GaussianBlur(canvas, (0, 0), composition.blur * composition.width)
    picture = canvas.astype(np.float32)
    for placement in composition.people:
        paste(picture, placement)
    return np.rint(picture).astype(np.uint8)


def cover(image: Image, width: int, height: int) -> Image:
    """The middle of the image, scaled so that it just fills width x height."""
    scale = max(width / image.shape[1], height / image.shape[0])
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def paste(picture: NDArray[np.float32], placement: Placement) -> None:
    """Set a person into the picture, in place; what falls outside is cut off."""
    height, width = picture.shape[:2]
    person, opacity = cut_out(placement.person)
    scale = placement.height * height / person.shape[0]
    shift_x = placement.centre * width - person.shape[1] * scale / 2
    shift_y = height * (1 + placement.below) - person.shape[0] * scale
    move = np.float32([[scale, 0, shift_x], [0, scale, shift_y]])
    if placement.mirrored:
        person, opacity = person[:, ::-1], opacity[:, ::-1]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    layer = cv2.warpAffine(np.float32(person), move, (width, height), flags=how)
    cover_by = cv2.warpAffine(np.ascontiguousarray(opacity), move, (width, height), flags=cv2.INTER_LINEAR)
    picture += (np.clip(layer, 0, 255) - picture) * cover_by[..., None]


def cut_out(name: str) -> tuple[Image, NDArray[np.float32]]:
    """A person's photograph and how much of each of its pixels is the person: [H, W] float32, 0..1."""
    image = read_original(name)
    hints = HINTS[name]
    labels = np.full(image.shape[:2], cv2.GC_PR_FGD, np.uint8)
    cv2.fillPoly(labels, [np.array(p, np.int32) for p in hints.outside], cv2.GC_BGD)
    for polygon in hints.inside:
        cv2.fillPoly(labels, [np.array(polygon, np.int32)], cv2.GC_FGD)
    cv2.setRNGSeed(0)
    model = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image, labels, None, *model, 8, cv2.GC_INIT_WITH_MASK)
    inside = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    return image, soft_edge(largest_part(inside))


def largest_part(mask: Image) -> Image:
    """The largest connected part of a [H, W] 0/1 mask, with its small holes filled and edges smoothed."""
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(mask)
    mask = (parts == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)
    count, holes, statistics, _ = cv2.connectedComponentsWithStats(1 - mask)
    for hole in range(1, count):
        if statistics[hole, cv2.CC_STAT_AREA] < 800:
            mask[holes == hole] = 1
    return cv2.morphologyEx(mask, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))


def soft_edge(mask: Image) -> NDArray[np.float32]:
    """The mask drawn in by a pixel, which sheds the old background's fringe, with a soft edge."""
    shrunk = cv2.erode(mask, np.ones((3, 3), np.uint8), borderValue=1)
    return cv2.GaussianBlur(shrunk.astype(np.float32), (0, 0), 0.9)


if __name__ == "__main__":
    main()
