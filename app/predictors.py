"""Networks for commands: loaded once, given the cores, and told about."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import cv2
from threadpoolctl import threadpool_limits

from model.instance_predictor import load_instance_predictor
from model.options import LoadOptions
from pipeline.settings import DetectionSettings

if TYPE_CHECKING:
    from model.instance_predictor import LoadedPredictor


class Predictors:
    """The predictors of one setting, each loaded when it is asked for; the first says what runs it and why.

    quiet: say nothing; label: what the line about the network begins with
    more:  keywords of `load_predictor` that no `DetectionSettings` has
    """

    def __init__(
        self,
        settings: DetectionSettings,
        quiet: bool = False,
        label: str = "",
        more: LoadOptions | None = None,
    ) -> None:
        self._settings = settings
        self._quiet = quiet
        self._label = label
        self._more: LoadOptions = more or {}
        self._loaded: dict[tuple[int, int], LoadedPredictor] = {}

    def get(self, streams: int = 1, batch: int = 1) -> LoadedPredictor:
        """Return the predictor for `streams` batches of `batch` frames side by side."""
        key = streams, batch
        if key not in self._loaded:
            self._loaded[key] = self._load(streams, batch)
        return self._loaded[key]

    def _load(self, streams: int, batch: int) -> LoadedPredictor:
        more: LoadOptions = {**self._more, "streams": streams, "batch": batch}
        options: LoadOptions = {**self._settings.load_options(), **more}
        predictor = load_instance_predictor(self._settings.weights, **options)
        share_cores(predictor)
        if predictor.choice is not None and not self._quiet and not self._loaded:
            print(f"{self._label}{predictor.choice}", file=sys.stderr)
        return predictor


def runs_in_openvino(predictor: LoadedPredictor) -> bool:
    """Return whether OpenVINO runs the predictor's network."""
    return predictor.choice is not None and predictor.choice.engine == "openvino"


def share_cores(predictor: LoadedPredictor) -> None:
    """Give the cores to the network's threads; call it before any frame comes.

    NumPy then only reads outputs, in steps so short that threads of its own would cost more time in waiting
    for each other than they save; where OpenVINO runs the network, the same holds of PyTorch, if it is loaded
    at all. The settings are the whole process's, which is why a command makes them and not the model.
    """
    threadpool_limits(1, user_api="blas")
    if runs_in_openvino(predictor):
        cv2.setNumThreads(1)
        set_torch_threads(1)


def torch_threads() -> int | None:
    """Return the number of PyTorch's threads; None while it is not loaded."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())


def set_torch_threads(count: int | None) -> None:
    """Set the number of PyTorch's threads, if it is loaded and there is a number to set."""
    torch = sys.modules.get("torch")
    if torch is not None and count is not None:
        torch.set_num_threads(count)
