"""Pascal VOC 2012 segmentation, and SBD (Hariharan et al., 2011), which labels more of its images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.classes import PASCAL_CLASSES
from model.errors import DataError
from model.training.data.annotations import AnnotationSet, ImageRecord, Instance, SkipLog, finished_set
from model.training.data.class_map import ClassMap, map_classes
from model.training.data.image_files import read_size
from model.training.data.label_images import checked_labels, read_label_image, regions
from model.training.data.reading import ReadRequest

VOID = 255  # the outlines, and what is too difficult to label

# the objects of one image: their numbers [H, W], and the class, 1..20, of each number
Labels = tuple[NDArray[np.int64], Callable[[NDArray[np.bool_], int], int]]


def recognises_voc(path: Path) -> bool:
    """Return True for a VOC folder, or a list of images in its ImageSets/Segmentation."""
    return (_voc_root(path) / "SegmentationObject").is_dir()


def recognises_sbd(path: Path) -> bool:
    """Return True for an SBD folder, or a list of image names in it."""
    root = _sbd_root(path)
    return (root / "inst").is_dir() and (root / "img").is_dir()


def read_voc(path: Path, request: ReadRequest) -> AnnotationSet:
    """Read all segmented images of a VOC folder, or those of a list. Raises as `load_annotations` does."""
    root = _voc_root(path)

    def labels(name: str, width: int, height: int) -> Labels:
        objects = read_label_image(root / "SegmentationObject" / f"{name}.png", width, height)
        classes = read_label_image(root / "SegmentationClass" / f"{name}.png", width, height)
        return objects, lambda mask, _: int(np.bincount(classes[mask]).argmax())

    names = _listed(path) if path.is_file() else _stems(root / "SegmentationObject", ".png")
    return _read(path, request, request.images or root / "JPEGImages", names, labels)


def read_sbd(path: Path, request: ReadRequest) -> AnnotationSet:
    """Read all images of an SBD folder, or those of a list. Raises as `load_annotations` does, and DataError
    when SciPy, which reads its MATLAB files, is not installed."""
    load = _matlab_reader(path)
    root = _sbd_root(path)

    def labels(name: str, width: int, height: int) -> Labels:
        objects, categories = _sbd_labels(load, root / "inst" / f"{name}.mat")
        return checked_labels(objects, width, height), lambda _, value: int(categories[value - 1])

    names = _listed(path) if path.is_file() else _stems(root / "inst", ".mat")
    return _read(path, request, request.images or root / "img", names, labels)


def _voc_root(path: Path) -> Path:
    return path.parent.parent.parent if path.suffix == ".txt" else path


def _sbd_root(path: Path) -> Path:
    return path.parent if path.suffix == ".txt" else path


def _listed(path: Path) -> list[str]:
    return [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _stems(folder: Path, suffix: str) -> list[str]:
    return sorted(file.stem for file in folder.glob(f"*{suffix}"))


def _read(
    path: Path,
    request: ReadRequest,
    folder: Path,
    names: list[str],
    labels: Callable[[str, int, int], Labels],
) -> AnnotationSet:
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: the image {twice} is listed twice; list each once")
    classes = map_classes(PASCAL_CLASSES, request.class_names, request.remap, request.allow_missing)
    log = SkipLog()
    images = []
    for name in names:
        file = folder / f"{name}.jpg"
        try:
            # labels belong to the pixels as stored: both sets were drawn without a look at EXIF
            width, height, _ = read_size(file)
            found = tuple(_instances(labels(name, width, height), classes, log, name))
        except ValueError as error:
            log.add(str(error), name)
            continue
        images.append(ImageRecord(file, width, height, found, classes.labelled, upright=False))
    return finished_set(path.stem, classes.class_names, images, log)


def _instances(labels: Labels, classes: ClassMap, log: SkipLog, name: str) -> Iterator[Instance]:
    objects, category_of = labels
    for region in regions(objects, void=VOID):
        category = category_of(region.mask, region.value)
        if not 1 <= category <= len(PASCAL_CLASSES):
            log.add("object of an unknown category", f"{name}, object {region.value}, category {category}")
            continue
        class_index = classes.index_of.get(PASCAL_CLASSES[category - 1])
        if class_index is not None:
            yield region.instance(class_index)


def _matlab_reader(path: Path) -> Callable[[str], dict[str, Any]]:
    try:
        from scipy.io import loadmat  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise DataError(
            f"{path}: SBD keeps its labels in MATLAB files, which SciPy reads and is not installed; "
            "run `pip install scipy`, or convert the labels to a COCO json"
        ) from None
    reader: Callable[[str], dict[str, Any]] = loadmat
    return reader


def _sbd_labels(
    load: Callable[[str], dict[str, Any]], file: Path
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the object numbers [H, W] and the category, 1..20, of each number. Raises ValueError."""
    if not file.is_file():
        raise ValueError("mask file is missing")
    try:
        truth = load(str(file))["GTinst"][0, 0]
        objects = np.asarray(truth["Segmentation"], dtype=np.int64)
        categories = np.asarray(truth["Categories"], dtype=np.int64).reshape(-1)
    except Exception as error:  # a broken MATLAB file raises whatever its bytes lead SciPy to
        raise ValueError("mask file cannot be read") from error
    if objects.size and not 0 <= objects.min() <= objects.max() <= len(categories):
        raise ValueError("mask file numbers objects that have no category")
    return objects, categories
