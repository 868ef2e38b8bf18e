"""Read and write exported models, which hold the facts of their origin; files are checked when read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast
from xml.etree import ElementTree

from model.atomic import draft_folder
from model.checkpoints.pins import sha256_of
from model.config import AnchorConfig, YolactConfig
from model.config_limits import check_limits
from model.engines.openvino_core import openvino_core, refuse_telemetry
from model.errors import CheckpointError, ConfigError, SinkError
from model.exporting.interface import INPUT, input_sides
from model.outputs import BOX_OUTPUTS, PROTOTYPES

if TYPE_CHECKING:
    import openvino

    from model.network.yolact import Yolact

Precision = Literal["fp32", "int8"]

SECTION = "livemask"
VERSION = "1"
INT8_SUFFIX = ".int8.xml"
NETWORK = "network"
"""Key of the kind of network, which files of YOLACT lack."""

# the facts stand at the end of the xml, behind the graph; with 10,000 class names they would still fit
_TAIL = 4 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Facts:
    """Metadata of an exported file.

    config:  of the network, with the input size that the file is for
    digest:  SHA-256, in hex, of the weights file that it was made from
    licence: of the weights, as text
    """

    config: YolactConfig
    digest: str
    precision: Precision
    licence: str = ""

    def to_texts(self) -> dict[str, str]:
        """Return the facts as they are stored: one text a key."""
        return stored_texts(self.config.to_dict(), self.digest, self.precision, self.licence)

    @staticmethod
    def from_texts(texts: Mapping[str, str]) -> Facts:
        """Invert `to_texts`. Raises CheckpointError on missing or invalid values."""
        digest, precision = checked_origin(texts)
        if NETWORK in texts:
            raise CheckpointError(
                "it is the dense pass of a proposal network, which runs with the weights that it was made "
                "from; keep it beside them and name those"
            )
        config = _config(texts.get("config", ""))
        return Facts(config, digest, precision, texts.get("licence", ""))


def stored_texts(config: dict[str, Any], digest: str, precision: Precision, licence: str) -> dict[str, str]:
    """Return what every exported file says of its origin: one text a key."""
    return {
        "version": VERSION,
        "config": json.dumps(config, ensure_ascii=True),
        "digest": digest,
        "precision": precision,
        "licence": licence,
    }


def checked_origin(texts: Mapping[str, str]) -> tuple[str, Precision]:
    """Return digest and precision of an exported file. Raises CheckpointError on invalid values."""
    if texts.get("version") != VERSION:
        raise CheckpointError(f"it is of version {texts.get('version')!r}, expected {VERSION!r}")
    digest, precision = texts.get("digest", ""), texts.get("precision", "")
    if precision not in ("fp32", "int8") or not _DIGEST.fullmatch(digest):
        raise CheckpointError(f"its precision {precision[:20]!r} or digest {digest[:80]!r} makes no sense")
    return digest, cast(Precision, precision)


class StoredFacts(Protocol):
    """Metadata of an exported file, of either kind of network."""

    def to_texts(self) -> dict[str, str]:
        """Return the facts as they are stored: one text a key."""


@dataclass(frozen=True, eq=False)
class Exported:
    """An exported model and its metadata.

    `model` is an OpenVINO model as `to_openvino` returns it, whatever the format of the file.
    """

    facts: Facts
    model: openvino.Model

    @property
    def has_masks(self) -> bool:
        """False when it was exported for boxes only."""
        return PROTOTYPES in _names(self.model)


def read_exported(path: Path) -> Exported:
    """Read an `.xml` file, with the `.bin` beside it, or an `.onnx` file that this project exported.

    Nothing in the file is executed. Raises CheckpointError when it is absent, broken, cut short, of another
    program, or no network of the configuration that it names.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; `export` writes one")
    try:
        if path.suffix.lower() == ".onnx":
            model = openvino_core().read_model(path)
            facts = Facts.from_texts(_texts_of_onnx(model))
        else:
            facts = read_facts(path)
            model = openvino_core().read_model(path, binary_of(path))
        _check(model, facts.config)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except RuntimeError as error:  # OpenVINO's only kind; its message names its own source lines
        reason = str(error).strip().splitlines()[-1]
        raise CheckpointError(f"{path}: broken, or cut short ({reason}); export it again") from error
    return Exported(facts, model)


def int8_beside(weights: Path) -> Path | None:
    """Return `STEM.int8.xml` beside a weights file if it was made from that very file, else None.

    Only the end of the xml is read; a broken file gives None.
    """
    path = weights.with_name(weights.stem + INT8_SUFFIX)
    try:
        digest, precision = checked_origin(read_texts(path))
        return path if precision == "int8" and digest == sha256_of(weights) else None
    except (CheckpointError, OSError):
        return None


def read_facts(path: Path) -> Facts:
    """Read the facts of an `.xml` file of YOLACT. Raises CheckpointError, without the path."""
    return Facts.from_texts(read_texts(path))


def read_texts(path: Path) -> dict[str, str]:
    """Read the metadata of an `.xml` file from its end. Raises CheckpointError, without the path."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            tail = file.read()
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror or error}") from error
    # the graph's nodes have such a section too, but the model's own comes last
    _, start, section = tail.rpartition(b"<rt_info>")
    content, end, _ = section.partition(b"</rt_info>")
    try:
        found = ElementTree.fromstring(start + content + end).find(SECTION)
    except ElementTree.ParseError:
        found = None
    if found is None:
        raise CheckpointError(
            "not a model that LiveMask exported, or a truncated one; expected the .xml file, or the .onnx "
            "file, that `export` wrote"
        )
    return {part.tag: part.get("value", "") for part in found}


def write_network(network: Yolact, path: Path, facts: Facts, with_masks: bool = True) -> None:
    """Write a network, its batch norms folded away, as `write_openvino` does, in float32."""
    from model.exporting.openvino_model import to_openvino  # here, since reading needs no PyTorch

    write_openvino(to_openvino(network, with_masks), path, facts)


def write_openvino(model: openvino.Model, path: Path, facts: StoredFacts) -> None:
    """Write a model and its facts to `path`, an `.xml`, and the `.bin` beside it, as `draft_folder` does.

    `model` gets the facts. Raises SinkError when they cannot be written, and OSError.
    """
    refuse_telemetry()
    from openvino import save_model

    for key, text in facts.to_texts().items():
        model.set_rt_info(text, [SECTION, key])
    with draft_folder(path) as draft:
        try:
            save_model(model, draft, compress_to_fp16=False)
        except RuntimeError as error:  # OpenVINO's only kind
            raise SinkError(f"{path}: cannot be written; is the disk full? ({error})") from error


def binary_of(path: Path) -> Path:
    """Return the file of the weights beside an `.xml` file."""
    return path.with_suffix(".bin")


def _names(model: openvino.Model) -> set[str]:
    return {name for output in model.outputs for name in output.get_names()}


def _config(text: str) -> YolactConfig:
    try:
        config = YolactConfig.from_dict(json.loads(text))
        check_limits(config)
    except (ConfigError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"its configuration makes no sense: {error}") from error
    return config


def _texts_of_onnx(model: openvino.Model) -> dict[str, str]:
    """Return the file's `metadata_props`, which OpenVINO's reader keeps."""
    prefix = f"{SECTION}."
    if not model.has_rt_info("framework"):
        raise CheckpointError("not a model that LiveMask exported; expected the file that `export` wrote")
    kept = cast("dict[str, Any]", model.get_rt_info("framework").value)
    texts = {key: getattr(value, "value", value) for key, value in kept.items()}
    return {key.removeprefix(prefix): str(text) for key, text in texts.items() if key.startswith(prefix)}


def _check(model: openvino.Model, config: YolactConfig) -> None:
    """Raise CheckpointError unless inputs and outputs are those of a network of this configuration."""
    from openvino import PartialShape, Type

    names, free = _names(model), config.keeps_aspect_ratio
    anchors, half = (-1, -1) if config.anchors is None else _counts(config.anchors, config.image_size)
    logits = config.num_classes + (0 if free else 1)
    widths = dict(zip(BOX_OUTPUTS, (4, logits, config.num_coefficients), strict=True))
    wanted = {name: [-1, anchors, width] for name, width in widths.items()}
    if PROTOTYPES in names:
        wanted[PROTOTYPES] = [-1, half, half, config.num_prototypes]
    if len(model.inputs) != 1 or names != wanted.keys() or INPUT not in model.input(0).get_names():
        raise CheckpointError(f"its outputs are {', '.join(sorted(names))}; expected {', '.join(wanted)}")
    for port, shape in {INPUT: [-1, 3, *input_sides(config)], **wanted}.items():
        found = model.input(0) if port == INPUT else model.output(port)
        wanted_shape = PartialShape(shape)
        if not found.partial_shape.compatible(wanted_shape) or found.element_type != Type.f32:
            raise CheckpointError(f"{port} is {found.partial_shape}, expected {wanted_shape} f32")


def _counts(config: AnchorConfig, image_size: int) -> tuple[int, int]:
    """Return the number of anchors and the side of the prototypes."""
    from model.anchors import grid_sides

    sides = grid_sides(image_size)
    return sum(cells**2 for cells in sides) * config.per_cell, 2 * sides[0]
