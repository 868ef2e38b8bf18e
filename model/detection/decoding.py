"""Decoders of raw outputs: the anchors or cells of boxes, and the removal of a letterbox's padding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from model.config import YolactConfig
from model.detection.raw_outputs import RawOutputs
from model.input_shape import CONTENT_STEP, InputShape, input_shape
from model.network.anchors import make_cells
from model.network.heads import MaskIoUNet


class Decoder(Protocol):
    """Data needed to decode raw outputs; a `Yolact` is one."""

    @property
    def anchors(self) -> Tensor:
        """[A, 4] float32, cx cy w h relative to the image; without anchors the grid's cells."""

    @property
    def config(self) -> YolactConfig:
        """The configuration that the raw outputs were made with."""

    @property
    def mask_iou_net(self) -> MaskIoUNet | None:
        """The re-scoring network of YOLACT++, or None."""


@dataclass(frozen=True, eq=False)
class Decoding:
    """A decoder without a network behind it; the parts are those of `Decoder`."""

    config: YolactConfig
    anchors: Tensor
    mask_iou_net: MaskIoUNet | None = None


def for_frames(raw: RawOutputs, decoder: Decoder, frame_size: tuple[int, int]) -> tuple[RawOutputs, Decoder]:
    """Return the outputs of letterboxed frames without the padding, and the decoder for them.

    raw:        of frames of one size, (height, width) in pixels
    decoder:    of the network

    Where frames are stretched to a square, both are returned as they are.
    """
    if not decoder.config.keeps_aspect_ratio:
        return raw, decoder
    shape = input_shape(decoder.config, frame_size)
    cells = _cells(shape, raw.box_deltas.device)
    if raw.prototypes is not None:
        rows, columns = (side // CONTENT_STEP for side in shape.content)
        raw = raw._replace(prototypes=raw.prototypes[:, :rows, :columns])
    return raw, Decoding(decoder.config, cells, decoder.mask_iou_net)


@lru_cache(maxsize=16)
def _cells(shape: InputShape, device: torch.device) -> Tensor:
    """Return the cells; cached, because each upload would wait for the device."""
    with torch.inference_mode(False):
        return make_cells(shape).to(device)
