"""Every backbone keeps the contract of `Backbone`; the published ones are built as published."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet50
from torchvision.ops import deform_conv2d

from model.config import BackboneConfig
from model.network.backbones import BACKBONES
from model.network.backbones.resnet import DeformableConv2d


def built(name: str, width: int = 8, deformable_interval: int = 0) -> nn.Module:
    return BACKBONES[name](BackboneConfig(name, width, deformable_interval)).eval()


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 96), (50, 50)])
def test_three_maps_of_strides_8_16_and_32_come_out_and_one_of_stride_4_where_it_is_told(
    name: str, height: int, width: int
):
    backbone = built(name)

    with torch.inference_mode():
        maps = backbone(torch.zeros(1, 3, height, width))

    fine = (backbone.fine_channels,) if backbone.fine_channels else ()
    strides = (4, 8, 16, 32)[-len(maps) :]
    assert len(maps) == 3 + len(fine)
    assert [tuple(m.shape) for m in maps] == [
        (1, channels, -(-height // stride), -(-width // stride))
        for channels, stride in zip((*fine, *backbone.channels), strides, strict=True)
    ]


@pytest.mark.parametrize(("name", "blocks"), [("resnet50", (3, 4, 6, 3)), ("resnet101", (3, 4, 23, 3))])
@pytest.mark.parametrize("interval", [1, 3])
def test_every_nth_block_of_the_last_three_stages_is_deformable(
    name: str, blocks: tuple[int, ...], interval: int
):
    backbone = built(name, deformable_interval=interval)

    for stage, count in enumerate(blocks):
        deformable = [isinstance(block.conv2, DeformableConv2d) for block in backbone.layers[stage]]
        assert deformable == [stage > 0 and i % interval == 0 for i in range(count)]


def test_resnet50_is_torchvisions_without_its_classifier():
    ours, theirs = built("resnet50", width=64), resnet50(weights=None).eval()
    ours.load_state_dict(renamed(theirs.state_dict()))
    images = torch.rand(1, 3, 64, 64)

    with torch.inference_mode():
        c5 = ours(images)[2]
        x = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(images))))
        expected = theirs.layer4(theirs.layer3(theirs.layer2(theirs.layer1(x))))

    torch.testing.assert_close(c5, expected)


def renamed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    stages = {f"layer{n + 1}.": f"layers.{n}." for n in range(4)}
    names = {
        key: next((key.replace(a, b) for a, b in stages.items() if key.startswith(a)), key) for key in state
    }
    return {names[key]: value for key, value in state.items() if not key.startswith("fc.")}


@pytest.mark.parametrize("stride", [1, 2])
def test_a_new_deformable_convolution_is_half_a_plain_one(stride: int):
    # without shifts, and with every weight at sigmoid(0)
    layer = DeformableConv2d(4, 6, stride)
    x = torch.rand(1, 4, 9, 9)
    plain = torch.nn.functional.conv2d(x, layer.weight / 2, layer.bias, stride, padding=1)
    torch.testing.assert_close(layer(x), plain)


def test_the_first_18_channels_shift_and_the_last_9_weigh():
    torch.manual_seed(0)
    layer = DeformableConv2d(2, 3, 1)
    nn.init.normal_(layer.conv_offset_mask.weight, std=0.5)
    x = torch.rand(1, 2, 6, 6)
    channels = layer.conv_offset_mask(x)

    expected = deform_conv2d(
        x, channels[:, :18], layer.weight, layer.bias, padding=1, mask=torch.sigmoid(channels[:, 18:])
    )

    torch.testing.assert_close(layer(x), expected)


def test_a_darknet_block_adds_after_both_activations():
    block = built("darknet53").layers[0][1]
    x = -torch.ones(1, 16, 4, 4)

    with torch.inference_mode():
        torch.testing.assert_close(block(x), x + block.conv2(block.conv1(x)))
        assert float(block(x).min()) < 0  # nothing follows the sum


def test_a_csp_stage_gives_what_it_reduced_beside_what_its_units_made_of_it():
    stage = built("csp").stages[3]
    x = torch.randn(1, 64, 4, 6)

    with torch.inference_mode():
        out, reduced = stage(x), stage.reduce(x)
        merged = stage.merge(stage.units(reduced))

    assert len(stage.units) == 3
    torch.testing.assert_close(out, torch.cat([merged, reduced], dim=1))


def test_a_csp_unit_puts_its_second_convolution_before_its_first():
    unit = built("csp").stages[0].units[0]
    x = torch.randn(1, 8, 5, 5)

    with torch.inference_mode():
        out, first = unit(x), unit.first(x)

        torch.testing.assert_close(out, torch.cat([unit.second(first), first], dim=1))


def test_the_csp_net_is_nanodets_at_width_32():
    backbone = built("csp", width=32)
    assert (backbone.fine_channels, backbone.channels) == (64, (128, 256, 512))
    slopes = {m.negative_slope for m in backbone.modules() if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.1}
    assert sum(isinstance(m, nn.Conv2d) for m in backbone.modules()) == 25
    assert not any(isinstance(m, nn.BatchNorm2d) for m in backbone.modules())


def test_a_deformable_convolution_learns_under_bf16_autocast_as_in_float32():
    layer = DeformableConv2d(4, 6, stride=2)
    x = torch.randn(1, 4, 9, 9, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    out.float().sum().backward()
    torch.testing.assert_close(out.float(), layer(x), rtol=1e-2, atol=1e-2)
    assert layer.weight.grad is not None
