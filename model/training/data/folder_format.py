"""Read a plain folder: `images/NAME.jpg` with `masks/NAME.png` or `masks/CLASS/NAME.png`.

Each non-zero value of a mask is one object. With a folder a class, an image counts as labelled for the
classes that have a mask of it; an all-zero mask says that there is none of that class.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from model.errors import DataError
from model.training.data.annotations import AnnotationSet, ImageRecord, Instance, SkipLog, finished_set
from model.training.data.class_map import ClassMap, map_classes
from model.training.data.coverage import named_classes
from model.training.data.image_files import labels_are_upright, read_size
from model.training.data.label_images import read_label_image, regions
from model.training.data.reading import ReadRequest

ONLY_CLASS = "object"  # the category name of masks that lie in no class folder
_IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def recognises_folder(path: Path) -> bool:
    """Return True for a folder that has a folder `masks`."""
    return (path / "masks").is_dir()


def read_folder(path: Path, request: ReadRequest) -> AnnotationSet:
    """Return the images of the folder that have a mask. Raises as `load_annotations` does."""
    folders = _mask_folders(path)
    classes = map_classes(list(folders), request.class_names, request.remap, request.allow_missing)
    log = SkipLog()
    images = []
    for file in _image_files(request.images or path / "images"):
        try:
            record = _record(file, folders, classes)
        except ValueError as error:
            log.add(str(error), file.name)
        else:
            images.append(record)
    return finished_set(path.name, classes.class_names, images, log)


def _mask_folders(path: Path) -> dict[str, Path]:
    """Return the folder of masks of each category."""
    masks = path / "masks"
    folders = sorted(entry for entry in masks.iterdir() if entry.is_dir())
    if not folders:
        return {ONLY_CLASS: masks}
    if any(masks.glob("*.png")):
        raise DataError(f"{masks}: holds both masks and class folders; put every mask into a class folder")
    return {folder.name: folder for folder in folders}


def _image_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder of images; say where they are")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _IMAGE_SUFFIXES)
    if not files:
        raise DataError(f"{folder}: holds no image ({', '.join(sorted(_IMAGE_SUFFIXES))})")
    for first, second in pairwise(files):
        if first.stem == second.stem:
            raise DataError(
                f"{folder}: {first.name} and {second.name} would share the mask {first.stem}.png; rename one"
            )
    return files


def _record(file: Path, folders: dict[str, Path], classes: ClassMap) -> ImageRecord:
    masks = {name: folder / f"{file.stem}.png" for name, folder in folders.items()}
    masks = {name: mask for name, mask in masks.items() if mask.is_file()}
    if not masks:
        raise ValueError("image without a mask file")
    labelled = named_classes(masks, folders, classes)
    if not labelled:
        raise ValueError("image in which none of the classes was labelled")
    used = {mask: index for name, mask in masks.items() if (index := classes.index_of.get(name)) in labelled}
    width, height, _ = read_size(next(iter(used)))
    found = [i for mask, index in used.items() for i in _instances(mask, width, height, index)]
    return ImageRecord(
        file,
        width,
        height,
        tuple(found),
        None if len(labelled) == len(classes.class_names) else labelled,
        upright=labels_are_upright(file, width, height),
    )


def _instances(mask: Path, width: int, height: int, class_index: int) -> Iterator[Instance]:
    for region in regions(read_label_image(mask, width, height)):
        yield region.instance(class_index)
