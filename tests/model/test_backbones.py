"""Every backbone keeps the contract of `Backbone`; the published ones are built as published."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet50
from torchvision.ops import deform_conv2d

from model.backbones import BACKBONES
from model.backbones.resnet import DeformableConv2d
from model.config import BackboneConfig


def built(name: str, width: int = 8, deformable_interval: int = 0) -> nn.Module:
    return BACKBONES[name](BackboneConfig(name, width, deformable_interval)).eval()


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("side", [64, 50])
def test_three_maps_of_strides_8_16_and_32_come_out(name: str, side: int):
    backbone = built(name)

    with torch.inference_mode():
        maps = backbone(torch.zeros(1, 3, side, side))

    sides = [-(-side // stride) for stride in (8, 16, 32)]
    assert [tuple(m.shape) for m in maps] == [
        (1, channels, s, s) for channels, s in zip(backbone.channels, sides, strict=True)
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


def test_a_deformable_convolution_learns_under_bf16_autocast_as_in_float32():
    layer = DeformableConv2d(4, 6, stride=2)
    x = torch.randn(1, 4, 9, 9, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    out.float().sum().backward()
    torch.testing.assert_close(out.float(), layer(x), rtol=1e-2, atol=1e-2)
    assert layer.weight.grad is not None
