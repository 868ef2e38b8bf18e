"""`doctor`: what LiveMask finds on this machine, and what keeps it from working."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

from app.versions import ABSENT, BROKEN, HEAVY, loaded_versions, one_line, versions

Facts = dict[str, str]

NEEDED = ("PyTorch", "torchvision", "NumPy", "OpenCV", "Pillow", "PyAV")
READ_ONLY_CODECS = ("vp8", "mjpeg", "aac", "opus", "mp3", "ac3")  # not on offer for an output

UNKNOWN = "unknown: "
FAILED = "this check failed"
AUTO = "auto"
THERE = ("bundled", "downloaded")  # states of weights that can be used


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--json` and `--thorough`."""
    parser.add_argument("--json", action="store_true", help="print one record for scripts and reports")
    parser.add_argument(
        "--thorough",
        action="store_true",
        help=f"load {', '.join(HEAVY)}, too, to see whether they work (some seconds)",
    )


def run(args: argparse.Namespace) -> int:
    """Print what was found; the exit code is 1 when LiveMask cannot work here."""
    from app.cli import EXIT_FAILED, EXIT_OK

    report = examine(CHECKS | THOROUGH if args.thorough else CHECKS)
    found = problems(report)
    if args.json:
        print(json.dumps({**report, "problems": found}, indent=2))
    else:
        print(told(report, _width()))
        print("\n".join(["", *(f"problem: {problem}" for problem in found)]) if found else "\nall is well")
    return EXIT_FAILED if found else EXIT_OK


def examine(checks: Mapping[str, Callable[[], Facts]]) -> dict[str, Facts]:
    """The facts of every check under its name; of one that fails, the failure. The home folder reads "~"."""
    report = {}
    for name, check in checks.items():
        try:
            facts = check()
        except Exception as error:  # whatever is wrong with this part, the others must still be told
            facts = {FAILED: one_line(error)}
        report[name] = {label: _without_home(fact) for label, fact in facts.items()}
    return report


def problems(report: Mapping[str, Facts]) -> list[str]:
    """Return what keeps LiveMask from working at all, and what to do about it."""
    told_versions = report.get("versions", {})
    found = [
        f"{name} is {told_versions[name]}; run `pip install -r requirements.txt`"
        for name in NEEDED
        if told_versions.get(name, "").startswith((ABSENT, BROKEN))
    ]
    engines = report.get("engines", {})
    if not found and engines.get(AUTO, "").startswith(UNKNOWN):
        found.append(f"no engine can be used: {engines[AUTO].removeprefix(UNKNOWN)}")
    weights = report.get("weights", {})
    if weights and FAILED not in weights and not any(state in THERE for state in weights.values()):
        found.append(
            "there are no weights; restore the bundled ones, or run `models download yolact_resnet50`"
        )
    return found


def told(report: Mapping[str, Facts], width: int | None) -> str:
    """The report as aligned lines, section by section, folded to `width` columns where one is given."""
    labels = [label for facts in report.values() for label in facts]
    indent = max(map(len, labels), default=0) + 4
    lines: list[str] = []
    for name, facts in report.items():
        lines += ["", name] if lines else [name]
        for label, fact in facts.items():
            line = f"  {label}".ljust(indent) + fact
            room = width if width is not None and width > indent + 20 else sys.maxsize
            lines += textwrap.wrap(line, room, subsequent_indent=" " * indent, break_on_hyphens=False)
    return "\n".join(lines)


def _machine() -> Facts:
    from app import machine

    def capabilities() -> Mapping[str, object]:
        from app.gpus import capabilities

        return capabilities()

    return {
        "processor": _fact(lambda: machine.processor(capabilities=capabilities)),
        "cores": _fact(machine.cores),
        "memory": _fact(machine.memory),
        "instructions": _fact(lambda: machine.instructions(capabilities=capabilities)),
        "display": _fact(machine.display),
    }


def _gpus() -> Facts:
    from model.engines.processor import nvidia_gpus

    if not nvidia_gpus():
        return {"devices": "none: there is no NVIDIA driver, or it sees no GPU"}
    return _loaded_gpus()


def _loaded_gpus() -> Facts:
    from app.gpus import gpus

    return gpus()


def _engines() -> Facts:
    from model.checkpoints.catalog import resolve_weights
    from model.engines.choice import choose, detect_machine, survey
    from model.errors import LiveMaskError
    from model.loading import weights_facts

    machine = detect_machine()
    weights = None
    with contextlib.suppress(LiveMaskError):  # what is wrong with the weights is told in their own section
        weights = weights_facts(resolve_weights(None), None)
    facts = {str(found.option): found.unavailable_because or "usable" for found in survey(weights, machine)}
    return facts | {AUTO: _fact(lambda: str(choose(weights=weights, machine=machine)))}


def _codecs() -> Facts:
    import av

    from pipeline.sinks.formats import CODECS

    coders: dict[tuple[int, str], set[str]] = {}
    ids: dict[str, int] = {}
    for name in av.codecs_available:
        for mode in ("r", "w"):
            with contextlib.suppress(ValueError):  # there may be a decoder only, or an encoder only
                codec = av.codec.Codec(name, mode)
                ids.setdefault(name, codec.id)
                coders.setdefault((codec.id, mode), set()).add(codec.name)
    names = (*(name for name in CODECS if not name.endswith("_nvenc")), *READ_ONLY_CODECS)
    facts = {name: _coders(ids.get(name, -1), coders) for name in names}
    return facts | {"hardware": "such as h264_nvenc: PyAV knows it; whether it is there shows as it is used"}


def _coders(codec: int, coders: Mapping[tuple[int, str], set[str]]) -> str:
    """Return the decoders and encoders of one codec as text; `codec` is FFmpeg's number of it."""
    decoders, encoders = (", ".join(sorted(coders.get((codec, mode), ()))) or "none" for mode in "rw")
    return f"decoders {decoders}; encoders {encoders}"


def _cameras() -> Facts:
    from pipeline.sources.cameras.listing import list_cameras

    return {str(camera.index): camera.name for camera in list_cameras()} or {"cameras": "none"}


def _weights() -> Facts:
    from model.checkpoints.catalog import CATALOG

    return {entry.name: entry.state for entry in CATALOG.values()}


def _folders() -> Facts:
    from model.checkpoints.catalog import BUNDLED_FOLDER, cache_folder
    from model.engines.compiled_cache import FOLDER
    from model.user_folders import without_a_home

    folders = {
        "bundled weights": BUNDLED_FOLDER,
        "downloads": cache_folder(),
        "compiled models": cache_folder() / FOLDER,
    }
    told = {name: f"{folder} ({_state(folder)})" for name, folder in folders.items()}
    if without_a_home():
        told["home"] = (
            "none is known: downloads, compiled models and settings lie in a temporary folder, which may be "
            "emptied; set HOME, or LIVEMASK_HOME to a folder that stays"
        )
    return told


def _state(folder: Path) -> str:
    if folder.is_dir():
        return "writable" if os.access(folder, os.W_OK) else "read-only"
    return "not made yet" if not folder.exists() else "not a folder"


CHECKS: dict[str, Callable[[], Facts]] = {
    "versions": versions,
    "machine": _machine,
    "gpus": _gpus,
    "engines": _engines,
    "codecs": _codecs,
    "cameras": _cameras,
    "weights": _weights,
    "folders": _folders,
}
THOROUGH: dict[str, Callable[[], Facts]] = {"versions": loaded_versions, "gpus": _loaded_gpus}


def _fact(ask: Callable[[], str]) -> str:
    """One fact of several, so that one that cannot be had leaves the others."""
    try:
        return ask()
    except Exception as error:
        return UNKNOWN + one_line(error)


def _without_home(text: str) -> str:
    """A text in which the user's name does not stand: reports are shown to others."""
    with contextlib.suppress(RuntimeError):  # there is no home folder
        home = str(Path.home())
        if len(home) > 1:
            return text.replace(home, "~")
    return text


def _width() -> int | None:
    """Columns of the terminal; None where the output is no terminal, whose reader folds lines or does not."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
