"""Networks and raw outputs small enough to test with."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from model.config import AnchorConfig, AnchorFreeConfig, BackboneConfig, LossConfig, YolactConfig, preset
from model.detection.boxes import encode
from model.detection.decoding import Decoding
from model.input_shape import InputShape
from model.network.anchors import make_anchors, make_cells
from model.network.heads import AnchorFreeHead, MaskIoUNet
from model.network.layers import NEGATIVE_SLOPE
from model.network.yolact import RawOutputs, Yolact, build_yolact

# a network with anchors and a square input, as the published ones are, for 80 classes
COMPACT = YolactConfig(
    name="compact",
    image_size=416,
    backbone=BackboneConfig("resnet18", width=32),
    anchors=AnchorConfig(
        sides=((24.0,), (48.0,), (96.0,), (192.0,), (320.0,)), ratios=(1.0, 0.5, 0.25), reference_size=416
    ),
    fpn_channels=64,
    protonet_channels=(48, 48),
    protonet_out_channels=32,
    batch_norm=True,
    loss=LossConfig(positive_iou=0.35, negative_iou=0.3, min_negatives=30, max_masks_per_image=40),
)
SMALL = dataclasses.replace(COMPACT, image_size=64, class_names=("cat", "dog", "bird"))
# 0.2 MB of weights
TINY = dataclasses.replace(
    SMALL,
    backbone=BackboneConfig("resnet18", width=8),
    fpn_channels=16,
    protonet_channels=(16,),
    protonet_out_channels=16,
)
# without anchors and with the aspect ratio kept: 0.3 MB of weights
FREE = dataclasses.replace(
    preset("livemask_n"),
    name="free",
    image_size=128,
    class_names=SMALL.class_names,
    backbone=BackboneConfig("csp", width=8),
    fpn_channels=16,
    protonet_channels=(16,),
    protonet_out_channels=16,
    anchor_free=AnchorFreeConfig(mask_channels=16),
)
# one anchor a cell: 8² + 4² + 2² + 1 + 1 = 86 of them
SPARSE = dataclasses.replace(
    SMALL, anchors=AnchorConfig(((16.0,), (24.0,), (32.0,), (48.0,), (64.0,)), (1.0,), reference_size=64)
)


def small_network(config: YolactConfig = SMALL, seed: int = 0) -> Yolact:
    """In evaluation mode, with random weights and batch norms that do something."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_yolact(config)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
                torch.nn.init.uniform_(module.bias, -0.2, 0.2)
                torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
                torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def free_network(config: YolactConfig = FREE, seed: int = 0) -> Yolact:
    """Without anchors, with random weights that are sure of something in any picture."""
    network = small_network(config, seed)
    assert isinstance(network.head, AnchorFreeHead)
    noise = torch.randn(2, 3, 128, 192, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        levels = network.fpn(*network.backbone(noise)[1:])
        for level, tower, last in zip(levels, network.head.tower, network.head.output, strict=True):
            said = last(F.leaky_relu(tower(level), NEGATIVE_SLOPE))
            mean, deviation = said.mean((0, 2, 3)), said.std((0, 2, 3))
            last.weight /= deviation[:, None, None, None]
            last.bias.copy_((last.bias - mean) / deviation)
            last.bias[: config.num_classes] -= 2  # the first rows are the classes'
    return network


def free_outputs(
    config: YolactConfig,
    shape: InputShape,
    objects: list[tuple[tuple[float, float, float, float], dict[int, float]]],
    prototypes: Tensor | None = None,
) -> RawOutputs:
    """What a network without anchors would say of a letterboxed frame that shows just these objects.

    objects: (box, {class: probability}), corners relative to the frame. Object i sits in the cell of the
             finest level that is nearest to its centre, even in the padding. Prototypes as in `raw_outputs`,
             of the padded size.
    """
    cells = make_cells(shape)
    height, width = (side // 4 for side in shape.padded)
    finest = height * width // 4
    logits = torch.full((len(cells), config.num_classes), -20.0)
    distances = torch.full((len(cells), 4), 0.5)
    coefficients = torch.zeros(len(cells), config.num_prototypes)
    coefficients[:, 0] = 1
    for box, of_class in objects:
        low, high = torch.tensor(box).split(2)
        away = (cells[:finest, :2] - (low + high) / 2).norm(dim=1)
        row = int(away.argmin())
        centre, size = cells[row].split(2)
        distances[row] = torch.cat([centre - low, high - centre]) / size.repeat(2)
        for index, probability in of_class.items():
            logits[row, index] = torch.tensor(probability).logit()
    if prototypes is None:
        prototypes = torch.zeros(height, width, config.num_prototypes)
        prototypes[..., 0] = 10
    return RawOutputs(distances[None], logits[None], coefficients[None], prototypes[None])


def decoding(config: YolactConfig = SPARSE, mask_iou_net: MaskIoUNet | None = None) -> Decoding:
    return Decoding(config, make_anchors(config.anchors, config.image_size), mask_iou_net)


def raw_outputs(
    decoder: Decoding,
    objects: list[tuple[tuple[float, float, float, float], dict[int, float]]],
    prototypes: Tensor | None = None,
) -> RawOutputs:
    """What a network would say that sees just these objects: (box, {class: probability}), relative corners.

    Object i sits in anchor i; the first prototype covers the image, and every mask consists of it alone.
    """
    config = decoder.config
    probabilities = torch.zeros(len(decoder.anchors), config.num_classes + 1)
    deltas = torch.zeros(len(decoder.anchors), 4)
    for row, (box, of_class) in enumerate(objects):
        deltas[row] = encode(torch.tensor(box), decoder.anchors[row])
        for index, probability in of_class.items():
            probabilities[row, index + 1] = probability
    probabilities[:, 0] = 1 - probabilities[:, 1:].sum(-1)
    coefficients = torch.zeros(len(decoder.anchors), config.num_prototypes)
    coefficients[:, 0] = 1
    if prototypes is None:
        prototypes = torch.zeros(16, 16, config.num_prototypes)
        prototypes[..., 0] = 10
    logits = probabilities.clamp(min=1e-12).log()
    return RawOutputs(deltas[None], logits[None], coefficients[None], prototypes[None])
