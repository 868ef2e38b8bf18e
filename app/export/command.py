"""`export`: the network as a file for other runtimes, compared with PyTorch before it gets its name."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.cli import EXIT_OK
from app.export.options import CALIBRATION_IMAGES, ExportOptions
from app.options import add_image_size_argument, add_weights_argument, record
from app.values import at_least_one, tolerance
from model.exporting import EXPORTERS

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
    add_weights_argument(parser)
    add_image_size_argument(parser)
    parser.add_argument(
        "--no-masks", dest="masks", action="store_false", help="boxes only: a smaller and faster network"
    )
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
    options = record(ExportOptions, args)
    options.check()
    from app.export.run import export

    export(options)
    return EXIT_OK


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
        type=tolerance,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another limit than the default, see below; may be given several times",
    )
