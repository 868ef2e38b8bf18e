"""`bench`: how fast this machine is with LiveMask, in figures that can be compared."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.benchmarks.figures import Figure, Setup
from app.cli import EXIT_FAILED, EXIT_OK
from app.options import record
from app.values import at_least_one, name_list
from model.errors import ConfigError

# name -> (module, what it measures)
BENCHMARKS: dict[str, tuple[str, str]] = {
    "forward": ("app.benchmarks.forward", "the forward pass in PyTorch and OpenVINO"),
    "annotate": ("app.benchmarks.annotating", "a video file through the whole pipeline"),
    "overlay": ("app.benchmarks.overlay", "drawing"),
    "proposals": ("app.benchmarks.proposals", "proposal networks, the published ones beside our own"),
    "nms": ("app.benchmarks.nms", "Fast NMS against exact NMS"),
    "startup": ("app.benchmarks.startup", "how soon the first frame and --help are there"),
    "accuracy": ("app.benchmarks.accuracy", "what int8 costs in mask AP"),
    "gpu": ("app.benchmarks.gpu", "the published networks on a GPU"),
    "memory": ("app.benchmarks.memory", "peak and growth over a long run on large frames"),
    "batch": (
        "app.benchmarks.batches",
        "the cost of batches beside their work, and of several files at a time",
    ),
    "gui": ("app.benchmarks.gui", "the window: how old its pictures are, and how soon it answers"),
    "against": (
        "app.benchmarks.against.comparison",
        "this checkout beside the one that --against names",
    ),
}

MEMORY_FRAMES = 5000
COMPARED_FRAMES = 1394


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    listed = "; ".join(f"{name}: {what}" for name, (_, what) in BENCHMARKS.items())
    parser.add_argument(
        "--only", type=name_list, metavar="A,B", help=f"measure these only (default: all). {listed}"
    )
    parser.add_argument("--gui", action="store_true", help="measure the window only: --only gui")
    parser.add_argument("--batch", action="store_true", help="measure batches only: --only batch")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="measure how this checkout of the project compares with the one in another folder, and nothing "
        "else: commands of both run in turn, in processes of their own, with the same Python",
    )
    parser.add_argument(
        "--rounds",
        type=at_least_one,
        default=5,
        metavar="N",
        help="of --against, each with both checkouts (default: %(default)s)",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="for startup, accuracy and gui (default: the bundled ones); with --against, some that both "
        "checkouts read, to compare them with the same network, too (default: each its own alone)",
    )
    parser.add_argument("--data", type=Path, metavar="JSON", help="COCO json with masks, for accuracy")
    parser.add_argument("--clip", type=Path, metavar="VIDEO", help="to work on (default: assets/demo.mp4)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=5.0,
        metavar="S",
        help="to time each thing for (default: %(default)s)",
    )
    parser.add_argument(
        "--frames",
        type=at_least_one,
        metavar="N",
        help=f"of the run whose memory is measured, more than 500 (default: {MEMORY_FRAMES}, "
        f"several minutes); with --against, of the clip (default: {COMPARED_FRAMES})",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=2.0,
        metavar="M",
        help="to watch the window for (default: %(default)s; 10 for the growth of a long run)",
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures to a file too")


def run(args: argparse.Namespace) -> int:
    """Measure, and show one table; 1 when a figure could not be measured because something failed."""
    import torch

    from app.terminal import show

    names = _chosen(args)
    frames = args.frames or (COMPARED_FRAMES if args.against else MEMORY_FRAMES)
    setup = record(Setup, args, frames=frames)
    _check(names, setup)
    facts = machine_facts()
    figures: list[Figure] = []
    failed = False
    threads = torch.get_num_threads()
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr)
        try:
            figures += importlib.import_module(BENCHMARKS[name][0]).run(setup)
        except Exception as error:  # the other figures are worth having
            failed = True
            print(f"failed: {name}: {type(error).__name__}: {error}", file=sys.stderr)
        finally:
            torch.set_num_threads(threads)  # one that runs OpenVINO leaves PyTorch a single thread
    show(_table(figures, facts))
    if args.json:
        _write(args.json, figures, facts, setup)
    return EXIT_FAILED if failed else EXIT_OK


def _chosen(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the names of the benchmarks that are asked for; ConfigError where that is not clear."""
    if sum((args.gui, args.batch, args.against is not None, args.only is not None)) > 1:
        raise ConfigError("--only, --gui, --batch and --against each say what is measured; give one of them")
    if args.gui or args.batch:
        return ("gui",) if args.gui else ("batch",)
    return ("against",) if args.against else args.only or tuple(BENCHMARKS)


def _check(names: Sequence[str], setup: Setup) -> None:
    """Refuse what cannot be measured, before the first thing is."""
    from app.benchmarks.against.checkout import other_checkout

    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise ConfigError(f"no benchmark is named {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    if "memory" in names and setup.frames <= 500:
        raise ConfigError(
            f"--frames must be more than 500, after which growth is measured; got {setup.frames}"
        )
    if not setup.minutes > 0:
        raise ConfigError(f"--minutes must be more than 0; got {setup.minutes:g}")
    if setup.against is not None:
        other_checkout(setup.against)


def machine_facts() -> dict[str, str]:
    """Return the facts about this machine that figures depend on."""
    import platform

    import torch

    from app.machine import cores
    from model.engines.choice import detect_machine

    machine = detect_machine()
    gpu = torch.cuda.get_device_name() if machine.gpus else "none"
    return {
        "processor": machine.cpu,
        "cores": cores(),
        "GPU": gpu,
        "Python": platform.python_version(),
        "PyTorch": torch.__version__,
        "OpenVINO": machine.openvino or "absent",
    }


def _table(figures: list[Figure], facts: Mapping[str, str]) -> Any:
    from app.terminal import Table

    title = ", ".join(f"{name} {value}" for name, value in facts.items())
    rows = tuple(
        (
            figure.name,
            "–" if figure.value is None else f"{figure.value:.4g} {figure.unit}".strip(),
            figure.target or "–",
            {True: "reached", False: "missed", None: "–"}[figure.reached],
            figure.note,
        )
        for figure in figures
    )
    return Table(title, ("what", "measured", "target", "", "note"), rows)


def _write(path: Path, figures: list[Figure], facts: Mapping[str, str], setup: Setup) -> None:
    from pipeline.sinks.files import write_json

    how = {name: None if value is None else str(value) for name, value in dataclasses.asdict(setup).items()}
    write_json(path, {"machine": dict(facts), "setup": how, "figures": [vars(f) for f in figures]})
    print(f"written to {path}", file=sys.stderr)
