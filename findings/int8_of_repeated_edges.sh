#!/usr/bin/env bash
# Repeated edges, written as slices that are joined to a map, and as one padding of mode "edge", are the same
# numbers. To 8-bit quantisation they are not: with slices, NNCF quantises each slice and the map by themselves in
# front of the joining, three roundings for each convolution; with the padding there is one. Exit 0 while that is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 nncf==3.4.0 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys

# its import reports its use unless the reporting package is absent
sys.modules["openvino_telemetry"] = None
logging.disable(logging.WARNING)
import numpy as np
import nncf
import openvino as ov
from openvino import opset13 as ops

LAYERS, CHANNELS = 4, 16
print("OpenVINO", ov.__version__, "NNCF", nncf.__version__)


def whole(values):
    return ops.constant(np.array(values, np.int64))


def padded(x):
    return ops.pad(x, whole([0, 0, 1, 1]), whole([0, 0, 1, 1]), "edge")


def joined(x):
    for axis in (2, 3):
        first = ops.slice(x, whole([0]), whole([1]), whole([1]), whole([axis]))
        last = ops.slice(x, whole([-1]), whole([2**31]), whole([1]), whole([axis]))
        x = ops.concat([first, x, last], axis)
    return x


def network(pad):
    rng = np.random.default_rng(0)
    given = ops.parameter([1, 3, 64, 64], np.float32)
    x = given
    for layer in range(LAYERS):
        inputs = 3 if layer == 0 else CHANNELS
        kernel = ops.constant(rng.normal(0, 0.2, (CHANNELS, inputs, 3, 3)).astype(np.float32))
        x = ops.convolution(pad(x), kernel, [1, 1], [0, 0], [0, 0], [1, 1])
        x = ops.relu(x)
    return ov.Model([ops.result(x)], [given])


def roundings(model):
    return sum(node.get_type_name() == "FakeQuantize" for node in model.get_ops())


images = [np.random.default_rng(n).normal(size=(1, 3, 64, 64)).astype(np.float32) for n in range(4)]
core = ov.Core()
both = {"slices": network(joined), "padding": network(padded)}
answers = {k: core.compile_model(m, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(images[0])[0] for k, m in both.items()}
print("largest difference in float:", float(np.abs(answers["slices"] - answers["padding"]).max()))
found = {}
for kind, model in both.items():
    found[kind] = roundings(nncf.quantize(model, nncf.Dataset(images), subset_size=len(images)))
    print(f"{kind}: {found[kind]} FakeQuantize for {LAYERS} convolutions")
same = np.abs(answers["slices"] - answers["padding"]).max() < 1e-4
as_expected = same and found == {"slices": 3 * LAYERS, "padding": LAYERS}
print("seen:", "as described" if as_expected else "another behaviour")
sys.exit(0 if as_expected else 1)
PYTHON
