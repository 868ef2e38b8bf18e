"""The network: shapes of what it says, its parts, its cost, and folding batch norms away."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from model.config import PRESETS, BackboneConfig, YolactConfig, preset
from model.errors import ConfigError
from model.input_shape import input_shape
from model.network.anchors import starting_boxes
from model.network.fpn import FPN
from model.network.heads import MaskIoUNet, PredictionHead
from model.network.layers import conv
from model.network.protonet import ProtoNet
from model.network.yolact import build_yolact, fuse_batch_norms
from tests.small_networks import FREE, SMALL, small_network


def on_meta(config: YolactConfig) -> nn.Module:
    with torch.device("meta"):
        return build_yolact(config)


@pytest.mark.parametrize("name", PRESETS)
def test_raw_outputs_have_the_shapes_of_their_configuration(name: str):
    config = PRESETS[name]
    # deform_conv2d has no kernel for shapes alone
    config = dataclasses.replace(config, backbone=dataclasses.replace(config.backbone, deformable_interval=0))
    network = on_meta(config)
    # where it may be anything, an input that is no square
    shape = input_shape(config, (720, 1280))
    rows, columns = (-(-side // 8) for side in shape.padded)

    raw = network(torch.empty(2, 3, *shape.padded, device="meta"))

    anchors = len(starting_boxes(config, shape))
    background = 0 if config.keeps_aspect_ratio else 1
    assert raw.box_deltas.shape == (2, anchors, 4)
    assert raw.class_logits.shape == (2, anchors, config.num_classes + background)
    assert raw.mask_coefficients.shape == (2, anchors, config.num_coefficients)
    assert raw.prototypes.shape == (2, 2 * rows, 2 * columns, 32)
    assert raw.semantic_logits.shape == (2, config.num_classes, rows, columns)
    if config.keeps_aspect_ratio:
        assert raw.box_distribution.shape == (2, anchors, 4, 11)
    else:
        assert raw.box_distribution is None
    assert {part.dtype for part in raw if part is not None} == {torch.float32}


def test_a_prototype_map_at_550_pixels_is_138_wide():
    network = on_meta(preset("yolact_resnet50"))
    assert network(torch.empty(1, 3, 550, 550, device="meta")).prototypes.shape == (1, 138, 138, 32)


def test_a_deformable_network_runs_and_keeps_the_shapes():
    config = dataclasses.replace(
        SMALL, backbone=BackboneConfig("resnet50", width=8, deformable_interval=1), mask_iou=True
    )
    network = small_network(config)
    with torch.inference_mode():
        raw = network(torch.rand(1, 3, 64, 64))
    assert raw.box_deltas.shape == (1, len(network.anchors), 4)
    assert isinstance(network.mask_iou_net, MaskIoUNet)


@pytest.mark.parametrize(
    ("name", "billions"), [("livemask_n", 2.6), ("livemask_s", 4.5), ("livemask_m", 6.2)]
)
def test_the_compact_networks_cost_what_they_promise_on_a_wide_frame(name: str, billions: float):
    network = on_meta(preset(name)).eval()
    sides = input_shape(network.config, (720, 1280)).padded
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, *sides, device="meta"))
    assert counter.get_total_flops() / 1e9 == pytest.approx(billions, rel=0.2)


def test_evaluation_mode_says_nothing_of_semantics_and_boxes_only_skips_the_protonet():
    network = small_network()
    ran = []
    network.protonet.register_forward_hook(lambda *_: ran.append("protonet"))
    images = torch.rand(1, 3, 64, 64)

    with torch.inference_mode():
        full, boxes = network(images), network(images, with_masks=False)

    assert full.semantic_logits is None
    assert boxes.prototypes is None
    assert ran == ["protonet"]
    assert torch.equal(full.class_logits, boxes.class_logits)


def test_prototypes_are_not_negative_and_coefficients_lie_in_minus_one_to_one():
    with torch.inference_mode():
        raw = small_network()(torch.randn(2, 3, 64, 64) * 3)
    assert float(raw.prototypes.min()) >= 0
    assert float(raw.mask_coefficients.abs().max()) <= 1


def test_an_image_of_the_batch_says_the_same_alone():
    network, images = small_network(), torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        both, second = network(images), network(images[1:])
    torch.testing.assert_close(both.box_deltas[1:], second.box_deltas)
    torch.testing.assert_close(both.prototypes[1:], second.prototypes)


@pytest.mark.parametrize("shape", [(1, 3, 64, 48), (1, 3, 50, 64), (1, 1, 64, 64), (3, 64, 64)])
def test_a_network_that_keeps_the_aspect_ratio_refuses_what_is_not_padded(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"shape \[B, 3, h, w\], h and w multiples of 32, got"):
        small_network(FREE)(torch.zeros(shape))


def test_a_network_that_keeps_the_aspect_ratio_takes_inputs_of_several_shapes_one_after_another():
    network = small_network(FREE)
    with torch.inference_mode():
        for rows, columns in ((64, 96), (96, 32), (128, 128)):
            raw = network(torch.rand(1, 3, rows, columns))
            assert raw.prototypes.shape == (1, rows // 4, columns // 4, FREE.num_prototypes)
            assert raw.box_deltas.shape[1] == rows * columns * 21 // 1024


@pytest.mark.parametrize("shape", [(1, 3, 96, 96), (1, 3, 64, 96), (1, 1, 64, 64), (3, 64, 64)])
def test_an_input_of_another_shape_is_refused(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"expected images of shape \[B, 3, 64, 64\]"):
        small_network()(torch.zeros(shape))


def test_another_input_size_brings_its_own_anchors():
    network = small_network()
    network.set_image_size(96)
    with torch.inference_mode():
        raw = network(torch.rand(1, 3, 96, 96))
    assert raw.box_deltas.shape[1] == len(network.anchors) == 3 * (144 + 36 + 9 + 4 + 1)
    assert network.config.image_size == 96


def test_anchors_are_no_part_of_the_stored_state():
    network = small_network()
    assert "anchors" not in network.state_dict()
    assert "anchors" in dict(network.named_buffers())


def test_an_unknown_backbone_is_answered_with_those_there_are():
    with pytest.raises(ConfigError, match="'vgg'; there are resnet18, resnet50, resnet101, darknet53, csp"):
        build_yolact(dataclasses.replace(SMALL, backbone=BackboneConfig("vgg")))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"backbone": BackboneConfig("resnet18", width=8)}, "stride 4, which resnet18 does not"),
        ({"anchor_free": None}, "either anchors or an anchor-free head, got none"),
    ],
)
def test_a_network_without_anchors_is_refused_where_it_lacks_a_part(change: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        build_yolact(dataclasses.replace(FREE, **change))


def test_rows_follow_level_then_y_then_x_then_anchor():
    head = PredictionHead(channels=4, num_classes=2, num_prototypes=5, anchors=2)
    levels = (torch.rand(1, 4, 3, 4), torch.rand(1, 4, 1, 2))

    with torch.inference_mode():
        rows = head(levels)
        maps = [head.conf_layer(head.upfeature(level)) for level in levels]

    expected = []
    for scores in maps:
        for y in range(scores.shape[2]):
            for x in range(scores.shape[3]):
                expected += [scores[0, :3, y, x], scores[0, 3:, y, x]]  # two anchors, three classes each
    torch.testing.assert_close(rows.class_logits[0], torch.stack(expected))
    assert rows.box_deltas.shape == (1, 28, 4)
    assert rows.mask_coefficients.shape == (1, 28, 5)


def test_p6_and_p7_see_no_relu_while_p3_to_p5_do():
    torch.manual_seed(0)
    fpn = FPN((4, 8, 16), channels=6)
    maps = (torch.randn(1, 4, 16, 16), torch.randn(1, 8, 8, 8), torch.randn(1, 16, 4, 4))
    with torch.inference_mode():
        levels = fpn(*maps)
    assert [tuple(p.shape[2:]) for p in levels] == [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)]
    assert [bool((p < 0).any()) for p in levels] == [False, False, False, True, True]


def test_lateral_layers_are_stored_from_c5_down_to_c3():
    fpn = FPN((4, 8, 16), channels=6)
    assert [layer.in_channels for layer in fpn.lat_layers] == [16, 8, 4]


def test_odd_sizes_meet_in_the_pyramid():
    fpn = FPN((4, 4, 4), channels=4)
    levels = fpn(torch.rand(1, 4, 13, 13), torch.rand(1, 4, 7, 7), torch.rand(1, 4, 4, 4))
    assert [p.shape[-1] for p in levels] == [13, 7, 4, 2, 1]


def test_the_protonets_layers_keep_the_published_numbers():
    names = {key.split(".")[0] for key in ProtoNet(8, (8, 8, 8), 8, 4).state_dict()}
    assert names == {"0", "2", "4", "8", "10"}


def test_the_mask_iou_network_takes_one_mask_and_rates_it_for_each_class():
    network = MaskIoUNet(num_classes=7)
    with torch.inference_mode():
        rated = network(torch.rand(3, 138, 138))
    assert rated.shape == (3, 7)
    assert float(rated.min()) >= 0
    assert [k for k in network.state_dict() if k.endswith("weight")] == [
        f"maskiou_net.{n}.weight" for n in (0, 2, 4, 6, 8, 10)
    ]


@pytest.mark.parametrize("name", ["yolact_resnet50", "yolact_plus_resnet50"])
def test_every_fresh_convolution_outside_the_backbone_is_xavier_with_zero_bias(name: str):
    torch.manual_seed(0)
    for key, layer in build_yolact(preset(name)).named_modules():
        if not isinstance(layer, nn.Conv2d) or key.startswith("backbone."):
            continue
        area = layer.weight[0, 0].numel()
        bound = (6 / (area * (layer.in_channels + layer.out_channels))) ** 0.5
        assert layer.bias is None or not layer.bias.any(), key
        largest = float(layer.weight.detach().abs().max())
        assert largest <= bound * (1 + 1e-6), key
        assert largest > 0.8 * bound, key


def test_logits_of_a_fresh_network_without_anchors_say_that_every_class_is_rare():
    network = build_yolact(FREE)
    for layer in (network.semantic_head, *network.head.output):
        assert torch.allclose(layer.bias[: FREE.num_classes].sigmoid(), torch.tensor(0.01))


def test_a_batch_norm_makes_the_bias_before_it_needless():
    assert conv(3, 4, 3).bias is not None
    assert conv(3, 4, 3, batch_norm=True)[0].bias is None


@pytest.mark.parametrize(
    "backbone",
    [
        BackboneConfig("resnet18", width=8),
        BackboneConfig("resnet50", width=8, deformable_interval=2),
        BackboneConfig("darknet53", width=8),
    ],
    ids=lambda backbone: backbone.name,
)
def test_fusing_batch_norms_changes_nothing_but_rounding(backbone: BackboneConfig):
    network = small_network(dataclasses.replace(SMALL, backbone=backbone))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    images = torch.randn(1, 3, 64, 64)

    fused = fuse_batch_norms(network)

    with torch.inference_mode():
        raw, expected = fused(images), network(images)
    for name in ("box_deltas", "class_logits", "mask_coefficients", "prototypes"):
        torch.testing.assert_close(getattr(raw, name), getattr(expected, name), atol=2e-4, rtol=1e-3)
    assert not fused.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_fusing_the_norms_of_a_network_without_anchors_leaves_none():
    network = small_network(FREE)
    images = torch.randn(1, 3, 64, 96)

    fused = fuse_batch_norms(network)

    assert norms(network) != norms(fused) == []
    with torch.inference_mode():
        for part, expected in zip(fused(images)[:4], network(images)[:4], strict=True):
            torch.testing.assert_close(part, expected, atol=2e-4, rtol=1e-3)


def test_only_the_norms_behind_deformable_convolutions_remain_after_fusing():
    plain = fuse_batch_norms(small_network())
    backbone = BackboneConfig("resnet50", width=8, deformable_interval=1)
    deformable = fuse_batch_norms(small_network(dataclasses.replace(SMALL, backbone=backbone)))

    assert norms(plain) == []
    assert all(name.endswith(".bn2") for name in norms(deformable))
    assert len(norms(deformable)) == 4 + 6 + 3


def norms(network: nn.Module) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]
