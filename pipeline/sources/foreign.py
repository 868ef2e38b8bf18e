"""Photographs that are recognised, so that they are refused in clear words and not taken for videos."""

from __future__ import annotations

from pathlib import Path

from model.errors import SourceError

_HEIC = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"hevm", b"hevs")
_AVIF = (b"avif",)
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")

HEIC_BRANDS = frozenset(brand.decode() for brand in (*_HEIC, *_AVIF))
"""Marks by which a container says that it holds photographs, where FFmpeg takes it for one of videos."""


def refusal(path: Path) -> str:
    """Return a message about a photograph of an unsupported format, with what to do; "" for anything else."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return ""
    if head[4:8] == b"ftyp" and head[8:12] in _AVIF:
        return "an AVIF photograph, which wants Pillow 11.3 or newer"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC:
        return "a HEIC photograph; install the package pillow-heif, which reads it, or convert it to JPEG"
    if head.startswith(_JXL):
        return "a JPEG XL photograph, which cannot be read here; convert it to JPEG or PNG"
    return ""


def refuse_photograph(name: str, brand: str) -> None:
    """Raise SourceError where a container's main brand is that of photographs."""
    if brand.strip() in HEIC_BRANDS:
        raise SourceError(f"{name}: a photograph (HEIC or AVIF); expected a video. Annotate it as an image")
