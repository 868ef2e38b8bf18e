"""What labels that do not cover everything leave unlearned."""

import dataclasses

import pytest
import torch
from torch import Tensor

from model.config import LossConfig
from model.network.yolact import RawOutputs
from model.training.data.targets import Targets
from model.training.matching import match
from tests.loss_scenes import ANCHORS, CLASSES, GRID, OBJECTS, PUBLISHED, loss_of, outputs, targets, values

CAT_ONLY = torch.tensor([True, False, False])


def class_gradient(labels: Targets, config: LossConfig = PUBLISHED) -> tuple[RawOutputs, Tensor]:
    raw = outputs()
    loss_of(raw, [labels], config).cls.backward()
    assert raw.class_logits.grad is not None
    return raw, raw.class_logits.grad[0]


def test_negatives_learn_only_that_no_labelled_class_is_there():
    labels = targets(OBJECTS[:1], labelled=CAT_ONLY)
    raw, gradient = class_gradient(labels)
    _, with_all_labels = class_gradient(targets(OBJECTS[:1]))
    probabilities = raw.class_logits[0].detach().softmax(-1)
    negative = match(labels, ANCHORS, PUBLISHED).negative
    mined = negative & (gradient != 0).any(-1)

    assert int(mined.sum()) > 0
    assert bool((gradient[mined][:, 1] > 0).all())  # less cat
    for unlabelled in (2, 3):  # dog and bird rise together with the background, each by its own share
        assert bool((gradient[mined][:, unlabelled] < 0).all())
        torch.testing.assert_close(
            gradient[mined][:, unlabelled] * probabilities[mined][:, 0],
            gradient[mined][:, 0] * probabilities[mined][:, unlabelled],
        )
    mined = negative & (with_all_labels != 0).any(-1)
    assert bool((with_all_labels[mined][:, 2:] > 0).all())


def test_the_hardest_negatives_are_the_hardest_for_what_was_labelled():
    labels = targets([], labelled=CAT_ONLY)
    raw, gradient = class_gradient(labels, dataclasses.replace(PUBLISHED, min_negatives=7))
    cat = raw.class_logits[0].detach().softmax(-1)[:, 1]
    assert set(gradient.any(-1).nonzero().flatten().tolist()) == set(cat.topk(7).indices.tolist())


def test_when_all_classes_were_labelled_it_makes_no_difference_to_say_so():
    _, implied = class_gradient(targets(OBJECTS))
    _, said = class_gradient(targets(OBJECTS, labelled=torch.ones(CLASSES, dtype=torch.bool)))
    assert torch.equal(implied, said)


def test_where_labels_are_not_exhaustive_nothing_is_learned_far_from_them():
    labels = targets(OBJECTS[:1], exhaustive=False)
    _, gradient = class_gradient(labels, dataclasses.replace(PUBLISHED, min_negatives=1000))
    learned = match(labels, ANCHORS, PUBLISHED)

    assert bool(learned.negative.any())
    assert torch.equal(gradient.any(-1), learned.positive | learned.negative)
    centres = ANCHORS[gradient.any(-1)]
    x1, y1, x2, y2 = OBJECTS[0][0]
    overlaps = (
        (centres[:, 0] - centres[:, 2] / 2 < x2)
        & (centres[:, 0] + centres[:, 2] / 2 > x1)
        & (centres[:, 1] - centres[:, 3] / 2 < y2)
        & (centres[:, 1] + centres[:, 3] / 2 > y1)
    )
    assert bool(overlaps.all())


def semantic_gradient(labels: Targets) -> Tensor:
    raw = outputs()
    loss_of(raw, [labels]).semantic.backward()
    assert raw.semantic_logits is not None
    assert raw.semantic_logits.grad is not None
    return raw.semantic_logits.grad[0] != 0


def test_the_semantic_branch_learns_nothing_of_classes_that_nobody_labelled():
    learned = semantic_gradient(targets(OBJECTS[:1], labelled=CAT_ONLY))
    assert bool(learned[0].all())
    assert not bool(learned[1:].any())


def test_the_semantic_branch_learns_nothing_away_from_labels_that_are_not_exhaustive():
    learned = semantic_gradient(targets(OBJECTS[:1], exhaustive=False))

    # x 0.4 to 3.6 and y 0.8 to 4.8 of 8 cells, with one cell of padding
    expected = torch.zeros(GRID, GRID, dtype=torch.bool)
    expected[0:6, 0:5] = True
    assert torch.equal(learned, expected.expand(CLASSES, -1, -1))
    assert not bool(semantic_gradient(targets([], exhaustive=False)).any())


def test_an_object_of_which_only_the_box_is_known_teaches_no_mask_and_no_semantics_of_its_class():
    box_only = targets(OBJECTS[:2], has_mask=torch.tensor([False, True]))
    only_masks = targets(OBJECTS[1:2])

    learned = semantic_gradient(box_only)
    assert learned.flatten(1).any(1).tolist() == [False, True, True]
    raw = outputs()
    terms = loss_of(raw, [box_only], mask_iou=True)
    terms.mask.backward()
    with_mask = match(box_only, ANCHORS, PUBLISHED).objects == 1
    assert raw.mask_coefficients.grad is not None
    assert torch.equal(raw.mask_coefficients.grad[0].any(-1), with_mask)
    # box and class are learned from both
    positives = [int(match(t, ANCHORS, PUBLISHED).positive.sum()) for t in (box_only, only_masks)]
    assert positives[0] > positives[1] > 0
    assert values(terms)["box"] == pytest.approx(values(loss_of(raw, [targets(OBJECTS[:2])]))["box"])


def test_an_image_of_boxes_alone_gives_no_mask_loss_at_all():
    labels = targets(OBJECTS[:1], has_mask=torch.tensor([False]))
    raw = outputs()
    terms = loss_of(raw, [labels], mask_iou=True)
    terms.total.backward()
    assert (values(terms)["mask"], values(terms)["mask_iou"]) == (0, 0)
    assert values(terms)["box"] > 0
    assert bool((raw.prototypes.grad == 0).all())
