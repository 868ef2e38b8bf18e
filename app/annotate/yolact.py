"""`yolact`: the evaluation command line of the YOLACT reference, answered with `annotate`.

For those who come from `python eval.py --trained_model=… --score_threshold=… --video=in.mp4:out.mp4`: the
same flags, with `=` or a space, are translated, and the new command is shown. The tables below say of every
flag of the reference (github.com/dbolya/yolact, README and `eval.py --help`) what becomes of it.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.annotate.pairs import is_there, split_pair
from app.options import record
from app.values import at_least_one, fraction
from model.errors import ConfigError
from pipeline.sources.addresses import redacted

MOST_DETECTIONS = 100  # of an image; the reference, too, keeps no more, whatever --top_k says


@dataclass(frozen=True)
class Flag:
    """A flag of the reference: what becomes of it, and how argparse is to read it."""

    what: str
    reading: dict[str, Any] = field(default_factory=lambda: {"metavar": "TEXT"})


def yes_or_no(text: str) -> bool:
    """A truth value in any of the words that the reference takes."""
    for value, words in ((True, ("yes", "true", "t", "y", "1")), (False, ("no", "false", "f", "n", "0"))):
        if text.lower() in words:
            return value
    raise argparse.ArgumentTypeError(f"expected True or False, got {text!r}")


def _switch(what: str) -> Flag:
    return Flag(what, {"action": "store_true", "default": None})


def _yes_no(what: str) -> Flag:
    return Flag(what, {"type": yes_or_no, "metavar": "BOOL"})


def _number(what: str) -> Flag:
    return Flag(what, {"type": int, "metavar": "N"})


# exactly one of them must be there
MEDIA: dict[str, Flag] = {
    "image": Flag("a photograph and its output", {"metavar": "IN[:OUT]"}),
    "images": Flag("a folder of photographs and the folder for their outputs", {"metavar": "IN:OUT"}),
    "video": Flag("a video, a stream or a camera (0, 1, …), and the output", {"metavar": "IN:OUT"}),
}

# where an output has to be named: an example, and why
NO_OUTPUT: dict[str, tuple[str, str]] = {
    "images": ("out", "there must be a folder for the results"),
    "video": ("out.mp4", "this command shows no window (`run_app.py gui` does)"),
}

TRANSLATED: dict[str, Flag] = {
    "trained_model": Flag("weights: a file, or a name that `models list` shows", {"metavar": "FILE"}),
    "score_threshold": Flag(
        "draw what scores at least S (default: %(default)s)",
        {"type": fraction, "default": 0.0, "metavar": "S"},
    ),
    "top_k": Flag(
        "draw the N best (default: %(default)s)", {"type": at_least_one, "default": 5, "metavar": "N"}
    ),
    "cuda": _yes_no("True insists on a GPU, False on the CPU (default: whatever is there)"),
    "fast_nms": _yes_no("False takes exact NMS"),
    "cross_class_nms": _yes_no("True takes Fast NMS across classes"),
    "display_masks": _yes_no("False draws no masks"),
    "display_bboxes": _yes_no("False draws no boxes"),
    "display_text": _yes_no("False draws no labels"),
    "detect": _switch("find boxes only"),
    "no_crop": _switch("do not crop masks to their boxes"),
    "video_multiframe": Flag(
        "frames of a video that go through the network together", {"type": at_least_one, "metavar": "N"}
    ),
    "display_fps": _switch("draw the frame rate on videos"),
    "no_bar": _switch("show no progress"),
}

# accepted, and told about in one line: the result is what it would be without them
NEEDLESS: dict[str, Flag] = {
    "config": Flag("the weights, or their file's name, say which configuration they are"),
    "dataset": Flag("the weights say which classes they know"),
    "display_scores": _yes_no("a label holds the class and its score; --display_text=False draws no labels"),
    "emulate_playback": _switch("every frame keeps its own time stamp"),
    "display": _switch("results are written, not shown"),
    "benchmark": _switch("`run_app.py bench` measures speed"),
    "shuffle": _switch("inputs are taken in their order"),
    "no_sort": _switch("inputs are taken in their order"),
    "seed": _number("nothing here is left to chance"),
    "max_images": _number("every input is annotated"),
    "ap_data_file": Flag("`run_app.py eval` measures accuracy, and needs no such file"),
    "bbox_det_file": Flag("`run_app.py annotate --json` writes detections beside each output"),
    "mask_det_file": Flag("`run_app.py annotate --json` writes detections beside each output"),
    "web_det_path": Flag("`run_app.py annotate --json` writes detections beside each output"),
}

# refused: they ask for an output that would not come
REFUSED: dict[str, Flag] = {
    "resume": _switch("use `run_app.py eval --data FILE`, which keeps no intermediate results"),
    "output_coco_json": _switch("use `run_app.py annotate --json`: detections with COCO's masks"),
    "output_web_json": _switch("use `run_app.py annotate --json`: detections with COCO's masks"),
    "mask_proto_debug": _switch("prototypes are not written to files; `annotate --no-crop` shows their sum"),
    "display_lincomb": _yes_no("prototypes are not shown one by one; `annotate --no-crop` shows their sum"),
}


@dataclass(frozen=True)
class ReferenceFlags:
    """The values of `MEDIA` and `TRANSLATED`; None stands for a flag that was not given."""

    image: str | None
    images: str | None
    video: str | None
    trained_model: str | None
    score_threshold: float
    top_k: int
    cuda: bool | None
    fast_nms: bool | None
    cross_class_nms: bool | None
    display_masks: bool | None
    display_bboxes: bool | None
    display_text: bool | None
    detect: bool | None
    no_crop: bool | None
    video_multiframe: int | None
    display_fps: bool | None
    no_bar: bool | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The reference's flags, all of them."""
    _add(parser.add_mutually_exclusive_group(), MEDIA)
    _add(parser.add_argument_group("translated"), TRANSLATED)
    _add(parser.add_argument_group("accepted without effect"), NEEDLESS)
    _add(parser.add_argument_group("refused"), REFUSED)


def run(args: argparse.Namespace) -> int:
    """Annotate as the reference's flags say; the exit code is that of `annotate`."""
    from app.annotate import command as annotate

    argv = to_annotate(args)
    for remark in remarks(args):
        print(f"note: {remark}", file=sys.stderr)
    print(f"the same command, the new way: {shown(argv)}", file=sys.stderr)
    parser = argparse.ArgumentParser(prog="run_app.py annotate")
    annotate.add_arguments(parser)
    return annotate.run(parser.parse_args(argv))


def to_annotate(args: argparse.Namespace) -> list[str]:
    """The arguments of `annotate` that do the same. Looks at which files are there, and at nothing else.

    Raises ConfigError on a flag of `REFUSED`, without anything to annotate, and without an output where the
    reference would open a window.
    """
    for name, flag in REFUSED.items():
        if getattr(args, name):
            raise ConfigError(f"--{name} is not there: {flag.what}")
    flags = record(ReferenceFlags, args)
    return [*_media(flags), "--overwrite", *_detection(flags), *_drawing(flags)]


def remarks(args: argparse.Namespace) -> list[str]:
    """A line for each flag that was given and has no effect."""
    found = [
        f"--{name} has no effect: {flag.what}"
        for name, flag in NEEDLESS.items()
        if getattr(args, name) is not None
    ]
    if args.fast_nms is False and args.cross_class_nms:
        found.append("--cross_class_nms has no effect: exact NMS goes class by class, as in the reference")
    return found


def shown(argv: list[str]) -> str:
    """The `annotate` command as one would type it, without passwords."""
    words = ["python", "run_app.py", "annotate", *map(redacted, argv)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _add(group: Any, flags: dict[str, Flag]) -> None:
    for name, flag in flags.items():
        group.add_argument(f"--{name}", help=flag.what, **flag.reading)


def _media(flags: ReferenceFlags) -> list[str]:
    """The input, and -o with the output where one is named."""
    kind = next((kind for kind in MEDIA if getattr(flags, kind) is not None), None)
    if kind is None:
        raise ConfigError(
            "nothing to annotate; give --image=IN:OUT, --images=IN:OUT or --video=IN:OUT. `run_app.py eval "
            "--data FILE` measures weights on a labelled data set, `run_app.py bench` their speed"
        )
    source, output = split_pair(getattr(flags, kind))
    if output is not None:
        _check_output(kind, output)
    elif kind in NO_OUTPUT:
        given, (example, why) = f"--{kind}={redacted(source)}", NO_OUTPUT[kind]
        raise ConfigError(f"{given} names no output, and {why}; give {given}:{example}")
    if source.startswith("-"):
        source = f".{os.sep}{source}"
    # `annotate` names the output of a photograph itself
    return [source] if output is None else [source, f"--output={output}"]


def _check_output(kind: str, output: str) -> None:
    from app.annotate.plan import VIDEO_OUTPUTS

    suffix = Path(output).suffix.lower()
    if kind == "video" and suffix and suffix not in VIDEO_OUTPUTS and not Path(output).is_dir():
        raise ConfigError(f"{output}: videos are written as {', '.join(VIDEO_OUTPUTS)}, not {suffix}")


def _detection(flags: ReferenceFlags) -> Iterator[str]:
    if flags.trained_model is not None:
        yield from ("--weights", _weights(flags.trained_model))
    yield from ("--score-threshold", str(flags.score_threshold))
    yield from ("--top-k", str(min(flags.top_k, MOST_DETECTIONS)))
    if flags.cuda is not None:
        yield from ("--device", "cuda" if flags.cuda else "cpu")
    if flags.fast_nms is False:
        yield from ("--nms", "exact")
    elif flags.cross_class_nms:
        yield from ("--nms", "class-agnostic")


def _drawing(flags: ReferenceFlags) -> Iterator[str]:
    if flags.detect or flags.display_masks is False:
        yield "--no-masks"
    if flags.display_bboxes is False:
        yield "--no-boxes"
    if flags.display_text is False:
        yield "--no-labels"
    if flags.no_crop:
        yield "--no-crop"
    if flags.no_bar:
        yield "--quiet"
    if flags.video is None:
        return
    yield from ("--colour-by", "class")  # as the reference colours videos, which keeps colours still
    if flags.video_multiframe is not None:
        yield from ("--batch", str(flags.video_multiframe))
    if flags.display_fps:
        yield "--show-fps"


def _weights(text: str) -> str:
    """The file, or the catalogue's name of a published file that is not at its place."""
    from model.checkpoints.catalog import CATALOG

    if is_there(text):
        return text
    if text in ("interrupt", "latest"):
        raise ConfigError(f"--trained_model={text}: which file that is cannot be told here; give its path")
    published = {entry.address.rpartition("/")[2]: name for name, entry in CATALOG.items() if entry.address}
    return published.get(Path(text).name, text)
