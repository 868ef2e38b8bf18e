"""The shots of the demo video: backgrounds, the camera's way over them, and the people before them."""

from __future__ import annotations

from dataclasses import dataclass

GRAIN = 2.2  # standard deviation of the film grain, in grey levels


@dataclass(frozen=True)
class Window:
    """The part of a background that fills the frame: its centre and its width, in the photograph's pixels."""

    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Pose:
    """Placement of a cut-out: the foot of its photograph (middle of the lower edge) in frame pixels, frame
    pixels for each of the photograph's, and its tilt in degrees, clockwise."""

    x: float
    y: float
    scale: float
    tilt: float = 0.0


@dataclass(frozen=True)
class Person:
    """Someone who moves from one pose to another, evenly, with `steps` steps a second."""

    name: str
    start: Pose
    end: Pose
    steps: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True)
class Shot:
    """A background, the camera's way over it, and people before it, the farthest first.

    blur:     how far the background is out of focus: standard deviation in frame pixels
    light:    what the people's blue, green and red are multiplied by, to match the background's light
    resident: the person who is in the background's photograph already, if any; nobody else there has a mask
    shade:    how dark a shadow the people throw on the background, 0 (none) .. 1 (black)
    grain:    of the film, standard deviation in grey levels
    """

    background: str
    frames: int
    start: Window
    end: Window
    people: tuple[Person, ...]
    blur: float = 0.0
    light: tuple[float, float, float] = (1.0, 1.0, 1.0)
    resident: str | None = None
    shade: float = 0.0
    monochrome: bool = False
    grain: float = GRAIN


SHOTS = (
    Shot(
        "launch_pad", 50, Window(572, 286, 476), Window(580, 284, 456),
        (
            Person("hopper", Pose(165, 515, 0.72, 1.0), Pose(240, 515, 0.72, -1.0), steps=1.5),
            Person("collins", Pose(610, 594, 1.0, 1.5), Pose(452, 594, 1.02, -1.5), steps=1.7, mirrored=True),
        ),
        blur=1.2, light=(0.98, 0.90, 0.86),
    ),
    Shot(
        "wall", 50, Window(420, 134, 470), Window(560, 136, 450),
        (
            Person("collins", Pose(595, 594, 1.0, 1.0), Pose(480, 594, 1.0, -1.0), steps=1.8, mirrored=True),
            Person("hopper", Pose(215, 612, 0.92, -0.5), Pose(25, 618, 0.94, 1.0), steps=1.6, mirrored=True),
        ),
        blur=1.2, light=(0.97, 0.96, 0.94), shade=0.3,
    ),
    Shot(
        "photographer", 50, Window(252, 178, 448), Window(262, 174, 430),
        (Person("hopper", Pose(960, 778, 1.10, 1.0), Pose(638, 784, 1.10, -0.5), steps=1.8),),
        light=(0.92, 0.92, 0.92), resident="photographer", monochrome=True,
    ),
    Shot(
        "dog", 40, Window(400, 238, 780), Window(404, 226, 744),
        (Person("collins", Pose(-50, 610, 0.98, 1.0), Pose(140, 604, 0.98, -1.0), steps=1.8, mirrored=True),),
        light=(0.90, 0.96, 0.98), grain=1.0,
    ),
    Shot("palace_square", 40, Window(205, 246, 390), Window(300, 248, 380), (), grain=1.0),
    Shot("lawn", 40, Window(200, 248, 384), Window(420, 248, 384), (), grain=1.0),
    Shot("orchestra", 40, Window(300, 200, 560), Window(480, 230, 520), (), grain=1.0),
    Shot("coffee", 40, Window(280, 200, 520), Window(320, 196, 460), (), grain=1.0),
)  # fmt: skip
FRAMES = sum(shot.frames for shot in SHOTS)
