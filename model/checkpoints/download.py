"""Download weights of the catalogue into the cache folder and check them against their pinned digest."""

from __future__ import annotations

import os
from pathlib import Path

from model.atomic import replace
from model.checkpoints.catalog import CatalogEntry, resolve_weights
from model.checkpoints.pins import exclusive, pin_or_check, read_pins, sha256_of
from model.checkpoints.transfer import HTTPS_ONLY, Progress, TransferRules, discard, fetch
from model.errors import CheckpointError, DownloadError


def download_weights(
    entry: CatalogEntry,
    *,
    offline: bool = False,
    rules: TransferRules = HTTPS_ONLY,
    progress: Progress | None = None,
) -> Path:
    """Return the path of the file of `entry`, downloaded unless it is there and as pinned.

    A file that is there without a pin (copied by hand) is pinned; one that differs from its pin is
    downloaded anew. Bundled weights need no download. `progress` gets bytes done and bytes in all (None
    if unknown). Raises DownloadError without network, when `offline` or LIVEMASK_OFFLINE forbids it, when
    another process downloads the same file, when a file to be pinned cannot be read by PyTorch or is not the
    one whose digest was published, and when the digest is not the pinned one: nothing is installed then, and
    the pin stays.
    """
    if entry.address is None:
        return resolve_weights(entry.name)
    target = entry.path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(target.with_name(f".{target.name}.guard"), wait=False):
            if not _is_there(entry, target):
                _refuse_offline(entry, offline)
                _install(entry, entry.address, target, rules, progress)
    except BlockingIOError as error:
        raise DownloadError(f"{entry.name} is being downloaded by another process; wait for it") from error
    except OSError as error:
        raise DownloadError(
            f"cannot write {target} ({error}); free some space, or set LIVEMASK_HOME to another folder"
        ) from error
    return target


def is_offline() -> bool:
    """Return True if LIVEMASK_OFFLINE forbids the network: it is set, and not to 0, false or no."""
    return os.environ.get("LIVEMASK_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def _is_there(entry: CatalogEntry, target: Path) -> bool:
    if not target.is_file():
        return False
    pin = read_pins(target.parent).get(entry.name)
    if pin is None:
        complaint = f"{target} is there, but cannot be used; remove it to download it"
        _require_digest(entry, target, complaint)
        _require_weights(target, complaint)
        pin_or_check(target.parent, entry.name, target, entry.address or "")
        return True
    return pin.matches(target)


def _refuse_offline(entry: CatalogEntry, offline: bool) -> None:
    if offline or is_offline():
        reason = "--offline" if offline else "LIVEMASK_OFFLINE"
        raise DownloadError(
            f"{entry.name} has to be downloaded, but {reason} forbids the network; allow it, or fetch "
            f"{entry.address} on another computer and copy it to {entry.path}"
        )


def _install(
    entry: CatalogEntry, address: str, target: Path, rules: TransferRules, progress: Progress | None
) -> None:
    part = target.with_name(target.name + ".part")
    fetch(address, part, rules, progress)
    try:
        if entry.name not in read_pins(target.parent):
            complaint = f"{address}: what the server sent cannot be used, and is not kept"
            _require_digest(entry, part, complaint)
            _require_weights(part, complaint)
        # pinned before it is in place: a file that is in place always has its pin
        pin_or_check(target.parent, entry.name, part, address)
    except DownloadError:
        discard(part)
        raise
    replace(part, target)
    discard(part)


def _require_digest(entry: CatalogEntry, file: Path, complaint: str) -> None:
    """Raise DownloadError on a file that is not the one whose digest was published."""
    digest = sha256_of(file) if entry.digest else ""
    if not digest.startswith(entry.digest):
        raise DownloadError(f"{complaint} (its sha256 is {digest}, and {entry.digest}… was published)")


def _require_weights(file: Path, complaint: str) -> None:
    """Raise DownloadError on a file that PyTorch cannot read: once pinned, it would be trusted for good."""
    from model.checkpoints.file import load, outline  # with PyTorch, which takes seconds and is rarely needed

    try:
        outline(file)
        load(file)  # an older container shows only now that its end is missing
    except CheckpointError as error:
        raise DownloadError(f"{complaint} ({error})") from error
