"""`export` of a proposal network: its dense pass, which takes most of the time, as an OpenVINO file.

The masks of windows are made by the weights that it lies beside.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from app.export.images import demo_photographs, split
from app.export.options import ExportOptions
from app.terminal import Table, progress_bar
from app.terminal import show as show_table
from model.atomic import draft_folder
from model.checkpoints.catalog import resolve_weights
from model.checkpoints.pins import sha256_of
from model.checkpoints.sharpmask import load_sharpmask
from model.detections import mask_iou
from model.engines.choice import detect_machine
from model.engines.compiled_cache import compile_options
from model.engines.openvino_core import openvino_core
from model.engines.openvino_engine import OpenVinoEngine
from model.errors import ConfigError, SinkError
from model.exporting.comparison import TOLERANCES, Tolerance
from model.exporting.exported import write_openvino
from model.exporting.int8 import quantise
from model.exporting.proposal_models import DensePassFacts, dense_model, read_dense
from model.sharpmask.engines import ProposalEngines, dense_outputs, torch_engines
from model.sharpmask.network import DenseOutputs, SharpMask
from model.sharpmask.predictor import DISPLAY_SCALES, DISPLAY_WINDOWS
from model.sharpmask.proposals import best_windows, dense_levels, window_crops
from model.sharpmask.pyramid import normalised, pyramid
from pipeline.sources.images import read_image

if TYPE_CHECKING:
    import openvino

_SIDE = 480  # of the photographs that it is calibrated and proven on, the longer one at most, in pixels


@dataclass(frozen=True)
class DenseAgreement:
    """Agreement of an exported dense pass with PyTorch in float32.

    score_error_mean: mean distance of the objectness of all windows, 0..1
    mask_iou_mean:    mean IoU of the refined masks of the best windows
    shared:           share of the best windows that are among the exported model's best, too
    """

    images: int
    score_error_mean: float
    mask_iou_mean: float
    shared: float

    def faults(self, limits: Tolerance) -> tuple[str, ...]:
        """Return what is out of tolerance, as text."""
        found = []
        if not self.score_error_mean <= limits.score_error_mean:
            found.append(
                f"score_error_mean is {self.score_error_mean:.4g}, at most {limits.score_error_mean:g}"
            )
        if not self.mask_iou_mean >= limits.mask_iou_mean:
            found.append(f"mask_iou_mean is {self.mask_iou_mean:.4g}, expected >= {limits.mask_iou_mean:g}")
        return tuple(found)


def export_proposals(options: ExportOptions) -> None:
    """Write the dense pass, prove it, and print the figures. Raises SinkError out of tolerance."""
    _check(options)
    weights = resolve_weights(options.weights)
    network = load_sharpmask(weights).requires_grad_(False)
    precision: Literal["fp32", "int8"] = "int8" if options.int8 else "fp32"
    limits = TOLERANCES[precision].changed(dict(options.tolerance))
    calibration: tuple[Path, ...] = ()
    proof = demo_photographs()
    if options.calibration is not None:
        calibration, proof = split(options.calibration, options.calibration_images)
    model = dense_model(network)
    kept: tuple[str, ...] = ()
    if options.int8:
        made = quantise(
            model,
            _Framed(calibration, network),
            accept=lambda one: not compare_dense(network, one, proof.paths, _floats(options)).faults(limits),
            tell=lambda text: print(text, file=sys.stderr),
        )
        model, kept = made.model, made.kept
    with draft_folder(options.path) as draft:
        write_openvino(model, draft, DensePassFacts(network.config, sha256_of(weights), precision))
        agreement = compare_dense(network, read_dense(draft), proof.paths, _floats(options))
        _show(options.path, proof.name, agreement, limits, kept)
        faults = agreement.faults(limits)
        if faults:  # and the draft goes
            raise SinkError(f"{options.path}: not kept, for it is out of tolerance: {'; '.join(faults)}")
    size = sum(file.stat().st_size for file in options.files)
    print(f"written: {options.path}, {size / 1e6:.1f} MB", file=sys.stderr)


def compare_dense(
    network: SharpMask, model: openvino.Model, paths: Sequence[Path], float_precision: str
) -> DenseAgreement:
    """Compare an exported dense pass with PyTorch on photographs. Raises SourceError on a broken one."""
    reference = torch_engines(network)
    compiled = openvino_core().compile_model(model, "CPU", compile_options(float_precision, streams=1))
    dense: OpenVinoEngine[torch.Tensor, DenseOutputs] = OpenVinoEngine(
        lambda shape: compiled, float_precision, dense_outputs, any_shape=True
    )
    exported = dataclasses.replace(reference, dense=dense)
    with torch.inference_mode(), progress_bar() as progress:
        found = [
            _compared(reference, exported, _picture(path))
            for path in progress.track(paths, description="comparing")
        ]
    errors, ious, shares = zip(*found, strict=True)
    return DenseAgreement(len(found), float(np.mean(errors)), float(np.mean(ious)), float(np.mean(shares)))


def _compared(
    reference: ProposalEngines, exported: ProposalEngines, frame: np.ndarray
) -> tuple[float, float, float]:
    """Return the errors of scores, the IoU of masks and the share of windows in common, of one picture."""
    shape = (frame.shape[0], frame.shape[1])
    outputs = [dense_levels(engines, frame, DISPLAY_SCALES) for engines in (reference, exported)]
    scores = [[level.score_logits for level in levels] for levels in outputs]
    error = np.mean(np.abs(np.subtract(*(_probabilities(some) for some in scores))))
    ours, theirs = (best_windows(some, DISPLAY_WINDOWS) for some in scores)
    masks = [
        window_crops(engines, levels, ours, DISPLAY_SCALES, shape)
        for engines, levels in zip((reference, exported), outputs, strict=True)
    ]
    ious = [mask_iou(a, b) if a.area else 1.0 for a, b in zip(*masks, strict=True)]
    common = {*map(tuple, ours.windows.tolist())} & {*map(tuple, theirs.windows.tolist())}
    return float(error), float(np.mean(ious)), len(common) / len(ours.scores)


def _probabilities(logits: Sequence[np.ndarray]) -> np.ndarray:
    values: np.ndarray = torch.from_numpy(np.concatenate([one.ravel() for one in logits])).sigmoid().numpy()
    return values


@dataclass(frozen=True)
class _Framed:
    """Photographs at the scales of display as the dense pass takes them, read anew each time."""

    paths: tuple[Path, ...]
    network: SharpMask

    def __len__(self) -> int:
        return len(self.paths) * len(DISPLAY_SCALES)

    def __contains__(self, image: object) -> bool:
        return any(image is framed for framed in self)

    def __iter__(self) -> Iterator[torch.Tensor]:
        for path in self.paths:
            image = normalised(torch.from_numpy(_picture(path)))
            for picture in pyramid(image, self.network.config, DISPLAY_SCALES):
                yield picture.whole()


def _picture(path: Path) -> np.ndarray:
    """Return a photograph [H, W, 3] uint8, every n-th pixel of a large one."""
    frame = read_image(path)
    step = max(1, round(max(frame.shape[:2]) / _SIDE))
    return np.ascontiguousarray(frame[::step, ::step])


def _floats(options: ExportOptions) -> str:
    return "bf16" if options.int8 and detect_machine().fast_bf16 else "fp32"


def _check(options: ExportOptions) -> None:
    if options.format != "openvino":
        raise ConfigError("the dense pass of a proposal network is exported with --format openvino alone")
    foreign = {"--image-size": options.image_size is not None, "--data": options.data is not None}
    named = [name for name, given in foreign.items() if given]
    if named or not options.masks:
        raise ConfigError(f"export of a proposal network knows no {', '.join(named) or '--no-masks'}")


def _show(path: Path, images: str, agreement: DenseAgreement, limits: Tolerance, kept: Sequence[str]) -> None:
    rows = (
        ("score error, mean", f"{agreement.score_error_mean:.4f}", f"<= {limits.score_error_mean:g}"),
        ("mask IoU, mean", f"{agreement.mask_iou_mean:.4f}", f">= {limits.mask_iou_mean:g}"),
        ("best windows in common", f"{agreement.shared:.4f}", ""),
    )
    title = f"{path.name} against PyTorch fp32 on {agreement.images} images, {images}"
    show_table(Table(title, ("", "got", "expected"), rows))
    if kept:
        print(f"kept in float: {', '.join(kept)}")
