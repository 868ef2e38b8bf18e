"""Find the images of a COCO json, in the folders and under the spellings that labelling tools use."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from model.errors import DataError

_LOOKED_AT = 50  # names that decide which folder comes first
_MOST_SUBFOLDERS = 200
_SHOWN = 3


class ImagePlaces:
    """Mapping from the names in a json to the files found.

    file:  the json that holds the names
    given: the folder of the images where one was named; else the usual ones beside the json are searched

    Raises DataError, with the names and folders searched, when none is found.
    """

    def __init__(self, file: Path, names: Iterable[str], given: Path | None = None) -> None:
        names = list(dict.fromkeys(names))
        self._folders = _ranked(_folders(file, given), names)
        self._beneath = _subfolders(file, given)
        self._listing = cache(_listing)
        self._found = self._find_all(names)
        if not self._found:
            shown = [str(folder) for folder in self._folders if folder.is_dir()]
            looked = ", ".join(dict.fromkeys([str(self._folders[0]), *shown]))
            some = "; ".join(spelled(name) for name in names[:_SHOWN])
            more = "; …" if len(names) > _SHOWN else ""
            raise DataError(
                f"{file}: none of its {len(names)} images was found in {looked}; looked for {some}{more}; "
                "say where they are"
            )

    def __getitem__(self, name: str) -> Path:
        """Return the path of the file, or the expected one if it was not found."""
        return self._found.get(name) or self._folders[0] / name

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def _find_all(self, names: list[str]) -> dict[str, Path]:
        found: dict[str, Path] = {}
        loose: dict[str, Path] = {}
        for name in names:
            path = _first(self._folders, _spellings(name))
            if path is not None:
                found[name] = path
            elif (path := self._by_tail(name)) is not None:
                loose[name] = path
        # without their folders two names may be the same: then neither gets the file
        taken = Counter([*found.values(), *loose.values()])
        return found | {name: path for name, path in loose.items() if taken[path] == 1}

    def _by_tail(self, name: str) -> Path | None:
        """Find a file by the last parts of its name, or in the only subfolder that has it."""
        tails = _tails(name)
        every = [*_spellings(name), *tails]
        return _first(self._folders, tails) or self._only_beneath(every) or self._by_case(every)

    def _by_case(self, spellings: list[str]) -> Path | None:
        """Find the only file of that name when upper and lower case are ignored."""
        for spelling in spellings:
            above, _, last = spelling.rpartition("/")
            for folder in self._folders:
                found = self._listing(str(folder / above)).get(last.casefold(), [])
                if len(found) == 1 and found[0].is_file():
                    return found[0]
        return None

    def _only_beneath(self, spellings: list[str]) -> Path | None:
        there = (_first([folder], spellings) for folder in self._beneath)
        found = list(islice((path for path in there if path is not None), 2))
        return found[0] if len(found) == 1 else None


def spelled(name: str) -> str:
    """Return the name with the other spellings that were searched, for messages."""
    others = [other for other in (*_spellings(name), *_tails(name)) if other != name]
    return f"{name} (also as {', '.join(dict.fromkeys(others))})" if others else name


def _folders(file: Path, given: Path | None) -> list[Path]:
    """Return the usual folders, those of the json's own split first."""
    splits = _splits(file)
    if given is not None:
        beneath = [base / split for split in splits for base in (given, given / "images")]
        return [given, *beneath, given / "images"]
    here, above = file.parent, file.parent.parent
    # annotations/instances_train2017.json belongs to train2017/, as COCO's own archives unpack, or to
    # images/train2017/
    own = [base / split for split in splits for base in (here / "images", here, above, above / "images")]
    own += [base / split / "images" for split in splits for base in (here, above)]
    return [here / "images", here, *own, above / "images", here / "data", above / "data", above]


def _splits(file: Path) -> list[str]:
    """Return candidates for the name of the split, from the json's file name."""
    stem = file.stem.removesuffix(".coco")
    names = (stem.rpartition("_")[2], stem.partition("_")[2], stem)
    return [name for name in dict.fromkeys(names) if name]


def _subfolders(file: Path, given: Path | None) -> list[Path]:
    bases = [file.parent / "images", file.parent.parent / "images"]
    if given is not None:
        bases = [given, given / "images"]
    found: list[Path] = []
    for base in bases:
        try:
            found += islice((entry for entry in sorted(base.iterdir()) if entry.is_dir()), _MOST_SUBFOLDERS)
        except OSError:
            continue
    return list(dict.fromkeys(found))


def _ranked(folders: list[Path], names: list[str]) -> list[Path]:
    """Sort the folders by the number of the first names that they hold."""
    folders = list(dict.fromkeys(folders))
    first = names[:_LOOKED_AT]
    hits = {
        folder: sum(_first([folder], _spellings(name)) is not None for name in first) for folder in folders
    }
    return sorted(folders, key=lambda folder: -hits[folder])


def _first(folders: list[Path], spellings: list[str]) -> Path | None:
    for spelling in spellings:
        for folder in folders:
            # not pathlib, which takes several times as long; False for a name that no file can have
            if os.path.isfile(path := os.path.join(folder, spelling)):  # noqa: PTH113, PTH118
                return Path(path)
    return None


def _listing(folder: str) -> dict[str, list[Path]]:
    """Return the entries of a folder by their names in lower case; empty without the folder."""
    found: dict[str, list[Path]] = {}
    try:
        for entry in Path(folder).iterdir():
            found.setdefault(entry.name.casefold(), []).append(entry)
    except (OSError, ValueError):
        return {}
    return found


def _spellings(name: str) -> list[str]:
    """Return the name as it is, with slashes, without URL escapes, and in both Unicode forms."""
    plain = name.replace("\\", "/")
    found = [name, plain, unquote(plain)]
    found += [unicodedata.normalize(form, unquote(plain)) for form in ("NFC", "NFD")]
    return list(dict.fromkeys(found))


def _tails(name: str) -> list[str]:
    """Return the name without its first folders, one after the other; for a URL, those of its path."""
    tails: list[str] = []
    for spelling in (name.replace("\\", "/"), _path_of(name)):
        parts = [part for part in spelling.split("/") if part not in ("", ".", "..")]
        tails += ["/".join(parts[i:]) for i in range(len(parts))]
    return [tail for tail in dict.fromkeys(tails) if tail not in _spellings(name)]


def _path_of(name: str) -> str:
    """Return the path of a URL, or its parameter `d` as some labelling servers use it."""
    plain = name.replace("\\", "/")
    try:
        address = urlsplit(plain)
        inner = parse_qs(address.query).get("d", [])
    except ValueError:
        return unquote(plain)
    if inner:
        return inner[0]
    return unquote(address.path if "://" in plain else plain)
