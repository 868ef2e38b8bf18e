"""`train`: a labelled data set in, weights out."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli import EXIT_INTERRUPTED, EXIT_OK
from app.options import record
from app.values import at_least_one, input_size, name_list, zero_or_more
from model.config import PRESETS
from model.errors import ConfigError
from model.sharpmask.config import SHARPMASK_PRESETS, STAGES
from model.training.recipe import FROZEN

if TYPE_CHECKING:
    from app.train.settings import Settings
    from model.training.proposal_trainer import ProposalTrainer
    from model.training.trainer import Trainer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="the run's folder")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --output, exactly as if it had not stopped; all but --device and "
        "--workers is as it was",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument(
        "--workers",
        type=zero_or_more,
        default=_spare_cores(),
        metavar="N",
        help="processes that prepare images (default: the cores less one, 1 to 8; here %(default)s)",
    )
    _add_what(parser)
    _add_how(parser)


def _add_what(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is learned")
    group.add_argument(
        "--config",
        choices=(*PRESETS, *SHARPMASK_PRESETS),
        help="the network (default: that of the checkpoint of --init)",
    )
    group.add_argument(
        "--stage",
        choices=STAGES,
        help="of a proposal network (DeepMask, SharpMask): masks and scores first, then the refinement, with "
        "--weights of the first",
    )
    group.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="PATH",
        help="a COCO json, a Pascal VOC or SBD folder, or a folder of one's own; may be repeated",
    )
    group.add_argument(
        "--data-weight",
        action="append",
        default=[],
        type=float,
        metavar="X",
        help="how often to draw from the --data of the same place, relative to the others",
    )
    group.add_argument("--images", metavar="DIR", help="where a json's images lie, if not beside it")
    group.add_argument("--classes", type=name_list, metavar="A,B,…", help="learn these classes only")
    group.add_argument(
        "--rename", action="append", default=[], metavar="FROM=TO", help="read class FROM of the data as TO"
    )
    group.add_argument(
        "--val", metavar="PATH", help="a data set, as for --data, to measure on as the run goes"
    )
    group.add_argument("--val-images", metavar="DIR", help="where its images lie, if not beside it")
    group.add_argument(
        "--val-limit", type=at_least_one, metavar="N", help="measure on the first N of its images"
    )
    group.add_argument(
        "--val-share",
        type=float,
        metavar="X",
        help="without --val: hold this share of the data out to measure on (default: 0; 0.2 where --init "
        "brings a checkpoint of other classes)",
    )


def _add_how(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it is learned (default: the configuration's recipe)")
    group.add_argument("--weights", metavar="FILE", help="start from these weights")
    group.add_argument(
        "--init",
        metavar="WEIGHTS",
        help="start from these weights, a file or a name such as livemask_s, whatever classes they know, by "
        "a short recipe if those are others; or from NanoDet-g's graph, a .json",
    )
    group.add_argument(
        "--teacher",
        metavar="FILE",
        help="weights or graph of the same classes that stand in for labels that are not there",
    )
    group.add_argument(
        "--freeze",
        choices=FROZEN,
        help="what is not trained: the backbone, or the whole detector (all but what makes masks)",
    )
    group.add_argument(
        "--backbone",
        choices=("auto", "imagenet", "scratch"),
        help="start the backbone from ImageNet weights; auto, the default, does so where they are available",
    )
    group.add_argument(
        "--iterations",
        type=at_least_one,
        metavar="N",
        help="on one device; under torchrun n devices do N / n at n times the learning rate",
    )
    group.add_argument(
        "--patience",
        type=zero_or_more,
        metavar="N",
        help="end when N measurements in a row bring nothing, and keep the best state; 0: never (the default "
        "but where --init brings a checkpoint of other classes, there 2)",
    )
    group.add_argument(
        "--minutes", type=float, metavar="M", help="take at most so long, with as many iterations as fit"
    )
    group.add_argument("--batch-size", type=at_least_one, metavar="N", help="images a device")
    group.add_argument("--learning-rate", type=float, metavar="X", help="on one device")
    group.add_argument(
        "--detector-rate",
        type=float,
        metavar="X",
        help="times the learning rate is that of the detector, all but what makes masks (default: 1)",
    )
    group.add_argument(
        "--warmup", type=zero_or_more, metavar="N", help="iterations over which the rate rises"
    )
    group.add_argument("--ema", type=float, metavar="X", help="decay of the averaged weights, 0 for none")
    group.add_argument(
        "--precision", choices=("fp32", "bf16"), help="of the network; the loss is always fp32"
    )
    group.add_argument("--image-size", type=input_size, metavar="PX", help="the final input size")
    group.add_argument(
        "--stages",
        metavar="UNTIL:PX:AUGMENTATION,…",
        help="input size and augmentation by share of the run, such as 0.7:288:compact,1:416:light",
    )
    group.add_argument(
        "--seed",
        type=zero_or_more,
        metavar="N",
        help="of all that is random (default: 0)",
    )
    group.add_argument("--licence", metavar="TEXT", help="a licence note that goes into the weights")
    group.add_argument(
        "--save-every",
        type=at_least_one,
        metavar="N",
        help="iterations (default: 500, or a fifth of a run for own classes)",
    )


def _spare_cores() -> int:
    """The processes that leave a core to training, within reason."""
    return min(max((os.cpu_count() or 1) - 1, 1), 8)


def run(args: argparse.Namespace) -> int:
    """Train; Ctrl-C ends the run after the present iteration, with everything saved."""
    from app.train.proposals import saved_training
    from app.train.run import build_trainer
    from model.training.distributed import is_first

    if args.stage or args.config in SHARPMASK_PRESETS or (args.resume and saved_training(args.output)):
        return _train_proposals(args)
    settings = _settings(args)
    with build_trainer(settings, args.output, args.device, args.workers, args.resume) as trainer:
        if trainer.finished and is_first():
            finished = f"the run has done its {trainer.iteration} iterations; its weights are made anew"
            print(finished, file=sys.stderr)
        with _stopping(trainer):
            trainer.run()
    if is_first():
        return _tell_end(trainer)
    return EXIT_OK if trainer.finished else EXIT_INTERRUPTED


def _train_proposals(args: argparse.Namespace) -> int:
    """Train a stage of a proposal network."""
    from app.train.proposals import ProposalTraining, build_proposal_trainer, saved_training

    output = args.output
    if args.resume:
        training = saved_training(output)
        if training is None:
            raise ConfigError(f"{output} holds no run of a proposal network to go on with")
    else:
        _refuse_held(output)
        training = record(ProposalTraining, args, data=tuple(args.data))
    building = build_proposal_trainer(training, args.device, args.workers, args.resume)
    with building as trainer, _stopping(trainer):
        trainer.run()
    return _tell_end(trainer)


def _tell_end(trainer: Trainer | ProposalTrainer) -> int:
    """Print what became of a run. Returns the exit code."""
    stopped = f"stopped after {trainer.iteration} iterations; --resume goes on from there"
    print(f"weights: {trainer.final}" if trainer.finished else stopped, file=sys.stderr)
    return EXIT_OK if trainer.finished else EXIT_INTERRUPTED


def _settings(args: argparse.Namespace) -> Settings:
    """Return the settings of the resumed or new run. Raises ConfigError when `--output` holds another."""
    from app.train.settings import Settings, load_settings

    if args.resume:
        settings = load_settings(args.output)
        settings.require_same(vars(args))
        return settings
    _refuse_held(args.output)
    return Settings.from_arguments(vars(args))


def _refuse_held(output: Path) -> None:
    """Raise ConfigError when the folder holds a run already."""
    for file in ("last.pt", "final.pt"):
        if (output / file).exists():
            raise ConfigError(
                f"{output} holds a run already, see {file}; add --resume to go on with it, "
                "or name another folder"
            )


@contextmanager
def _stopping(trainer: Trainer | ProposalTrainer) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) stops the run in good order, the second one at once."""

    def tell(words: bytes) -> None:
        if sys.__stderr__ is not None:  # else it was closed from the start
            # not print: the signal may have come in the midst of one
            os.write(sys.__stderr__.fileno(), words)

    def at_once(_number: int, _frame: object) -> None:
        tell(b"\ninterrupted\n")
        # no exception: libraries that call back swallow it, or make another one of it
        os._exit(EXIT_INTERRUPTED)

    def in_good_order(number: int, _frame: object) -> None:
        signal.signal(number, at_once)
        tell(b"\nstopping after this iteration; once more to stop at once\n")
        trainer.stop()

    signals = (signal.SIGINT, signal.SIGTERM)
    previous = {s: signal.getsignal(s) for s in signals}
    for s in signals:
        signal.signal(s, in_good_order)
    try:
        yield
    finally:
        for s, handler in previous.items():
            signal.signal(s, handler)
