"""Sessions to test with: a small network, and a listener that waits for events instead of for time."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TypeVar

import numpy as np
import torch

from model.detection.decoding import Decoding
from model.options import DetectOptions
from model.sharpmask.predictor import ProposalOptions, ProposalPredictor
from model.torch_predictor import TorchPredictor
from pipeline.frame import Result
from pipeline.live.events import Event
from pipeline.live.playing.playback import Playback
from pipeline.live.session import LiveSession
from pipeline.settings import DetectionSettings, DisplaySettings
from pipeline.sources import SourceOptions
from pipeline.sources.base import Source
from tests.model.sharpmask.networks import tiny
from tests.pipeline.small_engines import LinearEngine, anchors
from tests.small_networks import SPARSE

PATIENCE = 20.0  # seconds; a busy machine is slow, a deadlock takes for ever
SETTINGS = DetectionSettings(score_threshold=0.2)
PRIVATE = DisplaySettings(privacy=True)

E = TypeVar("E")
Start = Callable[..., LiveSession]
"""Makes a session: display settings and `open_source` are optional."""


class Listener:
    """Keeps the events in their order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_for(self, kind: type[E], count: int = 1) -> E:
        """The event of that kind with that number, counted from 1."""
        with self._changed:
            found = self._changed.wait_for(lambda: len(self.all(kind)) >= count, PATIENCE)
            assert found, f"{count} × {kind.__name__} never come; there are {self.events}"
            return self.all(kind)[count - 1]

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


class NeverRuns(LinearEngine):
    """Loads, and fails with its first frame."""

    def start(self, images):
        raise RuntimeError("no such instruction")


class Loads:
    """Gives a small network for any settings but those that name `missing` weights; remembers them.

    Weights that are named `objects` are of a network that proposes objects.
    """

    def __init__(self, class_names: tuple[str, ...] = ("person", "dog", "bird")) -> None:
        self.asked: list[DetectionSettings] = []
        self.class_names = class_names
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()
        self.engine: type[LinearEngine] = LinearEngine

    def __call__(self, settings: DetectionSettings) -> TorchPredictor | ProposalPredictor:
        self.asked.append(settings)
        self.begun.release()
        assert self.go_on.wait(PATIENCE)
        if settings.weights == "missing":
            raise FileNotFoundError("no such weights")
        if settings.weights == "objects":
            return ProposalPredictor(tiny(), ProposalOptions(scales=(0.5, 1.0)))
        return small_network(self.class_names, self.engine)


def small_network(
    class_names: tuple[str, ...] = ("person", "dog", "bird"),
    engine: type[LinearEngine] = LinearEngine,
    thresholds: tuple[float, ...] = (),
) -> TorchPredictor:
    """Finds something in every picture that is not all of one colour. thresholds: its own, one a class."""
    detection = dataclasses.replace(SPARSE.detection, class_thresholds=thresholds)
    config = dataclasses.replace(SPARSE, class_names=class_names, detection=detection)
    cpu = torch.device("cpu")
    return TorchPredictor(engine(cpu, lambda t: t), Decoding(config, anchors()), DetectOptions())


class OpensWhatItIsTold:
    """Stands for `open_source`: gives sources by the text that names them."""

    def __init__(self, **sources: Callable[[threading.Event], Source]) -> None:
        self._sources = sources

    def __call__(
        self, text: str, *, options: SourceOptions | None, interrupted: threading.Event | None
    ) -> Source:
        assert interrupted is not None
        return self._sources[text](interrupted)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline, "it never happens"
        threading.Event().wait(0.002)


def newest(session: LiveSession, fits: Callable[[Result], object] = lambda result: True) -> Result:
    """The newest result, once one fits."""
    fitting: list[Result] = []

    def look() -> bool:
        result = session.latest.peek()
        if result is not None and fits(result):
            fitting.append(result)
        return bool(fitting)

    wait_until(look)
    return fitting[0]


def some_more(session: LiveSession, count: int) -> None:
    """Wait until so many more results are there; on a busy machine frames between them are dropped."""
    for _ in range(count):
        at = newest(session).frame.index
        newest(session, lambda result, at=at: result.frame.index > at)


def playing(session: LiveSession) -> Playback:
    """What controls the session's source, once it is open; it is played over and over."""
    newest(session)
    playback = session.playback
    assert playback is not None
    playback.loop = True
    return playback


def detail(image: np.ndarray) -> float:
    """How much neighbouring pixels differ on average: much in noise, nearly nothing in large blocks."""
    return float(np.abs(np.diff(image.astype(int), axis=1)).mean())


def blotches(number: int, width: int, height: int) -> np.ndarray:
    """A picture with fine detail, of which no two neighbouring pixels are alike."""
    rng = np.random.default_rng(number)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def only_file(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(pattern)
    return path
