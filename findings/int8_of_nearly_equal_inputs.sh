#!/usr/bin/env bash
# Two inputs that differ by a hundred-thousandth, as two correct ways to resize a picture do, give the same answer to
# nearly four digits in float. Quantised to 8 bits the same network answers a thousand times further apart: a value that is
# rounded up instead of down moves a whole step, and each layer passes that on. Answers of an 8-bit network are thus
# no test of what comes before it; those in float are. Exit 0 while that is so.
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

LAYERS, CHANNELS, NOISE = 8, 16, 1e-5
print("OpenVINO", ov.__version__, "NNCF", nncf.__version__)


def network():
    rng = np.random.default_rng(0)
    given = ops.parameter([1, 3, 64, 64], np.float32)
    x = given
    for layer in range(LAYERS):
        inputs = 3 if layer == 0 else CHANNELS
        spread = (2 / (9 * inputs)) ** 0.5  # keeps the size of the values from layer to layer
        kernel = ops.constant(rng.normal(0, spread, (CHANNELS, inputs, 3, 3)).astype(np.float32))
        x = ops.relu(ops.convolution(x, kernel, [1, 1], [1, 1], [1, 1], [1, 1]))
    return ov.Model([ops.result(x)], [given])


rng = np.random.default_rng(1)
images = [rng.normal(size=(1, 3, 64, 64)).astype(np.float32) for _ in range(8)]
moved = [(image + rng.normal(0, NOISE, image.shape)).astype(np.float32) for image in images]
plain = network()
models = {"float": plain, "int8": nncf.quantize(network(), nncf.Dataset(images), subset_size=len(images))}
core, apart = ov.Core(), {}
for kind, model in models.items():
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answers = [(compiled(one)[0].copy(), compiled(other)[0].copy()) for one, other in zip(images, moved)]
    spread = np.std(answers[0][0])
    apart[kind] = float(max(np.abs(one - other).max() for one, other in answers) / spread)
    print(f"{kind}: inputs {NOISE:g} apart, answers {apart[kind]:.2g} of their spread apart")
as_expected = apart["float"] < 1e-3 and apart["int8"] > 100 * apart["float"]
print("seen:", "as described" if as_expected else "another behaviour")
sys.exit(0 if as_expected else 1)
PYTHON
