"""The anchor-free head, and the protonet that goes with it."""

import pytest
import torch
import torch.nn.functional as F

from model.network.heads import AnchorFreeHead
from model.network.protonet import FineProtoNet

CLASSES, PROTOTYPES, BINS = 3, 5, 7


def head() -> AnchorFreeHead:
    torch.manual_seed(0)
    return AnchorFreeHead(4, CLASSES, PROTOTYPES, BINS, mask_channels=6, levels=2).eval()


def levels() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn(2, 4, *sides, generator=generator) for sides in ((3, 4), (1, 2)))


def test_rows_follow_level_then_y_then_x_and_each_level_has_layers_of_its_own():
    network, inputs = head(), levels()

    with torch.inference_mode():
        rows = network(inputs)
        maps = [
            network.output[n](F.leaky_relu(network.tower[n](level), 0.1)) for n, level in enumerate(inputs)
        ]

    expected = [m[:, :, y, x] for m in maps for y in range(m.shape[2]) for x in range(m.shape[3])]
    flat = torch.stack(expected, dim=1)  # [B, A, C + 4·bins]
    torch.testing.assert_close(rows.class_logits, flat[..., :CLASSES])
    assert rows.box_deltas.shape == (2, 14, 4)
    assert rows.mask_coefficients.shape == (2, 14, PROTOTYPES)
    sides = flat[..., CLASSES:].reshape(2, 14, 4, BINS).softmax(-1)
    by_hand = sum(n * sides[..., n] for n in range(BINS))
    torch.testing.assert_close(rows.box_deltas, by_hand)


def test_a_side_that_is_sure_of_a_bin_is_as_long_as_that_bin():
    network = head()
    with torch.no_grad():
        for layer in network.output:
            layer.weight.zero_()
            layer.bias.fill_(-50.0)
            for side, length in enumerate((0, 2, 6, 3)):
                layer.bias[CLASSES + side * BINS + length] = 50.0

        rows = network(levels())

    torch.testing.assert_close(rows.box_deltas, torch.tensor([0.0, 2.0, 6.0, 3.0]).expand(2, 14, 4))


def test_the_distributions_are_given_in_training_alone():
    network = head()
    assert network(levels()).box_distribution is None

    rows = network.train()(levels())

    assert rows.box_distribution.shape == (2, 14, 4, BINS)
    bins = torch.arange(BINS, dtype=torch.float32)
    torch.testing.assert_close((rows.box_distribution.softmax(-1) * bins).sum(-1), rows.box_deltas)


def test_a_fresh_head_gives_every_class_about_a_hundredth():
    network = head()
    scores = network(tuple(torch.zeros_like(level) for level in levels())).class_logits.sigmoid()
    torch.testing.assert_close(scores, torch.full_like(scores, 0.01))


@pytest.mark.parametrize("fine_layers", [0, 1, 2])
def test_fine_prototypes_are_twice_as_wide_as_p3_not_negative_and_see_the_fine_features(fine_layers: int):
    torch.manual_seed(0)
    network = FineProtoNet(4, 6, (8,), 10, fine_layers, PROTOTYPES).eval()
    p3, c2 = torch.randn(1, 4, 3, 5), torch.randn(1, 6, 6, 10)

    with torch.inference_mode():
        prototypes, without = network(p3, c2), network(p3, torch.zeros_like(c2))

    assert prototypes.shape == (1, PROTOTYPES, 6, 10)
    assert float(prototypes.min()) >= 0
    assert not torch.equal(prototypes, without)
    assert len(network.fine) == fine_layers
