"""The data formats there are, and the one way to read any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from model.errors import ConfigError, DataError
from model.training.data.annotations import AnnotationSet
from model.training.data.class_map import UnknownRenameError
from model.training.data.coco.files import coco_file
from model.training.data.coco.format import read_coco, recognises_coco
from model.training.data.folder_format import read_folder, recognises_folder
from model.training.data.reading import DataFormat, ReadRequest
from model.training.data.voc_format import read_sbd, read_voc, recognises_sbd, recognises_voc

_YAML = frozenset({".yaml", ".yml"})

# in the order in which they are tried
DATA_FORMATS: dict[str, DataFormat] = {
    "coco": DataFormat("a COCO json, or a folder with one", recognises_coco, read_coco),
    "voc": DataFormat(
        "a Pascal VOC folder with SegmentationObject, or a list of its ImageSets/Segmentation",
        recognises_voc,
        read_voc,
    ),
    "sbd": DataFormat("an SBD folder with img and inst, or a list in it", recognises_sbd, read_sbd),
    "folder": DataFormat(
        "a folder with images/NAME.jpg and masks/NAME.png or masks/CLASS/NAME.png",
        recognises_folder,
        read_folder,
    ),
}


def load_annotations(
    path: Path | str,
    class_names: Sequence[str] | None = None,
    remap: Mapping[str, str] | None = None,
    images: Path | str | None = None,
    allow_missing: bool = False,
) -> AnnotationSet:
    """Read a data set of any known format.

    `class_names` selects and orders the classes to learn (None: all), `remap` maps names of the data set
    to class names, `images` says where a json's images lie, and `allow_missing` accepts classes that
    this data set does not label (they are then neutral in its images) and names in `remap` that it does
    not have; `load_all` reads data sets that complete one another. What cannot be used is left out and told
    by `AnnotationSet.skipped`. Raises DataError when the path is of no known format or nothing
    in it can be used, ConfigError when it does not have a class.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    names = None if class_names is None else tuple(class_names)
    request = ReadRequest(names, remap, None if images is None else Path(images), allow_missing)
    for data_format in DATA_FORMATS.values():
        if data_format.recognises(path):
            return _read(data_format, path, request)
    if path.is_dir() and any(path.glob("*.json")):
        coco_file(path)  # says which there are, for it takes one alone
    if _is_yolo(path):
        raise DataError(
            f"{path}: a YOLO data set (a text file of numbers for each image), which is not read; "
            "export it as COCO json from the tool that made it"
        )
    known = "; ".join(data_format.title for data_format in DATA_FORMATS.values())
    raise DataError(f"{path}: is no data set of a known format; expected one of: {known}")


def _is_yolo(path: Path) -> bool:
    """Return whether a path is a YAML file, or a folder with one or with `labels/…/NAME.txt`."""
    if path.is_file():
        return path.suffix.lower() in _YAML
    texts = (text for folder in ("labels", "*/labels") for text in path.glob(f"{folder}/**/*.txt"))
    return any(file.suffix.lower() in _YAML for file in path.iterdir()) or any(texts)


def load_all(
    paths: Sequence[Path | str],
    class_names: Sequence[str] | None = None,
    remap: Mapping[str, str] | None = None,
    images: Path | str | None = None,
) -> list[AnnotationSet]:
    """Read data sets that are to be joined; of several, each may lack classes and names to rename.

    Raises like `load_annotations`, and ConfigError for a name to rename that none of them has.
    """
    several = len(paths) > 1
    sets = [load_annotations(path, class_names, remap, images, allow_missing=several) for path in paths]
    for name in remap or ():
        if not any(name in one.renamed for one in sets):
            raise ConfigError(f"renaming: none of the data sets has a class {name!r}")
    return sets


def _read(data_format: DataFormat, path: Path, request: ReadRequest) -> AnnotationSet:
    remap = dict(request.remap or {})
    try:
        found = data_format.read(path, request)
    except UnknownRenameError as error:
        if not request.allow_missing:
            raise
        remap = {old: new for old, new in remap.items() if old not in error.names}
        found = data_format.read(path, replace(request, remap=remap))
    return replace(found, renamed=frozenset(remap))
