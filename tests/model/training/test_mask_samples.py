"""What masks are learned from: even samples of prototypes and masks inside each object's region."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.ops import roi_align

from model.training.anchor_free_loss import _mask_loss, _mask_samples, _rank_within, _samples
from model.training.data.targets import Targets

REGIONS = torch.tensor([[2.5, 1.0, 9.0, 12.25], [0.0, 0.0, 16.0, 14.0], [-0.5, 3.0, 4.0, 13.5]])


def targets_of(boxes: Tensor, masks: Tensor) -> Targets:
    count = len(boxes)
    return Targets(boxes, torch.zeros(count, dtype=torch.long), masks, torch.zeros(count, dtype=torch.bool))


def test_samples_are_those_of_roi_align_and_so_are_their_gradients():
    maps = torch.randn(14, 16, 5, requires_grad=True)
    other = maps.detach().clone().requires_grad_()

    samples = _samples(maps, REGIONS, 7)
    expected = roi_align(other.permute(2, 0, 1)[None], [REGIONS], 7, sampling_ratio=1, aligned=True)

    torch.testing.assert_close(samples, expected.permute(0, 2, 3, 1), rtol=0, atol=1e-4)
    weights = torch.rand_like(samples)
    (samples * weights).sum().backward()
    (expected.permute(0, 2, 3, 1) * weights).sum().backward()
    torch.testing.assert_close(maps.grad, other.grad, rtol=0, atol=1e-4)


def test_each_mask_is_sampled_in_its_own_region():
    masks = torch.zeros(2, 16, 16, dtype=torch.uint8)
    masks[0, :, :8] = 1
    masks[1, 4:12] = 1
    regions = torch.tensor([[4.0, 0.0, 12.0, 8.0], [0.0, 0.0, 16.0, 16.0]])

    left, middle = _mask_samples(masks, regions, 8).view(2, 8, 8)

    assert torch.equal(left[:, :3], torch.ones(8, 3))
    assert torch.equal(left[:, 5:], torch.zeros(8, 3))
    assert middle[3:5].min() == 1
    assert middle[[0, 7]].max() == 0


def test_elements_are_numbered_within_their_group_in_their_order():
    groups = torch.tensor([2, 0, 2, 1, 0, 2])

    assert _rank_within(groups, torch.bincount(groups)).tolist() == [0, 0, 1, 0, 1, 2]


@pytest.mark.parametrize("side", [6.0, 48.0], ids=["small", "large"])
def test_a_mask_that_is_right_costs_little_and_the_loss_is_the_mean_of_an_objects_cells(side: float):
    size, stride = 256, 4
    box = torch.tensor([[8.0, 8.0, 8.0 + side, 8.0 + side]]) * stride
    mask = torch.zeros(1, size, size, dtype=torch.uint8)
    x1, y1, x2, y2 = (int(v) for v in box[0])
    mask[0, y1:y2, x1 : (x1 + x2) // 2] = 1  # its left half
    targets = targets_of(box / size, mask)
    inside = mask[0].reshape(size // stride, stride, size // stride, stride).float().mean((1, 3))
    prototypes = torch.stack([inside * 20 - 10, 10 - inside * 20], dim=-1)
    right, wrong = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    first = torch.zeros(1, dtype=torch.long)

    good = _mask_loss(prototypes, right[None], first, targets)
    bad = _mask_loss(prototypes, wrong[None], first, targets)
    both = _mask_loss(prototypes, torch.stack([right, wrong]), first.repeat(2), targets)

    assert good < 0.3
    assert bad > 3
    torch.testing.assert_close(both, (good + bad) / 2)


def test_objects_of_both_kinds_in_one_image_add_up():
    size = 256
    boxes = torch.tensor([[8.0, 8.0, 40.0, 40.0], [40.0, 20.0, 240.0, 240.0]]) / size
    masks = torch.ones(2, size, size, dtype=torch.uint8)
    targets = targets_of(boxes, masks)
    torch.manual_seed(0)
    prototypes, coefficients = torch.rand(64, 64, 4), torch.rand(5, 4) - 0.5
    objects = torch.tensor([1, 0, 1, 0, 0])

    whole = _mask_loss(prototypes, coefficients, objects, targets)
    parts = [
        _mask_loss(prototypes, coefficients[objects == o], objects[objects == o], targets) for o in (0, 1)
    ]

    torch.testing.assert_close(whole, sum(parts))
