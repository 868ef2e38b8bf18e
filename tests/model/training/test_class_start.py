"""New classes start from the rows of known ones."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from model.training.class_start import Cells, KnownClasses, collect, fit_rows, start_classes
from model.training.data.dataset import Sample
from model.training.data.loader import Batch, collate
from model.training.data.targets import Targets
from tests.small_networks import FREE, small_network

DEPTH, LEVELS = 6, 2
NAMES = ("cat", "truck", "bird")


@pytest.fixture
def known() -> KnownClasses:
    """Each class answers to a feature of its own: the first, second and third."""
    weights = 4 * torch.eye(3, DEPTH).expand(LEVELS, 3, DEPTH).clone()
    return KnownClasses(NAMES, weights, torch.full((LEVELS, 3), -3.0), torch.ones(3, 2, 1, 1), torch.zeros(3))


def planted(count: int, direction: Tensor, objects: int = 0) -> Cells:
    """Noise, and on each level `objects` cells that show features in a direction, of class 1 of two."""
    generator = torch.Generator().manual_seed(1)
    levels = [0.1 * torch.randn(count, DEPTH, generator=generator) for _ in range(LEVELS)]
    goals = torch.zeros(LEVELS, count, 2)
    for level, goal in zip(levels, goals, strict=True):
        level[:objects] += direction
        goal[:objects, 1] = 0.9
    return Cells(tuple(levels), goals.flatten(0, 1), torch.ones(LEVELS * count, 2))


def scores(cells: Cells, rows: object) -> Tensor:
    logits = [x @ w + b for x, w, b in zip(cells.levels, rows.weight, rows.bias, strict=True)]
    return torch.cat(logits).sigmoid()


def test_a_class_starts_from_the_known_one_that_answers_best_to_its_objects(known):
    cells = planted(50, torch.eye(DEPTH)[1], objects=8)
    rows = fit_rows(cells, known, 1)
    assert NAMES[rows.nearest] == "truck"
    assert int(rows.mixture.argmax()) == 1
    found = scores(cells, rows)
    positive = cells.goals[:, 1] > 0
    assert float(found[positive].min()) > float(found[~positive].max())


def test_many_objects_change_the_rows_more_than_few(known):
    beyond_what_is_known = torch.eye(DEPTH)[1] + torch.eye(DEPTH)[4]
    few, many = (
        fit_rows(planted(2000, beyond_what_is_known, objects=count), known, 1).weight[:, 4].mean()
        for count in (3, 1000)
    )
    assert 0 < float(few) < float(many)


def test_a_class_of_which_nothing_is_seen_has_no_rows(known):
    assert fit_rows(planted(20, torch.eye(DEPTH)[1], objects=5), known, 0) is None


def test_cells_that_nobody_labelled_say_nothing(known):
    cells = planted(50, torch.eye(DEPTH)[1], objects=8)
    spoiled = cells.levels[0].clone()
    spoiled[20:] = torch.eye(DEPTH)[1]  # objects that nobody labelled
    weights = cells.weights.clone()
    weights[20:50] = 0
    partial = Cells((spoiled, cells.levels[1]), cells.goals, weights)
    assert float(scores(partial, fit_rows(partial, known, 1))[20:50].min()) > 0.2


def batch_of_one_object(classes: int) -> Batch:
    side = 64
    masks = torch.zeros(1, side, side, dtype=torch.uint8)
    masks[:, 16:48, 16:48] = 1
    targets = Targets(
        torch.tensor([[0.25, 0.25, 0.75, 0.75]]),
        torch.tensor([0]),
        masks,
        torch.tensor([False]),
        torch.tensor([True]),
        torch.ones(classes, dtype=torch.bool),
    )
    image = torch.full((3, side, side), 30, dtype=torch.uint8)
    image[:, 16:48, 16:48] = 220
    return collate([Sample(image, targets, "square.png")])


def test_a_network_gets_rows_for_new_classes_alone():
    detector = small_network(FREE)
    known = KnownClasses.of(detector.state_dict(), FREE.class_names)
    network = small_network(dataclasses.replace(FREE, class_names=("forklift", "dog")))
    before = [layer.weight.detach().clone() for layer in network.head.output]
    nearest = start_classes(network, known, [batch_of_one_object(2)])
    assert set(nearest) == {"forklift"}
    assert nearest["forklift"] in FREE.class_names
    assert not network.training  # as it was
    assert network.config.image_size == FREE.image_size
    for layer, old in zip(network.head.output, before, strict=True):
        assert not torch.equal(layer.weight[0], old[0])
        assert torch.equal(layer.weight[1:], old[1:])  # the known class, and the sides of boxes


def test_cells_of_a_batch_have_the_overlap_with_their_object_as_goal():
    detector = small_network(FREE)
    known = KnownClasses.of(detector.state_dict(), FREE.class_names)
    cells = collect(detector, known, [batch_of_one_object(3)] * 2)
    assert known.logits(cells.levels).shape == cells.goals.shape
    found = cells.goals[cells.goals > 0]
    assert len(found)
    assert bool((found <= 1).all())
    assert not cells.goals[:, 1:].any()
    # two images of 8² + 4² + 2² cells, however many of them are kept
    assert float(cells.weights[:, 0].sum()) == pytest.approx(2 * 84, rel=0.3)
