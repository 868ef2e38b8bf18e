"""On a device nothing is waited for: no upload, no value asked for, no shape that depends on one."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from model.detection.postprocessing import find
from model.detection.raw_outputs import RawOutputs
from model.network.heads import MaskIoUNet
from model.options import DetectOptions
from model.preprocessing import preprocess
from tests.small_networks import SMALL, SPARSE, Decoding, small_network


class NoUpload(TorchFunctionMode):
    """Fails on what would copy values from the host to the device, which waits for the device."""

    UPLOADS = (torch.tensor, torch.as_tensor, Tensor.new_tensor, torch.from_numpy)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        index = args[1] if func in (Tensor.__getitem__, Tensor.__setitem__) else None
        assert func not in self.UPLOADS, func
        assert not isinstance(index, list), "an index of Python numbers is uploaded"
        return func(*args, **(kwargs or {}))


def meta_outputs(anchors: int, masks: bool) -> RawOutputs:
    """Outputs without values: whatever asks for one, to wait for it or to shape by it, fails."""
    shapes = [(2, anchors, 4), (2, anchors, 4), (2, anchors, 32), (2, 64, 64, 32)]
    parts: list[Tensor | None] = [torch.empty(shape, device="meta") for shape in shapes]
    return RawOutputs(*parts[:3], parts[3] if masks else None)  # type: ignore[arg-type]


@pytest.mark.parametrize("nms", ["fast", "class-agnostic"])
@pytest.mark.parametrize(
    "options", [{}, {"classes": (0, 2)}, {"crop_masks": False}, {"boxes_only": True}, {"iou": True}]
)
def test_finding_has_a_fixed_shape_and_never_waits_for_the_device(nms: str, options: dict[str, Any]):
    boxes_only, rescored = options.get("boxes_only", False), options.get("iou", False)
    settings = {k: v for k, v in options.items() if k in ("classes", "crop_masks")}
    decoder = Decoding(
        dataclasses.replace(SPARSE, image_size=256),
        torch.empty(1500, 4, device="meta"),
        MaskIoUNet(3).to("meta") if rescored else None,
    )
    raw = meta_outputs(1500, masks=not boxes_only)
    chosen = DetectOptions(nms=nms, max_detections=50, **settings)
    find(raw, decoder, chosen)  # what is uploaded once, at the first frame, may be

    with NoUpload():
        result = find(raw, decoder, chosen)

    assert result.boxes.shape == (2, 50, 4)
    assert (result.masks is None) == boxes_only
    assert {tuple(part.shape[:2]) for part in result if part is not None} == {(2, 50)}


def test_preparing_frames_uploads_nothing_once_mean_and_deviation_are_there():
    frames = torch.empty(2, 30, 40, 3, dtype=torch.uint8, device="meta")
    preprocess(frames, SMALL)  # the first time may upload

    with NoUpload():
        assert preprocess(frames, SMALL).shape == (2, 3, 64, 64)


def test_exact_nms_does_wait_and_the_test_above_would_see_it():
    decoder = Decoding(SPARSE, torch.empty(1500, 4, device="meta"))
    with pytest.raises(RuntimeError):  # how a tensor without values answers when it is asked for one
        find(meta_outputs(1500, masks=True), decoder, DetectOptions(nms="exact"))
    with pytest.raises(AssertionError), NoUpload():
        torch.zeros(2).new_tensor([1, 2])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here, which would tell for certain")
def test_a_gpu_is_never_waited_for():
    network = small_network(SMALL).cuda()
    raw = network(torch.rand(1, 3, 64, 64, device="cuda"))
    find(raw, network, DetectOptions(classes=(1,)))
    torch.cuda.set_sync_debug_mode("error")
    try:
        find(raw, network, DetectOptions(classes=(1,)))
    finally:
        torch.cuda.set_sync_debug_mode("default")
