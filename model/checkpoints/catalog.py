"""The catalogue of known weights and the paths of their files.

This module neither uses the network nor loads a file: `download` and `yolact` do.
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

    `config` is a key of `model.config.PRESETS`, or torchvision's name of a two-stage model. Weights come
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
        """Path of the file, whether or not it was downloaded. Raises ConfigError without an address."""
        if self.bundled is not None:
            return BUNDLED_FOLDER / self.bundled
        if self.address is None:
            raise ConfigError(f"{self.name}: a catalogue entry needs an address or a bundled file")
        return cache_folder() / self.address.rpartition("/")[2]

    @property
    def state(self) -> State:
        """Presence of the file; its digest is not checked."""
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
# former names of weights -> their successors
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

# weights of Mask R-CNN, for the commands that take any instance predictor; the others take YOLACT only
TWO_STAGE: dict[str, CatalogEntry] = {
    entry.name: entry
    for entry in (
        _two_stage("maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_coco", "bf2d0c1e", 34.6, 178),
        _two_stage("maskrcnn_resnet50_fpn_v2", "maskrcnn_resnet50_fpn_v2_coco", "73cbd019", 41.8, 186),
    )
}


DEFAULT_PROPOSALS = "sharpmask_lite_objects"
# weights of DeepMask and SharpMask, which find objects of no class
PROPOSALS: dict[str, CatalogEntry] = {
    DEFAULT_PROPOSALS: CatalogEntry(
        name=DEFAULT_PROPOSALS,
        config="sharpmask_lite",
        licence="research only",
        bundled="sharpmask_lite_objects.pt",
        note="SharpMask on the default network's backbone: objects of any class; licence: see its card",
    ),
    "deepmask_port": CatalogEntry(
        name="deepmask_port",
        config="deepmask_port",
        licence="none stated",
        address="https://www.robots.ox.ac.uk/~qwang/DeepMask.pth.tar",
        approximate_size=69_000_000,
        note="DeepMask, ResNet-50, trained on COCO by the authors of the PyTorch port (whose code is MIT)",
    ),
}


def current_name(name: str) -> str:
    """Return the successor of a former name in `ALIASES`; any other name as it is."""
    return ALIASES.get(name, name)


def all_entries() -> dict[str, CatalogEntry]:
    """Return every entry by name: the catalogue's, the two-stage models', then the proposal networks'."""
    return {**CATALOG, **TWO_STAGE, **PROPOSALS}


def cache_folder() -> Path:
    """Return the folder of downloads: `LIVEMASK_HOME` if it is set, else the platform's cache folder.

    The environment is read at each call; the folder is not created.
    """
    home = os.environ.get("LIVEMASK_HOME")
    return own_folder(lambda: home or platformdirs.user_cache_dir("livemask", appauthor=False))


def find_entry(name: str) -> CatalogEntry:
    """Return the entry of that name or of its successor. Raises ConfigError with the nearest known name."""
    entries, name = all_entries(), current_name(name)
    if name not in entries:
        hint = did_you_mean(name, entries)
        raise ConfigError(
            f"no weights are named {name!r};{hint and ' '}{hint} there are {', '.join(entries)}"
        )
    return entries[name]


def resolve_weights(weights: str | Path | None) -> Path:
    """Return the path of a weights file.

    weights: a name of the catalogue or a path; None for the default weights

    Nothing is downloaded, and absent weights are never replaced by others. A downloaded file is compared
    with its pinned digest. Raises CheckpointError when a bundled or own file is absent, DownloadError when a
    file of the catalogue has to be downloaded first or differs from its pin.
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
