"""Make `assets/demo.mp4` out of the photographs in `assets/photos`. Run by hand:

    python assets/make_demo_video.py

People are cut out of their photographs along hand-drawn outlines, which GrabCut refines, and move before
other photographs, seen by a camera that seems to be held by hand. Everything is computed, so each frame comes
with the exact masks of the people set into it: see `scene`. The last shots show photographs as they are, with
objects of other kinds. The sound is synthesised.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import astuple
from functools import cache
from pathlib import Path
from typing import TypeVar

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

ASSETS = Path(__file__).resolve().parent
sys.path.insert(0, str(ASSETS.parent))

from assets.demo_shots import FRAMES, SHOTS, Person, Pose, Shot, Window  # noqa: E402  (found by the line above)

VIDEO = ASSETS / "demo.mp4"

WIDTH, HEIGHT, FPS = 768, 432, 25
SAMPLE_RATE = 48_000
REC709 = {"dst_colorspace": Colorspace.ITU709, "dst_color_range": ColorRange.MPEG}

Image = NDArray[np.uint8]
Picture = NDArray[np.float32]
Mask = NDArray[np.bool_]
Affine = NDArray[np.float32]

Place = TypeVar("Place", Window, Pose)


def main() -> None:
    """Write the video, and say how large it became."""
    write_video(VIDEO)
    print(f"{VIDEO.name}: {FRAMES} frames, {VIDEO.stat().st_size / 1e6:.2f} MB")


def scene(frame: int) -> tuple[Image, dict[str, Mask]]:
    """A frame of the video as it was before compression, and the pixels in which each person is seen.

    Returns [HEIGHT, WIDTH, 3] uint8 BGR, and by name a [HEIGHT, WIDTH] bool mask, which leaves out what
    someone nearer hides and is empty while the person is outside of the frame. Those who are in a
    background's photograph already, residents aside, have none.
    """
    shot, moment = find_shot(frame)
    camera = camera_motion(shot, moment)
    picture = warp(photograph(shot.background), camera)
    if shot.blur:
        picture = cv2.GaussianBlur(picture, (0, 0), shot.blur)
    masks: dict[str, Mask] = {}
    if shot.resident:
        masks[shot.resident] = warp(cut_out(shot.resident)[1], camera) > 0.5
    for person in shot.people:
        opacity = paste(picture, shot, person, moment)
        masks = {name: mask & (opacity <= 0.5) for name, mask in masks.items()}
        masks[person.name] = opacity > 0.5
    return develop(picture, shot, frame), masks


def find_shot(frame: int) -> tuple[Shot, float]:
    """The shot of a frame of the video, and the seconds since the shot began."""
    for shot in SHOTS:
        if 0 <= frame < shot.frames:
            return shot, frame / FPS
        frame -= shot.frames
    raise IndexError(f"there are {FRAMES} frames, counted from 0")


def progress(shot: Shot, moment: float) -> float:
    """Return the fraction of the shot that is over, 0..1."""
    return moment * FPS / (shot.frames - 1)


def between(start: Place, end: Place, share: float) -> Place:
    """Return the place after `share`, 0..1, of the way."""
    return type(start)(*(a + (b - a) * share for a, b in zip(astuple(start), astuple(end), strict=True)))


def unsteadiness(moment: float) -> tuple[float, float, float]:
    """Return how far a hand-held camera is off: frame pixels right, frame pixels down, degrees."""
    sway = math.sin(2.3 * moment + 0.4) + 0.5 * math.sin(5.9 * moment + 1.9)
    heave = math.sin(3.1 * moment + 2.2) + 0.4 * math.sin(7.3 * moment)
    return 2.2 * sway, 1.8 * heave, 0.15 * math.sin(1.9 * moment + 1.0)


def camera_motion(shot: Shot, moment: float) -> Affine:
    """Return the transform from the background photograph's pixels to the frame's, [2, 3]."""
    window = between(shot.start, shot.end, progress(shot, moment))
    right, down, tilt = unsteadiness(moment)
    middle = (WIDTH / 2 + right, HEIGHT / 2 + down)
    return placed((window.x, window.y), middle, WIDTH / window.width, tilt)


def person_motion(shot: Shot, person: Person, moment: float) -> Affine:
    """Return the transform from a person's photograph's pixels to the frame's, [2, 3]."""
    pose = between(person.start, person.end, progress(shot, moment))
    height, width = cut_out(person.name)[1].shape
    right, down, tilt = unsteadiness(moment)
    stride = math.sin(math.pi * person.steps * moment)
    # whoever is nearer than the background is shaken more
    foot = (pose.x + 1.2 * right, pose.y + 1.2 * down - 5.0 * abs(stride))
    return placed((width / 2, height), foot, pose.scale, pose.tilt + tilt + 0.8 * stride)


def placed(point: tuple[float, float], target: tuple[float, float], scale: float, tilt: float) -> Affine:
    """Return what turns by `tilt` degrees, clockwise, scales, and takes `point` to `target`: [2, 3]."""
    motion = cv2.getRotationMatrix2D(point, -tilt, scale)
    motion[:, 2] += np.subtract(target, point)
    return motion.astype(np.float32)


def paste(picture: Picture, shot: Shot, person: Person, moment: float) -> Picture:
    """Set a person into the picture, in place; returns the opacity, [HEIGHT, WIDTH] float32, 0..1."""
    motion = person_motion(shot, person, moment)
    image, opacity = cut_out(person.name)
    if person.mirrored:
        image, opacity = image[:, ::-1], opacity[:, ::-1]
    opacity = np.clip(warp(opacity, motion), 0, 1)
    layer = warp(image, motion) * np.float32(shot.light)
    if shot.shade:
        shadow = cv2.GaussianBlur(opacity, (0, 0), 22)
        shadow = cv2.warpAffine(shadow, np.float32([[1, 0, -26], [0, 1, 14]]), (WIDTH, HEIGHT))
        picture *= 1 - shot.shade * shadow[..., None]
    # some of the background's light spills over the edge, as it does in a lens
    inner = cv2.GaussianBlur(opacity, (0, 0), 4)
    spill = 0.35 * np.clip(2 * (1 - inner), 0, 1)[..., None]
    layer += (cv2.GaussianBlur(picture, (0, 0), 8) - layer) * spill
    picture += (layer - picture) * opacity[..., None]
    return opacity


def develop(picture: Picture, shot: Shot, frame: int) -> Image:
    """The picture with darker corners and film grain, [HEIGHT, WIDTH, 3] uint8 BGR."""
    if shot.monochrome:
        picture = np.repeat(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    vignette = (1 - 0.09 * (x**2 + y**2)).astype(np.float32)
    noise = np.random.default_rng(frame).standard_normal((HEIGHT, WIDTH, 1), np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 0.6)
    noise *= shot.grain / noise.std()
    return np.rint(np.clip(picture * vignette[..., None] + noise[..., None], 0, 255)).astype(np.uint8)


def warp(image: NDArray[np.generic], motion: Affine) -> Picture:
    """The image moved into the frame: [HEIGHT, WIDTH, ...] float32."""
    how, border = cv2.INTER_CUBIC, cv2.BORDER_CONSTANT if image.ndim == 2 else cv2.BORDER_REPLICATE
    moved = cv2.warpAffine(np.float32(image), motion, (WIDTH, HEIGHT), flags=how, borderMode=border)
    return np.clip(moved, 0, 255)


@cache
def photograph(name: str) -> Image:
    """A photograph of `assets/photos`, [H, W, 3] uint8 BGR."""
    return cv2.imread(str(ASSETS / "photos" / f"{name}.jpg"))


@cache
def cut_out(name: str) -> tuple[Image, Picture]:
    """A person's photograph, and how much of each pixel is the person: [H, W] float32, 0..1."""
    image = photograph(name)
    outline = json.loads((ASSETS / "people_outlines.json").read_text())[name]
    drawn = cv2.fillPoly(np.zeros(image.shape[:2], np.uint8), [np.array(outline, np.int32)], 1)
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    labels = np.where(drawn == 1, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[cv2.erode(drawn, near, borderValue=1) == 1] = cv2.GC_FGD
    labels[cv2.dilate(drawn, near) == 0] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    cv2.grabCut(image, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    # drawn in by a pixel, which sheds the old background's fringe
    shrunk = cv2.erode(inside, np.ones((3, 3), np.uint8), borderValue=1)
    return image, cv2.GaussianBlur(shrunk.astype(np.float32), (0, 0), 0.9)


def write_video(path: Path) -> None:
    """Encode every frame and the sound: H.264 and AAC in an mp4 that can be played while it loads."""
    # one thread, so that a second run writes the same bytes
    options = {"crf": "20", "preset": "slow", "threads": "1"}
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", FPS, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        header = video.codec_context
        header.colorspace = header.color_primaries = header.color_trc = Colorspace.ITU709
        header.color_range = ColorRange.MPEG
        sound = container.add_stream("aac", SAMPLE_RATE, layout="stereo")
        sound.bit_rate = 96_000
        for index in range(FRAMES):
            picture = av.VideoFrame.from_ndarray(scene(index)[0], format="bgr24")
            container.mux(video.encode(picture.reformat(format="yuv420p", **REC709)))
        container.mux(video.encode(None))
        container.mux(sound.encode(wind_and_chord()))
        container.mux(sound.encode(None))


def wind_and_chord() -> av.AudioFrame:
    """Soft wind that wanders from left to right over a quiet chord, as long as the video."""
    count = SAMPLE_RATE * FRAMES // FPS
    t = np.arange(count) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * f * t) / n for n, f in enumerate((110.0, 164.81, 220.0), 2))
    wind = np.convolve(np.random.default_rng(0).standard_normal(count), np.hanning(96), "same")
    wind *= 0.5 / np.abs(wind).max()
    fade = np.clip(np.minimum(t, t[-1] - t) / 0.4, 0, 1)
    pan = 0.5 + 0.4 * np.sin(2 * np.pi * t / 6)
    stereo = [0.08 * fade * (chord * 0.5 + wind * share * 2) for share in (1 - pan, pan)]
    frame = av.AudioFrame.from_ndarray(np.float32(stereo), format="fltp", layout="stereo")
    frame.sample_rate = SAMPLE_RATE
    return frame


if __name__ == "__main__":
    main()
