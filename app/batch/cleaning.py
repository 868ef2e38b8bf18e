"""Removes what killed tries have left: parts of outputs, claims and drafts that nobody works on."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from app.batch.claims import LONG_SILENCE, claims_in, is_abandoned, remove_claims
from app.batch.publishing import remove_folder, size_of
from app.batch.store import DRAFT, BatchFolder


@dataclass(frozen=True)
class Swept:
    """Counts of folders of parts that were removed, of their bytes, and of claims; `busy` tries go on."""

    parts: int
    size: int
    claims: int
    busy: int


def sweep(folder: BatchFolder, drafts: bool = False) -> Swept:
    """Remove what nobody works on. Finished outputs and their records are not touched.

    drafts: look for drafts of records too, which is slow where there are many records
    """
    parts = _entries(folder.work)  # before the claims: whoever begins a part has claimed its video already
    claims = claims_in(folder.claims)
    dead = [claim for claim in claims.values() if is_abandoned(folder.claims, claim)]
    alive = claims.keys() - {claim.key for claim in dead}
    parts = [part for part in parts if part.name.partition(".")[0] not in alive]
    size = sum(size_of(part) or 0 for part in parts)
    for part in parts:
        remove_folder(part)
    for claim in dead:
        remove_claims(folder.claims, claim.key, claim.number)
    for draft in folder.root.rglob(f".*{DRAFT}") if drafts else ():
        with contextlib.suppress(OSError):
            if time.time() - draft.stat().st_mtime > LONG_SILENCE:
                draft.unlink()
    return Swept(len(parts), size, len(dead), len(alive))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
