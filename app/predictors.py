"""The networks that one run of `annotate` needs, each loaded once and told about."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from app.arguments import predictor_options
from app.threads import share_cores

if TYPE_CHECKING:
    from model.predictor import Predictor


class Predictors:
    """Loads when asked, and says once what runs the network and why."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._loaded: dict[tuple[int, int], Predictor] = {}

    def get(self, streams: int = 1, batch: int = 1) -> Predictor:
        """What the command line asks for, made for `streams` batches of `batch` frames side by side."""
        key = streams, batch
        if key not in self._loaded:
            self._loaded[key] = self._load(streams, batch)
        return self._loaded[key]

    def _load(self, streams: int, batch: int) -> Predictor:
        from model import load_predictor

        args = self._args
        predictor = load_predictor(
            **predictor_options(args),
            crop_masks=not args.no_crop,
            with_masks=not args.no_masks,
            streams=streams,
            batch=batch,
        )
        share_cores(predictor)
        if predictor.choice is not None and not args.quiet and not self._loaded:
            print(predictor.choice, file=sys.stderr)
        return predictor
