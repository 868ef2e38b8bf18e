"""The catalogue of known weights, and where their files lie.

Nothing here touches the network or loads a file: `download` fetches, `yolact` loads.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from model.checkpoints.pins import check_pin
from model.errors import CheckpointError, ConfigError, DownloadError
from model.names import did_you_mean
from model.project import WEIGHTS
from model.user_folders import expanded, own_folder

State = Literal["bundled", "downloaded", "not downloaded", "missing"]

BUNDLED_FOLDER = WEIGHTS
COCO_MASK_MAP = "mask mAP, COCO test-dev"
_COCO_VAL_MASK_MAP = "mask mAP, COCO val2017"


@dataclass(frozen=True)
class CatalogEntry:
    """One set of known weights.

    `config` is a key of `model.config.PRESETS`, or what torchvision calls a two-stage model. Weights come
    either with the project (`bundled`, a file name in `weights/`) or from `address` (https). `value` is the
    published figure, in percent, of `metric`. `approximate_size` in bytes is an estimate, four bytes a stored
    number; the real size is known once the file is there. `digest` is how the file's SHA-256 begins, in hex,
    where its publisher says so.
    """

    name: str
    config: str
    licence: str
    address: str | None = None
    bundled: str | None = None
    metric: str | None = None
    value: float | None = None
    approximate_size: int | None = None
    note: str = ""
    digest: str = ""

    @property
    def path(self) -> Path:
        """Where the file is, or would be once it is downloaded."""
        if self.bundled is not None:
            return BUNDLED_FOLDER / self.bundled
        if self.address is None:
            raise ConfigError(f"{self.name}: a catalogue entry needs an address or a bundled file")
        return cache_folder() / self.address.rpartition("/")[2]

    @property
    def state(self) -> State:
        """Whether the file is there, and why; its digest is not checked."""
        if self.bundled is not None:
            return "bundled" if self.path.is_file() else "missing"
        return "downloaded" if self.path.is_file() else "not downloaded"


def _bundled(name: str, note: str) -> CatalogEntry:
    return CatalogEntry(
        name=name,
        config=name,
        licence="research only",
        bundled=f"{name}.pt",
        note=f"the 80 classes of COCO, {note}; see the card for the licence",
    )


def _published(name: str, value: float, megabytes: int, note: str) -> CatalogEntry:
    repository = name.replace("_", "-")
    return CatalogEntry(
        name=name,
        config=name,
        licence="MIT",
        address=f"https://huggingface.co/dbolya/{repository}/resolve/main/{name}_54_800000.pth",
        metric=COCO_MASK_MAP,
        value=value,
        approximate_size=megabytes * 1_000_000,
        note=f"{note}; published by the authors of YOLACT, trained on COCO",
    )


def _two_stage(variant: str, stem: str, digest: str, value: float, megabytes: int) -> CatalogEntry:
    return CatalogEntry(
        name=variant,
        config=variant,
        licence="BSD-3-Clause",
        address=f"https://download.pytorch.org/models/{stem}-{digest}.pth",
        metric=_COCO_VAL_MASK_MAP,
        value=value,
        approximate_size=megabytes * 1_000_000,
        note="two-stage, ResNet-50, to compare with; published by torchvision, trained on COCO",
        digest=digest,
    )


DEFAULT_WEIGHTS = "livemask_s"
# names of weights that are no longer there -> those that took their place
ALIASES = {"livemask_s_person": "livemask_s"}

CATALOG: dict[str, CatalogEntry] = {
    entry.name: entry
    for entry in (
        _bundled("livemask_s", "416 px; the default, fit for live video on a CPU"),
        _bundled("livemask_n", "320 px, for weak machines"),
        _bundled("livemask_m", "512 px, for files and photographs"),
        _published("yolact_resnet50", 28.2, 125, "ResNet-50, 550 px"),
        _published("yolact_darknet53", 28.7, 191, "DarkNet-53, 550 px"),
        _published("yolact_base", 29.8, 201, "ResNet-101, 550 px"),
        _published("yolact_im700", 31.2, 201, "ResNet-101, 700 px"),
        _published("yolact_plus_resnet50", 34.1, 135, "YOLACT++, ResNet-50, 550 px"),
        _published("yolact_plus_base", 34.6, 211, "YOLACT++, ResNet-101, 550 px"),
    )
}

# weights of Mask R-CNN: what takes any instance predictor runs them, and everything else knows YOLACT alone
TWO_STAGE: dict[str, CatalogEntry] = {
    entry.name: entry
    for entry in (
        _two_stage("maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_coco", "bf2d0c1e", 34.6, 178),
        _two_stage("maskrcnn_resnet50_fpn_v2", "maskrcnn_resnet50_fpn_v2_coco", "73cbd019", 41.8, 186),
    )
}


def current_name(name: str) -> str:
    """The name that weights have today: their own, or that of those that took the place of an older name."""
    return ALIASES.get(name, name)


def all_entries() -> dict[str, CatalogEntry]:
    """Every entry by its name: the catalogue's, then the two-stage models'."""
    return {**CATALOG, **TWO_STAGE}


def cache_folder() -> Path:
    """Where downloads are kept: `LIVEMASK_HOME` if it is set, else the platform's own cache folder.

    The environment is read anew at each call, and the folder is not made.
    """
    home = os.environ.get("LIVEMASK_HOME")
    return own_folder(lambda: home or platformdirs.user_cache_dir("livemask", appauthor=False))


def find_entry(name: str) -> CatalogEntry:
    """The catalogue's entry of that name, or of the one that took its place.

    Raises ConfigError with the nearest name there is.
    """
    entries, name = all_entries(), current_name(name)
    if name not in entries:
        hint = did_you_mean(name, entries)
        raise ConfigError(
            f"no weights are named {name!r};{hint and ' '}{hint} there are {', '.join(entries)}"
        )
    return entries[name]


def resolve_weights(weights: str | Path | None) -> Path:
    """The file that `weights` means: None the default, a catalogue name, or else a path.

    Nothing is downloaded and nothing is ever made up: weights that are not there are an error. A
    downloaded file is compared with its pinned digest first. Raises CheckpointError when a bundled or own
    file is absent, DownloadError when a file of the catalogue has to be downloaded first or differs from
    its pin.
    """
    name = str(DEFAULT_WEIGHTS if weights is None else weights)
    known = all_entries().get(current_name(name))
    return _own_file(name) if known is None else _known_file(known)


def _known_file(entry: CatalogEntry) -> Path:
    path = entry.path
    if entry.state == "missing":
        raise CheckpointError(
            f"the bundled weights {entry.name} are missing: expected {path}; restore the file, or name other "
            "weights (`python run_app.py models list` shows what there is)"
        )
    if entry.state == "not downloaded":
        raise DownloadError(
            f"{entry.name} is not downloaded (expected {path}); "
            f"run `python run_app.py models download {entry.name}` first"
        )
    if entry.bundled is None:
        check_pin(path.parent, entry.name, path)
    return path


def _own_file(name: str) -> Path:
    path = expanded(name)
    if path.is_file():
        return path
    if path.is_dir():
        raise CheckpointError(f"{name} is a folder; expected a weights file")
    looks_like_a_name = path.name == name and not path.suffix
    hint = did_you_mean(name, all_entries()) if looks_like_a_name else ""
    raise CheckpointError(
        f"there is no weights file {name!r};{hint and ' '}{hint} expected a path or a name of the catalogue "
        "(`python run_app.py models list`)"
    )
