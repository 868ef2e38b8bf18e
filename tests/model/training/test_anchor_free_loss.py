"""The loss of an anchor-free network: nothing for what is perfect, and nothing where nobody knows."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from model.detection.boxes import encode_distances
from model.detection.decoding import Decoding
from model.detection.raw_outputs import RawOutputs
from model.input_shape import InputShape
from model.network.anchors import make_cells
from model.training.anchor_free_loss import TEACHER_SHARE, AnchorFreeLoss, _distribution_focal
from model.training.data.targets import Targets
from model.training.loss import LossTerms
from tests.small_networks import FREE

SIDE, BINS = 64, 11
CONFIG = dataclasses.replace(FREE, image_size=SIDE)
CLASSES, K = CONFIG.num_classes, CONFIG.num_prototypes
CELLS = make_cells(InputShape((SIDE, SIDE), (SIDE, SIDE)))
# in pixels: its edges go through the centres of cells of 8 pixels, and between prototypes
X1, Y1, X2, Y2 = 12, 20, 36, 44
BOX = (X1 / SIDE, Y1 / SIDE, X2 / SIDE, Y2 / SIDE)
DOG = 1


def targets(**changes: Any) -> Targets:
    masks = torch.zeros(1, SIDE, SIDE)
    masks[0, Y1:Y2, X1:X2] = 1
    values: dict[str, Any] = {
        "boxes": torch.tensor([BOX]),
        "classes": torch.tensor([DOG]),
        "masks": masks,
        "crowd": torch.zeros(1, dtype=torch.bool),
        "has_mask": torch.ones(1, dtype=torch.bool),
        "labelled": torch.ones(CLASSES, dtype=torch.bool),
    }
    return Targets(**(values | changes))


def positives() -> Tensor:
    """Nine cells within the object, of the finest level."""
    rows, columns = torch.meshgrid(torch.arange(2, 5), torch.arange(1, 4), indexing="ij")
    return (rows * (SIDE // 8) + columns).flatten()


def perfect() -> RawOutputs:
    """Nine cells say just what is labelled, and all others nothing."""
    here = positives()
    wanted = encode_distances(torch.tensor([BOX]).expand(9, 4), CELLS[here]).round()
    distribution = torch.full((len(CELLS), 4, BINS), -30.0)
    distribution[..., 0] = 30
    distribution[here, :, 0] = -30
    distribution[here] = distribution[here].scatter(2, wanted.long()[..., None], 30.0)
    logits = torch.full((len(CELLS), CLASSES), -12.0)
    logits[here, DOG] = 12
    coefficients = torch.zeros(len(CELLS), K)
    coefficients[:, 0], coefficients[:, 1] = 1, -1
    prototypes = torch.zeros(SIDE // 4, SIDE // 4, K)
    prototypes[..., 1] = 20
    prototypes[Y1 // 4 : Y2 // 4, X1 // 4 : X2 // 4] = 0
    prototypes[Y1 // 4 : Y2 // 4, X1 // 4 : X2 // 4, 0] = 20
    semantic = torch.zeros(CLASSES, SIDE // 8, SIDE // 8)
    return outputs(distribution, logits, coefficients, prototypes, semantic)


def outputs(
    distribution: Tensor, logits: Tensor, coefficients: Tensor, prototypes: Tensor, semantic: Tensor
) -> RawOutputs:
    """Of one image, as leaves with gradients."""
    leaves = [
        part.clone()[None].requires_grad_()
        for part in (distribution, logits, coefficients, prototypes, semantic)
    ]
    distances = (leaves[0].softmax(-1) * torch.arange(BINS)).sum(-1)
    return RawOutputs(distances, leaves[1], leaves[2], leaves[3], leaves[4], leaves[0])


def noisy(seed: int = 0) -> RawOutputs:
    g = torch.Generator().manual_seed(seed)
    return outputs(
        torch.randn(len(CELLS), 4, BINS, generator=g),
        torch.randn(len(CELLS), CLASSES, generator=g),
        torch.randn(len(CELLS), K, generator=g).tanh(),
        torch.rand(SIDE // 4, SIDE // 4, K, generator=g),
        torch.randn(CLASSES, SIDE // 8, SIDE // 8, generator=g),
    )


def parts(raw: RawOutputs) -> list[Tensor]:
    """What `outputs` was given."""
    assert raw.prototypes is not None
    assert raw.semantic_logits is not None
    assert raw.box_distribution is not None
    return [
        raw.box_distribution,
        raw.class_logits,
        raw.mask_coefficients,
        raw.prototypes,
        raw.semantic_logits,
    ]


def loss(raw: RawOutputs, t: Targets | None = None, teacher: RawOutputs | None = None) -> LossTerms:
    decoder = Decoding(CONFIG, CELLS)
    generator = torch.Generator().manual_seed(0)
    return AnchorFreeLoss(CONFIG)(raw, decoder, [targets() if t is None else t], generator, teacher)


def detached(raw: RawOutputs) -> RawOutputs:
    return RawOutputs._make(None if part is None else part.detach().clone() for part in raw)


def class_gradient(terms: LossTerms, raw: RawOutputs) -> Tensor:
    (gradient,) = torch.autograd.grad(terms.cls, raw.class_logits)
    return gradient[0]


def test_a_perfect_prediction_costs_next_to_nothing():
    terms = loss(perfect())
    for name in ("box", "cls", "mask_iou"):
        assert float(getattr(terms, name).detach()) < 1e-3, name
    # between prototypes the edge of a mask is as soft as these make it
    assert float(terms.mask.detach()) < 0.12


def test_each_term_grows_by_what_is_wrong_in_its_own_part():
    raw = perfect()
    faults = {
        "box": raw._replace(box_deltas=raw.box_deltas + 0.3),
        "cls": raw._replace(class_logits=raw.class_logits.roll(1, dims=2)),
        "mask": raw._replace(prototypes=raw.prototypes.roll(2, dims=1)),
    }
    for name, wrong in faults.items():
        assert float(getattr(loss(wrong), name).detach()) > 0.1, name


def test_the_loss_is_finite_and_every_part_of_the_head_learns_from_it():
    sure, unsure = perfect(), noisy()
    raw = outputs(*(0.1 * (a + b)[0].detach() for a, b in zip(parts(sure), parts(unsure), strict=True)))
    loss(raw).total.backward()
    for part in (raw.class_logits, raw.mask_coefficients, raw.prototypes, raw.box_distribution):
        assert bool(part.grad.isfinite().all())
        assert bool(part.grad.any())


def test_images_without_objects_teach_the_background():
    nothing = targets(
        boxes=torch.zeros(0, 4),
        classes=torch.zeros(0, dtype=torch.long),
        masks=torch.zeros(0, SIDE, SIDE),
        crowd=torch.zeros(0, dtype=torch.bool),
        has_mask=torch.zeros(0, dtype=torch.bool),
    )
    raw = noisy()

    terms = loss(raw, nothing)

    assert (float(terms.box.detach()), float(terms.mask.detach())) == (0, 0)
    assert bool((class_gradient(terms, raw) > 0).all())


def test_an_object_of_which_only_the_box_is_known_has_no_mask_to_learn():
    terms = loss(perfect(), targets(has_mask=torch.zeros(1, dtype=torch.bool)))
    assert float(terms.mask.detach()) == 0


def test_classes_that_nobody_labelled_learn_nothing_without_a_teacher():
    raw = noisy()
    labelled = torch.tensor([False, True, False])

    gradient = class_gradient(loss(raw, targets(labelled=labelled)), raw)

    assert not gradient[:, ~labelled].any()
    assert bool(gradient[:, DOG].any())


def test_classes_that_nobody_labelled_are_drawn_to_the_teachers_scores():
    raw, labelled = noisy(), torch.tensor([False, True, False])
    teacher = detached(noisy(seed=1))

    gradient = class_gradient(loss(raw, targets(labelled=labelled), teacher), raw)
    apart = raw.class_logits.sigmoid() - teacher.class_logits.sigmoid()

    assert torch.equal(gradient[:, ~labelled].sign(), apart.detach()[0, :, ~labelled].sign())
    same = raw._replace(class_logits=teacher.class_logits.clone().requires_grad_())
    still = class_gradient(loss(same, targets(labelled=labelled), teacher), same)
    assert float(still[:, ~labelled].abs().max()) < 1e-6


def test_a_labelled_class_is_drawn_a_part_of_the_way_to_the_teacher():
    raw = perfect()
    blind = detached(raw)._replace(class_logits=torch.full_like(raw.class_logits, -12.0))

    gradient = class_gradient(loss(raw, targets(), blind), raw)

    assert bool((gradient[positives(), DOG] > 0).all()), "the teacher does not see it"
    rested = raw.class_logits.detach().clone()
    rested[0, positives(), DOG] = math.log((1 - TEACHER_SHARE) / TEACHER_SHARE)  # what is labelled, less that
    drawn = raw._replace(class_logits=rested.requires_grad_())
    assert float(class_gradient(loss(drawn, targets(), blind), drawn).abs().max()) < 1e-3


def test_boxes_are_held_to_the_teachers_where_it_sees_something():
    raw, teacher = noisy(), detached(noisy(seed=1))
    teacher.class_logits.fill_(-12.0)
    free = loss(raw, targets(), teacher).box
    teacher.class_logits[0, 70] = 6.0

    held = loss(raw, targets(), teacher).box

    before, after = (
        torch.autograd.grad(term, raw.box_distribution, retain_graph=True)[0] for term in (free, held)
    )
    assert not before[0, 70].any()
    assert bool(after[0, 70].any())


def test_what_lies_in_a_crowd_learns_no_class():
    raw = noisy()
    crowded = targets(boxes=torch.tensor([[-9.0, -9.0, 10.0, 10.0]]), crowd=torch.ones(1, dtype=torch.bool))
    terms = loss(raw, crowded)
    assert not class_gradient(terms, raw).any()
    assert float(terms.mask.detach()) == 0


def test_where_labels_are_not_exhaustive_what_is_far_from_objects_learns_no_class():
    some, whole = perfect(), perfect()

    gradient = class_gradient(loss(some, targets(exhaustive=False)), some)
    of_all = class_gradient(loss(whole), whole)

    far = (CELLS[:, 0] > 0.8) | (CELLS[:, 1] > 0.95)
    assert not gradient[far].any()
    assert bool(of_all[far].any())


def test_a_frozen_detector_gets_no_terms_of_boxes_and_classes():
    raw = perfect()
    raw = raw._replace(prototypes=raw.prototypes.roll(2, dims=1))
    frozen = raw._replace(
        box_deltas=raw.box_deltas.detach(),
        class_logits=raw.class_logits.detach(),
        box_distribution=raw.box_distribution.detach(),
    )

    terms = loss(frozen)

    assert (float(terms.box.detach()), float(terms.cls.detach())) == (0, 0)
    assert float(terms.mask.detach()) > 0.1
    torch.testing.assert_close(terms.mask, loss(raw).mask)
    terms.total.backward()
    assert raw.mask_coefficients.grad is not None
    assert raw.class_logits.grad is None


def test_an_object_counts_once_however_many_cells_learn_it():
    # all nine cells are wrong alike: the mask term is that of one
    raw = perfect()
    wrong = raw._replace(prototypes=raw.prototypes.flip(1))
    one = detached(wrong)
    one.class_logits[0, positives()[1:], DOG] = -12.0
    one.box_deltas[0, positives()[1:]] = 0.0
    torch.testing.assert_close(loss(wrong).mask, loss(one).mask)


def test_a_distance_between_two_bins_is_shared_by_how_near_they_are():
    logits = torch.randn(1, 4, BINS, generator=torch.Generator().manual_seed(0))
    log = logits.log_softmax(-1)[0]
    by_hand = -(0.75 * log[0, 2] + 0.25 * log[0, 3] + log[1, 0] + log[2, 4] + 0.5 * (log[3, 6] + log[3, 7]))
    found = _distribution_focal(logits, torch.tensor([[2.25, 0.0, 4.0, 6.5]]))
    torch.testing.assert_close(found, by_hand[None] / 4)


@pytest.mark.parametrize("far", [-3.0, 10.5, 400.0])
def test_a_distance_out_of_reach_is_that_of_the_last_bin_in_reach(far: float):
    logits = torch.randn(1, 4, BINS, generator=torch.Generator().manual_seed(0))
    near = min(max(far, 0.0), BINS - 1.01)
    costs = [_distribution_focal(logits, torch.full((1, 4), distance)) for distance in (far, near)]
    torch.testing.assert_close(*costs)


@pytest.mark.parametrize("part", ["prototypes", "box_distribution"])
def test_outputs_of_a_network_that_is_not_in_training_are_refused(part: str):
    with pytest.raises(ValueError, match="a network in training mode"):
        loss(perfect()._replace(**{part: None}))
