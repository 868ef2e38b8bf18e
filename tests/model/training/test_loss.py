"""Every term of the loss, as published, against plain loops."""

import dataclasses

import pytest
import torch

from model.network.yolact import RawOutputs
from model.training.data.targets import Targets
from model.training.loss import YolactLoss
from model.training.matching import match
from tests.loss_scenes import ANCHORS, OBJECTS, PUBLISHED, decoder, loss_of, outputs, targets, values
from tests.slow_loss import slow_semantic, slow_terms


def test_every_term_is_that_of_plain_loops():
    raw = outputs(images=2)
    labels = [targets(OBJECTS), targets([*OBJECTS[1:], ((0.0, 0.0, 0.6, 0.6), 1)], crowds=1)]

    terms = loss_of(raw, labels, mask_iou=True)

    expected = slow_terms(raw, labels)
    assert min(expected.values()) > 0
    assert values(terms) == pytest.approx(expected, rel=1e-4)
    assert float(terms.total.detach()) == pytest.approx(sum(expected.values()), rel=1e-4)


def test_the_other_box_loss_is_one_minus_giou():
    raw, labels = outputs(), [targets(OBJECTS)]
    terms = loss_of(raw, labels, dataclasses.replace(PUBLISHED, box_loss="giou"))
    assert values(terms)["box"] == pytest.approx(slow_terms(raw, labels, giou=True)["box"], rel=1e-4)


def test_without_a_mask_iou_network_that_term_is_zero():
    assert values(loss_of(outputs(), [targets(OBJECTS)]))["mask_iou"] == 0


def test_the_weights_are_those_of_the_configuration():
    raw, labels = outputs(), [targets(OBJECTS)]
    doubled = {
        f"{name}_weight": 2 * getattr(PUBLISHED, f"{name}_weight")
        for name in ("class", "box", "mask", "semantic", "mask_iou")
    }
    once = values(loss_of(raw, labels, mask_iou=True))
    twice = values(loss_of(raw, labels, dataclasses.replace(PUBLISHED, **doubled), mask_iou=True))
    assert twice == pytest.approx({name: 2 * value for name, value in once.items()})


def test_gradients_reach_every_output_and_are_finite():
    raw = outputs(images=2)
    loss_of(raw, [targets(OBJECTS), targets([])], mask_iou=True).total.backward()
    for part in raw[:5]:  # the sixth is of networks without anchors
        assert part.grad is not None
        assert bool(part.grad.isfinite().all())
        assert bool((part.grad[0] != 0).any())


@pytest.mark.parametrize("labels", [targets([]), targets(OBJECTS[:1], crowds=1)], ids=["nothing", "a crowd"])
def test_images_without_objects_teach_only_semantics_as_published(labels: Targets):
    raw = outputs()
    terms = loss_of(raw, [labels])
    terms.total.backward()

    of = values(terms)
    assert (of["box"], of["cls"], of["mask"]) == (0, 0, 0)
    assert of["semantic"] == pytest.approx(slow_semantic(raw.semantic_logits[0], labels), rel=1e-4)
    assert float(raw.class_logits.grad.abs().sum()) == 0


def test_with_a_least_number_of_negatives_images_without_objects_teach_background():
    raw = outputs()
    terms = loss_of(raw, [targets([])], dataclasses.replace(PUBLISHED, min_negatives=5))

    hardest = (-raw.class_logits[0].detach().log_softmax(-1)[:, 0]).sort(descending=True).values[:5]
    assert values(terms)["cls"] == pytest.approx(float(hardest.sum()), rel=1e-4)


MANY = dataclasses.replace(PUBLISHED, positive_iou=0.05, negative_iou=0.04)


def same_everywhere() -> RawOutputs:
    """Every anchor predicts one mask, so that every choice of positives gives one loss."""
    raw = outputs()
    return raw._replace(mask_coefficients=raw.mask_coefficients[:, :1].detach().expand(-1, len(ANCHORS), -1))


def test_a_sample_of_masks_is_scaled_up_but_their_predicted_iou_is_not():
    labels = targets(OBJECTS[1:2])
    positives = int(match(labels, ANCHORS, MANY).positive.sum())
    assert positives > 8

    all_of_them = values(loss_of(same_everywhere(), [labels], MANY, mask_iou=True))
    few = dataclasses.replace(MANY, max_masks_per_image=4)
    sampled = values(loss_of(same_everywhere(), [labels], few, mask_iou=True))

    assert sampled["mask"] == pytest.approx(all_of_them["mask"], rel=1e-4)
    assert sampled["mask_iou"] == pytest.approx(all_of_them["mask_iou"] * 4 / positives, rel=1e-4)


def test_a_generator_makes_the_sample_repeatable():
    reader = decoder(dataclasses.replace(MANY, max_masks_per_image=3))
    loss = YolactLoss(reader.config)
    raw, labels = outputs(), [targets(OBJECTS)]

    def drawn(seed: int) -> float:
        return float(loss(raw, reader, labels, torch.Generator().manual_seed(seed)).mask.detach())

    assert drawn(1) == drawn(1)
    assert len({drawn(seed) for seed in range(5)}) > 1


def test_tiny_targets_are_not_asked_for_their_mask_iou():
    tiny = [OBJECTS[2]]  # about 2 by 4 prototype pixels
    assert values(loss_of(outputs(), [targets(tiny)], mask_iou=True))["mask_iou"] == 0
    smaller = dataclasses.replace(PUBLISHED, min_mask_iou_area=1)
    assert values(loss_of(outputs(), [targets(tiny)], smaller, mask_iou=True))["mask_iou"] > 0


def test_outputs_without_masks_or_semantics_are_refused():
    raw = outputs()
    for lacking in (raw._replace(prototypes=None), raw._replace(semantic_logits=None)):
        with pytest.raises(ValueError, match="a network in training mode"):
            loss_of(lacking, [targets(OBJECTS)])
