"""The work of `export`: write the file, compare it with PyTorch, and keep it only where the two agree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

from app.export.images import Prepared, ProofSet, demo_photographs, labelled_images, split
from app.export.options import ExportOptions
from app.export.proof import Reference
from app.export.proposals import export_proposals
from app.export.report import Outcome, show
from model.atomic import draft_folder
from model.checkpoints.catalog import resolve_weights
from model.checkpoints.kinds import is_sharpmask_file
from model.checkpoints.pins import sha256_of
from model.checkpoints.yolact import build_from, read_checkpoint
from model.config_limits import check_input_size
from model.engines.choice import detect_machine
from model.errors import SinkError
from model.exporting import EXPORTERS
from model.exporting.comparison import TOLERANCES, Tolerance
from model.exporting.exported import Facts, read_exported, write_openvino
from model.exporting.int8 import quantise
from model.exporting.onnx_model import require_onnx
from model.exporting.openvino_model import to_openvino
from model.network.yolact import Yolact


def export(options: ExportOptions) -> None:
    """Write the file, prove it, and tell the figures. Raises SinkError when they are out of tolerance."""
    if is_sharpmask_file(resolve_weights(options.weights)):
        export_proposals(options)
        return
    network, facts = _opened(options)
    tolerance = TOLERANCES[facts.precision].changed(dict(options.tolerance))
    reference = Reference(network, with_masks=options.masks)
    path, images = options.path, _proof_images(options, network)
    with draft_folder(path) as draft:
        kept = _write(options, network, facts, draft, reference, tolerance, images)
        proof = reference.prove(read_exported(draft).model, images, _float_precision(options))
        faults = tuple(tolerance.faults(proof.agreement))
        show(
            Outcome(path, facts.precision, images.name, proof, tolerance, kept, faults), as_json=options.json
        )
        if faults:  # and the draft goes
            raise SinkError(
                f"{path}: not kept, for it is out of tolerance: {'; '.join(faults)} "
                "(--tolerance NAME=VALUE allows more)"
            )
    size = sum(file.stat().st_size for file in options.files)
    _note(f"written: {path}, {size / 1e6:.1f} MB")


def _opened(options: ExportOptions) -> tuple[Yolact, Facts]:
    weights = resolve_weights(options.weights)
    checkpoint = read_checkpoint(weights)
    network = build_from(checkpoint)
    if options.image_size is not None:
        check_input_size(network.config, options.image_size)
        network.set_image_size(options.image_size)
    if options.format == "onnx":
        require_onnx(network.config)
    precision: Literal["fp32", "int8"] = "int8" if options.int8 else "fp32"
    return network, Facts(network.config, sha256_of(weights), precision, checkpoint.licence)


def _proof_images(options: ExportOptions, network: Yolact) -> ProofSet:
    if options.data is not None:
        return labelled_images(options.data, options.images, network.config, options.coverage)
    if options.calibration is not None:
        return split(options.calibration, options.calibration_images)[1]
    return demo_photographs()


def _write(
    options: ExportOptions,
    network: Yolact,
    facts: Facts,
    path: Path,
    reference: Reference,
    tolerance: Tolerance,
    images: ProofSet,
) -> tuple[str, ...]:
    """Write the file, to be proven on `images`, and return the layers that int8 left in float."""
    if not options.int8:
        EXPORTERS[options.format].load()(network, path, facts, options.masks)
        return ()
    model = to_openvino(network, with_masks=options.masks)
    model, kept = _quantised(options, model, network, reference, tolerance, images)
    write_openvino(model, path, facts)
    return kept


def _quantised(
    options: ExportOptions,
    model: Any,
    network: Yolact,
    reference: Reference,
    tolerance: Tolerance,
    images: ProofSet,
) -> tuple[Any, tuple[str, ...]]:
    """Return a model in int8 that is within tolerance, or else the last tried, and the layers left in float.

    It is chosen on images that were held out, and on those that it is going to be proven on, which may be
    harder.
    """
    assert options.calibration is not None
    calibration, held_out = split(options.calibration, options.calibration_images)
    choosing = (held_out,) if options.data is None else (held_out, images)

    def accept(quantised: Any) -> bool:
        proofs = (reference.prove(quantised, chosen, _float_precision(options)) for chosen in choosing)
        # where nothing is seen there is nothing to choose by; the proof will say so
        return all(not p.agreement.detections or not tolerance.faults(p.agreement) for p in proofs)

    made = quantise(model, Prepared(calibration, network.config), accept, _note)
    return made.model, made.kept


def _float_precision(options: ExportOptions) -> str:
    """Return what the engine computes in where it does not compute in integers."""
    return "bf16" if options.int8 and detect_machine().fast_bf16 else "fp32"


def _note(text: str) -> None:
    print(text, file=sys.stderr)
