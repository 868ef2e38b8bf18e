"""From frame to detections on tensors that pretend to be on a GPU: shapes and devices, but no values.

Whatever needs a value on the host, has a shape that depends on values, or mixes devices, raises there.
"""

import dataclasses

import pytest
import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode

import model.detection.decoding
import model.detection.postprocessing
import model.preprocessing
from model import preprocess
from model.config import PRESETS
from model.detection.decoding import for_frames
from model.detection.postprocessing import Found, find
from model.network.yolact import build_yolact
from model.options import DetectOptions
from tests.small_networks import COMPACT, FREE

pytestmark = pytest.mark.skipif(not torch.backends.cuda.is_built(), reason="PyTorch is built without CUDA")

CONFIGS = {
    "compact": dataclasses.replace(COMPACT, class_names=("a", "b", "c")),
    "without anchors": dataclasses.replace(FREE, image_size=320),
    "published": PRESETS["yolact_resnet50"],
    "re-scored": PRESETS["yolact_plus_resnet50"],
}


@pytest.fixture(autouse=True)
def nothing_is_kept():
    """What is uploaded once and kept must not be a pretence of another test."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    model.detection.postprocessing._class_index.cache_clear()
    model.detection.postprocessing._per_class.cache_clear()
    model.detection.decoding._cells.cache_clear()
    model.preprocessing._per_channel.cache_clear()


def detect(config, options: DetectOptions) -> Found:
    with FakeTensorMode():
        with torch.device("cuda"):
            network = build_yolact(config).eval()
        frames = torch.empty(2, 300, 400, 3, dtype=torch.uint8, device="cuda")
        raw, decoder = for_frames(network(preprocess(frames, config)), network, (300, 400))
        return find(raw, decoder, options)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize(
    "options",
    [
        DetectOptions(),
        DetectOptions(nms="class-agnostic", max_detections=20),
        DetectOptions(classes=(0, 2)),
        DetectOptions(crop_masks=False),
    ],
    ids=["fast", "class-agnostic", "some classes", "uncropped"],
)
def test_detection_has_a_fixed_shape_and_never_leaves_the_device(config, options):
    found = detect(config, options)
    assert found.boxes.shape == (2, options.max_detections, 4)
    assert found.masks is not None
    assert {part.device.type for part in found if part is not None} == {"cuda"}


def test_exact_nms_is_the_one_whose_shapes_depend_on_values():
    with pytest.raises(DynamicOutputShapeException):
        detect(CONFIGS["compact"], DetectOptions(nms="exact"))
