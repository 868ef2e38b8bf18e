"""`export`: the network as a file for other runtimes, compared with PyTorch before it gets its name."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.options import at_least_one, input_size
from model.config_limits import LARGEST_INPUT, SMALLEST_INPUT
from model.errors import ConfigError, SinkError
from model.exporting import EXPORTERS

if TYPE_CHECKING:
    from app.export.images import ProofSet
    from app.export.proof import Reference
    from model.exporting.comparison import Tolerance
    from model.exporting.exported import Facts
    from model.network.yolact import Yolact

CALIBRATION_IMAGES = 256

TOLERANCES_TOLD = """\
The file is compared with PyTorch in float32 on every image. Detections that score more than the weights'
threshold of their class are paired, also with ones under it; boxes are measured in pixels of the network's
input and as a share of the box's longer side, masks by their IoU; where there are labels, average precision
(AP, 0 to 1) is measured by COCO's rules. A file that is out of tolerance is not kept. Defaults:

                       float32  int8
  matched              0.99     0.9    share of detections that have a partner, at least
  shown                0.98     0.85   share of them whose partner is over the threshold too, at least
  relative-error-mean  0.0001   0.02   box error as a share of the box's longer side, at most
  mask-iou-mean        0.999    0.95   mean over images, at least
  mask-iou-worst       0.98     0.5    of the worst image, at least
  score-error-mean     0.0001   0.03   at most
  score-shift          0.0001   0.01   of all scores, up or down, at most
  ap-loss              0.001    0.01   of boxes and of masks, at most
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = TOLERANCES_TOLD
    parser.add_argument("--format", required=True, choices=EXPORTERS, help="kind of file")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="weights: a file, or a name that `models list` shows (default: the bundled ones)",
    )
    parser.add_argument(
        "--image-size",
        type=input_size,
        metavar="PX",
        help=f"side of the network's input, {SMALLEST_INPUT} to {LARGEST_INPUT} (default: the weights' own)",
    )
    parser.add_argument("--no-masks", action="store_true", help="boxes only: a smaller and faster network")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path(),
        metavar="OUT",
        help="folder, made when absent, or file (default: STEM.fp32.xml, STEM.int8.xml or STEM.onnx here)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    parser.add_argument("--json", action="store_true", help="print the figures as json")
    _add_int8_arguments(parser)
    _add_proof_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Export, prove, and tell the figures; raises SinkError when they are out of tolerance."""
    from app.cli import EXIT_OK

    _refuse_early(args)
    _export(args)
    return EXIT_OK


def limit(text: str) -> tuple[str, float]:
    """A tolerance and its value, such as `ap-loss=0.02`."""
    name, _, value = text.partition("=")
    try:
        return name.strip().replace("-", "_"), float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}") from None


def _add_int8_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("8-bit integers (openvino)")
    group.add_argument(
        "--int8", action="store_true", help="quantise; layers that cost accuracy are kept in float"
    )
    group.add_argument(
        "--calibration",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="photographs of what the network will see; some are held out for the comparison",
    )
    group.add_argument(
        "--calibration-images",
        type=at_least_one,
        default=CALIBRATION_IMAGES,
        metavar="N",
        help="calibrate with at most N of them (default: %(default)s)",
    )


def _add_proof_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("comparison")
    group.add_argument(
        "--data",
        type=Path,
        metavar="PATH",
        help="COCO json, or a folder with one: compare on its images, and measure AP (default: the images "
        "held out of --calibration, or else the demo photographs)",
    )
    group.add_argument(
        "--images", type=Path, metavar="FOLDER", help="folder of the images of --data (default: looked for)"
    )
    group.add_argument(
        "--coverage",
        action="append",
        default=[],
        metavar="VALUE",
        help="take only images of --data whose key 'coverage' has this value; may be given several times",
    )
    group.add_argument(
        "--tolerance",
        type=limit,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another limit than the default, see below; may be given several times",
    )


def _refuse_early(args: argparse.Namespace) -> None:
    """Refuse what can be told to be wrong before PyTorch is loaded, which takes seconds."""
    from model.checkpoints.catalog import resolve_weights

    if args.int8 and args.format != "openvino":
        raise ConfigError("int8 is made for OpenVINO only; choose `--format openvino`")
    if args.int8 and args.calibration is None:
        raise ConfigError("--int8 needs --calibration FOLDER, photographs like those the network will see")
    if args.calibration is not None and not args.int8:
        raise ConfigError("--calibration is for --int8; name images to compare on with --data")
    if args.coverage and args.data is None:
        raise ConfigError("--coverage chooses images of --data; name a COCO json there")
    weights, path = resolve_weights(args.weights), output_path(args)
    for file in _files(path):
        if file.exists() and file.samefile(weights):
            raise ConfigError(f"{file} is the weights file and would be written over; choose another OUT")
        if file.exists() and not args.overwrite:
            raise SinkError(f"{file} exists; use --overwrite, or choose another OUT")


def output_path(args: argparse.Namespace) -> Path:
    """The file to write, an `.xml` or `.onnx`."""
    from model.checkpoints.catalog import resolve_weights

    suffix, out = EXPORTERS[args.format].suffix, args.output
    if out.suffix.lower() in {exporter.suffix for exporter in EXPORTERS.values()} and not out.is_dir():
        if out.suffix.lower() != suffix:
            raise ConfigError(f"{out}: a file of --format {args.format} is named *{suffix}")
        return Path(out)
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file, expected a folder (or a name ending in {suffix})")
    stem = resolve_weights(args.weights).stem
    precision = "" if args.format == "onnx" else ".int8" if args.int8 else ".fp32"
    return Path(out / f"{stem}{precision}{suffix}")


def _export(args: argparse.Namespace) -> None:
    from app.export.proof import Reference
    from app.export.report import Outcome, show
    from model.atomic import draft_folder
    from model.exporting.comparison import TOLERANCES
    from model.exporting.exported import read_exported

    network, facts = _opened(args)
    tolerance = TOLERANCES[facts.precision].changed(dict(args.tolerance))
    reference = Reference(network, with_masks=not args.no_masks)
    path, images = output_path(args), _proof_images(args, network)
    with draft_folder(path) as draft:
        kept = _write(args, network, facts, draft, reference, tolerance, images)
        proof = reference.prove(read_exported(draft).model, images, _float_precision(args))
        faults = tuple(tolerance.faults(proof.agreement))
        show(Outcome(path, facts.precision, images.name, proof, tolerance, kept, faults), as_json=args.json)
        if faults:  # and the draft goes
            raise SinkError(
                f"{path}: not kept, for it is out of tolerance: {'; '.join(faults)} "
                "(--tolerance NAME=VALUE allows more)"
            )
    size = sum(file.stat().st_size for file in _files(path))
    _note(f"written: {path}, {size / 1e6:.1f} MB")


def _opened(args: argparse.Namespace) -> tuple[Yolact, Facts]:
    from model.checkpoints.catalog import resolve_weights
    from model.checkpoints.pins import sha256_of
    from model.checkpoints.yolact import build_from, read_checkpoint
    from model.config_limits import check_input_size
    from model.exporting.exported import Facts
    from model.exporting.onnx_model import require_onnx

    weights = resolve_weights(args.weights)
    checkpoint = read_checkpoint(weights)
    network = build_from(checkpoint)
    if args.image_size is not None:
        check_input_size(network.config, args.image_size)
        network.set_image_size(args.image_size)
    if args.format == "onnx":
        require_onnx(network.config)
    precision = "int8" if args.int8 else "fp32"
    return network, Facts(network.config, sha256_of(weights), precision, checkpoint.licence)


def _proof_images(args: argparse.Namespace, network: Yolact) -> ProofSet:
    from app.export.images import demo_photographs, labelled_images, split

    if args.data is not None:
        return labelled_images(args.data, args.images, network.config, args.coverage)
    if args.calibration is not None:
        return split(args.calibration, args.calibration_images)[1]
    return demo_photographs()


def _write(
    args: argparse.Namespace,
    network: Yolact,
    facts: Facts,
    path: Path,
    reference: Reference,
    tolerance: Tolerance,
    images: ProofSet,
) -> tuple[str, ...]:
    """Write the file; returns what int8 left in float. images: what it is going to be proven on."""
    from model.exporting.exported import write_openvino
    from model.exporting.openvino_model import to_openvino

    if not args.int8:
        EXPORTERS[args.format].load()(network, path, facts, not args.no_masks)
        return ()
    model = to_openvino(network, with_masks=not args.no_masks)
    model, kept = _quantised(args, model, network, reference, tolerance, images)
    write_openvino(model, path, facts)
    return kept


def _quantised(
    args: argparse.Namespace,
    model: Any,
    network: Yolact,
    reference: Reference,
    tolerance: Tolerance,
    images: ProofSet,
) -> tuple[Any, tuple[str, ...]]:
    """The model in int8 that is within tolerance on the images that were held out, and on those that it is
    going to be proven on, which may be harder; or else the last tried."""
    from app.export.images import Prepared, split
    from model.exporting.int8 import quantise

    calibration, held_out = split(args.calibration, args.calibration_images)
    choosing = (held_out,) if args.data is None else (held_out, images)

    def accept(quantised: Any) -> bool:
        proofs = (reference.prove(quantised, chosen, _float_precision(args)) for chosen in choosing)
        # where nothing is seen there is nothing to choose by; the proof will say so
        return all(not p.agreement.detections or not tolerance.faults(p.agreement) for p in proofs)

    made = quantise(model, Prepared(calibration, network.config), accept, _note)
    return made.model, made.kept


def _float_precision(args: argparse.Namespace) -> str:
    """What the engine computes in where it does not compute in integers."""
    from model.engines.choice import detect_machine

    return "bf16" if args.int8 and detect_machine().fast_bf16 else "fp32"


def _files(path: Path) -> list[Path]:
    """All files of an exported model."""
    return [path, path.with_suffix(".bin")] if path.suffix.lower() == EXPORTERS["openvino"].suffix else [path]


def _note(text: str) -> None:
    print(text, file=sys.stderr)
