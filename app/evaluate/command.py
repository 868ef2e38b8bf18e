"""`eval`: how accurate weights are on labelled images or on a video sequence, and how fast they are."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.cli import EXIT_OK
from app.options import DataOptions, add_data_arguments, add_detection_arguments, record
from app.values import COMPARABLE, PROPOSAL_COMPARABLE, at_least_one, fraction, sweep, zero_or_more
from pipeline.settings import DetectionSettings

# figures are comparable only when all are computed alike; others are measured when they are named
ENGINE = "torch"
PRECISION = "fp32"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add_data_arguments(
        parser,
        "COCO json, or a folder with one; a Pascal VOC or SBD folder, or a folder of images/ and masks/, as "
        "`train` takes them; or a video sequence as DAVIS has it: a folder with frames/ and masks/",
    )
    add_detection_arguments(parser)
    parser.set_defaults(engine=ENGINE, precision=PRECISION)
    _add_proposal_arguments(parser)
    report = parser.add_argument_group("report")
    report.add_argument(
        "--compare",
        type=sweep,
        nargs="+",
        default=(),
        metavar="KEY=A,B,…",
        help="measure several values of a setting side by side, or of several settings in all combinations: "
        f"{', '.join(COMPARABLE)}; of proposals {', '.join(PROPOSAL_COMPARABLE)}",
    )
    report.add_argument(
        "--at",
        type=fraction,
        metavar="S",
        help="count matches and phantoms among detections that score more than S (default: "
        "--score-threshold, and without it the weights' own threshold of each class); average precision "
        "takes all detections, unless --score-threshold is given",
    )
    report.add_argument(
        "--by-class",
        action="store_true",
        help="a row for every class (default: for 10 classes at most)",
    )
    report.add_argument(
        "--resamples",
        type=zero_or_more,
        default=1000,
        metavar="N",
        help="resamples for the 95 %% bootstrap intervals of AP50, 0 for none (default: %(default)s)",
    )
    report.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="folder for metrics.json and results for the COCO server",
    )


def _add_proposal_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("proposals (weights of DeepMask and SharpMask)")
    group.add_argument(
        "--proposals",
        action="store_true",
        help="measure average recall of class-agnostic proposals, as the papers do",
    )
    group.add_argument(
        "--zoom", type=int, choices=(0, 1, 2), default=0, help="finer scales beside the usual seven"
    )
    group.add_argument(
        "--topn",
        type=at_least_one,
        default=1000,
        metavar="N",
        help="windows of all scales together that become proposals (default: %(default)s)",
    )
    group.add_argument("--coarse", action="store_true", help="leave SharpMask's masks unrefined")


def run(args: argparse.Namespace) -> int:
    """Measure the weights on whatever the data are."""
    if args.proposals:
        from app.evaluate.proposals import ProposalMeasuring, measure_proposals

        proposals = record(ProposalMeasuring, args, data=record(DataOptions, args), refine=not args.coarse)
        measure_proposals(proposals)
        return EXIT_OK
    from app.evaluate.run import EvalOptions, evaluate

    data, detection = record(DataOptions, args), record(DetectionSettings, args)
    evaluate(record(EvalOptions, args, data=data, detection=detection))
    return EXIT_OK
