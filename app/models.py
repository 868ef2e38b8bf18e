"""`models`: what weights there are, what is known about them, and where they lie."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.checkpoints.catalog import CatalogEntry
    from model.checkpoints.pins import Pin
    from model.checkpoints.transfer import Progress
    from model.config import YolactConfig

OWN_FILES = "A file of your own is given by its path wherever a name of this list is."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `list`, `show`, `download` and `path`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="the catalogue, and what of it is here")
    listing.add_argument("--json", action="store_true", help="print a list of records for scripts")

    show = actions.add_parser("show", help="all that is known about one set of weights")
    show.add_argument("name", metavar="NAME")

    download = actions.add_parser("download", help="fetch weights into the cache folder over https")
    download.add_argument("names", metavar="NAME", nargs="+")
    download.add_argument(
        "--offline", action="store_true", help="never touch the network (as LIVEMASK_OFFLINE=1 does)"
    )

    path = actions.add_parser("path", help="print the path of weights that are here and nothing else")
    path.add_argument("name", metavar="NAME", nargs="?", help="the default weights, if left out")


def run(args: argparse.Namespace) -> int:
    """Run the subcommand and return the exit code. Raises LiveMaskError."""
    ACTIONS[args.action](args)
    return 0


def _list(args: argparse.Namespace) -> None:
    from model.checkpoints.catalog import all_entries

    entries = list(all_entries().values())
    if args.json:
        print(json.dumps([_record(entry) for entry in entries], indent=2))
    else:
        _print_catalog(entries)


def _show(args: argparse.Namespace) -> None:
    from model.checkpoints.catalog import find_entry

    entry = find_entry(args.name)
    facts = _record(entry) | {"size": _size(entry), "approximate_size": None} | _content(entry)
    known = {key.replace("_", " "): fact for key, fact in facts.items() if fact not in (None, "")}
    width = max(map(len, known))
    for key, fact in known.items():
        print(f"{key:<{width}}  {fact}")


def _download(args: argparse.Namespace) -> None:
    from model.checkpoints.catalog import find_entry
    from model.checkpoints.download import download_weights

    # every name is looked up first: a typing error in the last must not cost the download of the others
    for entry in [find_entry(name) for name in args.names]:
        with _progress_bar(entry.name) as progress:
            path = download_weights(entry, offline=args.offline, progress=progress)
        pin = _pin(entry)
        digest = f", sha256 {pin.sha256}, first seen {pin.first_seen}" if pin else ""
        print(f"{entry.name}: {path} ({_size(entry)}{digest})")


def _path(args: argparse.Namespace) -> None:
    from model.checkpoints.catalog import DEFAULT_WEIGHTS, find_entry, resolve_weights

    print(resolve_weights(find_entry(args.name or DEFAULT_WEIGHTS).name))


ACTIONS: dict[str, Callable[[argparse.Namespace], None]] = {
    "list": _list,
    "show": _show,
    "download": _download,
    "path": _path,
}


def _record(entry: CatalogEntry) -> dict[str, Any]:
    """Return the facts about an entry in the order in which they are shown; bytes, None is unknown."""
    from model.config import PRESETS

    pin = _pin(entry)
    # a bundled file says itself, which takes PyTorch to read; a two-stage model's input is no square
    config = None if entry.bundled else PRESETS.get(entry.config)
    return {
        "name": entry.name,
        "state": entry.state,
        "configuration": entry.config,
        "image_size": config and config.image_size,
        "metric": entry.metric,
        "value": entry.value,
        "licence": entry.licence,
        "size": entry.path.stat().st_size if entry.path.is_file() else None,
        "approximate_size": entry.approximate_size,
        "address": entry.address,
        "path": str(entry.path),
        "sha256": pin.sha256 if pin else None,
        "first_seen": pin.first_seen if pin else None,
        "note": entry.note,
    }


def _content(entry: CatalogEntry) -> dict[str, Any]:
    """Return the facts in a bundled file; those of published ones are their configurations'."""
    if not entry.bundled or not entry.path.is_file():
        return {}
    from model.checkpoints.kinds import is_sharpmask_file
    from model.checkpoints.yolact import read_config
    from model.sharpmask.predictor import CLASS_NAMES

    if is_sharpmask_file(entry.path):
        return {"classes": ", ".join(CLASS_NAMES)}
    config = read_config(entry.path)
    return {
        "image_size": config.image_size,
        "classes": ", ".join(config.class_names),
        "score_thresholds": _thresholds(config),
    }


def _thresholds(config: YolactConfig) -> str:
    """Return the thresholds of the classes as text: one number, or the least and the largest."""
    from model.options import DetectOptions

    values = DetectOptions().thresholds(config)
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}, by class"


def _pin(entry: CatalogEntry) -> Pin | None:
    from model.checkpoints.pins import read_pins

    return None if entry.bundled else read_pins(entry.path.parent).get(entry.name)


def _size(entry: CatalogEntry) -> str:
    if entry.path.is_file():
        return f"{entry.path.stat().st_size / 1e6:.1f} MB"
    return f"about {entry.approximate_size / 1e6:.0f} MB" if entry.approximate_size else "unknown"


def _print_catalog(entries: list[CatalogEntry]) -> None:
    from rich.console import Console
    from rich.table import Table

    from model.checkpoints.catalog import COCO_MASK_MAP

    table = Table("name", "mAP", "size", "licence", "state", box=None, pad_edge=False)
    for entry in entries:
        figure = f"{entry.value:.1f}" if entry.metric == COCO_MASK_MAP else "-"
        table.add_row(entry.name, figure, _size(entry), entry.licence, entry.state)
    Console().print(table)
    print(f'\nmAP: {COCO_MASK_MAP}, as published. "about": estimated, not measured.\nAddresses:')
    for entry in entries:
        if entry.address:
            print(f"  {entry.name:<24} {entry.address}")
    print(OWN_FILES)


@contextlib.contextmanager
def _progress_bar(name: str) -> Iterator[Progress]:
    """A callback that draws on the error output, or draws nothing where that is not a terminal."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from app.terminal import progress_bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with progress_bar(*columns) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
