"""The networks that one run of `annotate` needs, each loaded once and told about."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from app.options import predictor_options
from app.threads import share_cores

if TYPE_CHECKING:
    from model.instance_predictor import LoadedPredictor


class Predictors:
    """Loads when asked, and says once what runs the network and why."""

    def __init__(self, args: argparse.Namespace, label: str = "") -> None:
        """label: what each line about a network begins with."""
        self._args = args
        self._label = label
        self._loaded: dict[tuple[int, int], LoadedPredictor] = {}

    def get(self, streams: int = 1, batch: int = 1) -> LoadedPredictor:
        """What the command line asks for, made for `streams` batches of `batch` frames side by side."""
        key = streams, batch
        if key not in self._loaded:
            self._loaded[key] = self._load(streams, batch)
        return self._loaded[key]

    def _load(self, streams: int, batch: int) -> LoadedPredictor:
        from model.instance_predictor import load_instance_predictor
        from model.predictor import Predictor

        args = self._args
        predictor = load_instance_predictor(
            **predictor_options(args),
            crop_masks=not args.no_crop,
            with_masks=not args.no_masks,
            streams=streams,
            batch=batch,
        )
        if isinstance(predictor, Predictor):
            share_cores(predictor)
        if predictor.choice is not None and not args.quiet and not self._loaded:
            print(f"{self._label}{predictor.choice}", file=sys.stderr)
        return predictor
