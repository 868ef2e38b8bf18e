"""The flags of `export` as one frozen record, and the files that they name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model.checkpoints.catalog import resolve_weights
from model.errors import ConfigError, SinkError
from model.exporting import EXPORTERS

CALIBRATION_IMAGES = 256


@dataclass(frozen=True)
class ExportOptions:
    """Options of `export`.

    format:      a key of `EXPORTERS`
    image_size:  side of the network's input in pixels, None for the weights' own
    calibration: folders of photographs for int8, of which `calibration_images` are taken at most
    data:        labelled images to compare on, with their folder `images` and the values of "coverage"
    tolerance:   limits other than the default ones, by their names
    """

    format: str
    weights: str | None
    image_size: int | None
    masks: bool
    output: Path
    overwrite: bool
    json: bool
    int8: bool
    calibration: list[Path] | None
    calibration_images: int
    data: Path | None
    images: Path | None
    coverage: list[str]
    tolerance: list[tuple[str, float]]

    @property
    def path(self) -> Path:
        """The file to write, an `.xml` or `.onnx`. Raises ConfigError where it cannot be one."""
        suffix, out = EXPORTERS[self.format].suffix, self.output
        if out.suffix.lower() in {exporter.suffix for exporter in EXPORTERS.values()} and not out.is_dir():
            if out.suffix.lower() != suffix:
                raise ConfigError(f"{out}: a file of --format {self.format} is named *{suffix}")
            return out
        if out.exists() and not out.is_dir():
            raise ConfigError(f"{out} is a file, expected a folder (or a name ending in {suffix})")
        stem = resolve_weights(self.weights).stem
        precision = "" if self.format == "onnx" else ".int8" if self.int8 else ".fp32"
        return out / f"{stem}{precision}{suffix}"

    @property
    def files(self) -> list[Path]:
        """Files of the exported model."""
        path = self.path
        return [path, path.with_suffix(".bin")] if self.format == "openvino" else [path]

    def check(self) -> None:
        """Refuse what can be told to be wrong before PyTorch is loaded. Raises ConfigError, SinkError."""
        if self.int8 and self.format != "openvino":
            raise ConfigError("int8 is made for OpenVINO only; choose `--format openvino`")
        if self.int8 and self.calibration is None:
            raise ConfigError(
                "--int8 needs --calibration FOLDER, photographs like those the network will see"
            )
        if self.calibration is not None and not self.int8:
            raise ConfigError("--calibration is for --int8; name images to compare on with --data")
        if self.coverage and self.data is None:
            raise ConfigError("--coverage chooses images of --data; name a COCO json there")
        weights = resolve_weights(self.weights)
        for file in self.files:
            if file.exists() and file.samefile(weights):
                raise ConfigError(f"{file} is the weights file and would be written over; choose another OUT")
            if file.exists() and not self.overwrite:
                raise SinkError(f"{file} exists; use --overwrite, or choose another OUT")
