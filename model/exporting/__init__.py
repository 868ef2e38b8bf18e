"""Exporting: the network as a file that other runtimes read, in float32 or in 8-bit integers.

This module names the formats and imports none of what writes them. Importing OpenVINO or NNCF sends usage
statistics unless `refuse_telemetry` of `model.engines.openvino_core` was called before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.exporting.exported import Facts
    from model.network.yolact import Yolact

WriteModel = Callable[["Yolact", Path, "Facts", bool], None]


@dataclass(frozen=True)
class Exporter:
    """One format.

    target: "module:function" of a `WriteModel`; as text, so that a program loads only what it uses. It gets a
            network, the path to write, the facts to write into the file, and whether masks are wanted. It
            writes the file whole or not at all, in float32, so that `read_exported` reads it back, and raises
            SinkError and OSError when it cannot be written
    suffix: of the file
    """

    target: str
    suffix: str

    def load(self) -> WriteModel:
        """Return the function that `target` names."""
        module, _, name = self.target.partition(":")
        function: WriteModel = getattr(import_module(module), name)
        return function


EXPORTERS: dict[str, Exporter] = {
    "onnx": Exporter("model.exporting.onnx_model:write_onnx", ".onnx"),
    "openvino": Exporter("model.exporting.exported:write_network", ".xml"),
}
