"""The report of `export`: a table, or json, of the differences between the file and PyTorch."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.export.proof import Proof
from app.terminal import Table
from app.terminal import show as show_table
from model.evaluation.coco_eval import Figures
from model.exporting.comparison import Tolerance


@dataclass(frozen=True)
class Outcome:
    """The outcome of an export.

    images: what the photographs are called
    kept:   what int8 left in float
    faults: what is out of tolerance; the file is kept when nothing is
    """

    path: Path
    precision: str
    images: str
    proof: Proof
    tolerance: Tolerance
    kept: tuple[str, ...]
    faults: tuple[str, ...]


def show(outcome: Outcome, as_json: bool) -> None:
    """Print the figures to the standard output."""
    if as_json:
        print(json.dumps(_record(outcome), indent=1, allow_nan=False))
        return
    show_table(table(outcome))
    if outcome.kept:
        print(f"kept in float: {', '.join(outcome.kept)}")


def table(outcome: Outcome) -> Table:
    """The figures, and what was expected of them."""
    a, limits = outcome.proof.agreement, outcome.tolerance
    rows = [
        ("detections", str(a.detections), "1 or more"),
        ("without a partner", str(a.lost), ""),
        ("found in addition", str(a.invented), ""),
        ("matched", _number(a.matched), f">= {limits.matched:g}"),
        ("shown by both", _number(a.shown), f">= {limits.shown:g}"),
        ("box error, mean, px", _number(a.box_error_mean), ""),
        ("box error, worst, px", _number(a.box_error_worst), ""),
        (
            "box error, mean, of its side",
            _number(a.relative_error_mean),
            f"<= {limits.relative_error_mean:g}",
        ),
        ("box error, worst, of its side", _number(a.relative_error_worst), ""),
        ("mask IoU, mean of images", _number(a.mask_iou_mean), f">= {limits.mask_iou_mean:g}"),
        ("mask IoU, worst image", _number(a.mask_iou_worst), f">= {limits.mask_iou_worst:g}"),
        ("score error, mean", _number(a.score_error_mean), f"<= {limits.score_error_mean:g}"),
        ("score shift, mean", _number(a.score_shift), f"-{limits.score_shift:g} to {limits.score_shift:g}"),
        *_average_precisions(outcome),
    ]
    title = f"{outcome.path.name} against PyTorch fp32 on {a.images} images, {outcome.images}"
    return Table(title, ("", "got", "expected"), tuple(rows))


def _average_precisions(outcome: Outcome) -> list[tuple[str, str, str]]:
    proof, limit = outcome.proof, f"<= {outcome.tolerance.ap_loss:g}"
    if proof.reference is None or proof.exported is None:
        return []
    rows = _rows("box", proof.reference.boxes, proof.exported.boxes, proof.agreement.box_ap_loss, limit)
    if proof.reference.masks is not None and proof.exported.masks is not None:
        masks = proof.reference.masks, proof.exported.masks
        rows += _rows("mask", *masks, proof.agreement.mask_ap_loss, limit)
    return rows


def _rows(
    kind: str, reference: Figures, exported: Figures, loss: float | None, limit: str
) -> list[tuple[str, str, str]]:
    return [
        (f"{kind} AP of PyTorch", _number(reference.ap), ""),
        (f"{kind} AP of the file", _number(exported.ap), ""),
        (f"loss of {kind} AP", _number(loss), limit),
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _record(outcome: Outcome) -> dict[str, Any]:
    proof = outcome.proof
    return {
        "file": str(outcome.path),
        "written": not outcome.faults,
        "precision": outcome.precision,
        "images": outcome.images,
        "kept_in_float": outcome.kept,
        "agreement": dataclasses.asdict(proof.agreement),
        "tolerance": dataclasses.asdict(outcome.tolerance),
        "faults": outcome.faults,
        "reference": proof.reference and dataclasses.asdict(proof.reference),
        "exported": proof.exported and dataclasses.asdict(proof.exported),
    }
