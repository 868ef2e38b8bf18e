"""A batch norm that would see one value a channel is told before the run, with a way out."""

from __future__ import annotations

import dataclasses
import re

import pytest
import torch

from model.errors import ConfigError
from model.training.dry_run import check_norm_values
from model.training.recipe import Recipe, Stage
from tests.tiny_training import CONFIG, RECIPE, make_network


def recipe(batch: int, *sizes: int | None, freeze: bool = False) -> Recipe:
    stages = tuple(Stage((n + 1) / len(sizes), size, "none") for n, size in enumerate(sizes))
    return dataclasses.replace(RECIPE, batch_size=batch, stages=stages, freeze_norms=freeze)


@pytest.mark.parametrize("deformable", [0, 1])
def test_one_value_a_channel_is_refused_with_the_norm_and_the_size_named(deformable: int):
    # pixels of the pyramid's last level: 160 -> 20, 10, 5, 3, 2; 96 -> 12, 6, 3, 2, 1
    backbone = dataclasses.replace(CONFIG.backbone, deformable_interval=deformable)
    config = dataclasses.replace(CONFIG, batch_norm=True, image_size=160, backbone=backbone)

    check_norm_values(config, recipe(1, None))
    check_norm_values(config, recipe(2, 96, None))
    with pytest.raises(ConfigError, match=r"--batch-size 1 at an input of 96 pixels .* fpn\.\S+ one value"):
        check_norm_values(config, recipe(1, 96, None))


def test_what_is_refused_is_what_pytorch_cannot_do():
    config = dataclasses.replace(CONFIG, batch_norm=True, image_size=96)
    network = make_network(config).train()

    network(torch.zeros(2, 3, 96, 96))
    with pytest.raises(ValueError, match=re.escape("more than 1 value per channel")):
        network(torch.zeros(1, 3, 96, 96))


def test_norms_that_rest_need_no_values():
    config = dataclasses.replace(CONFIG, batch_norm=False, image_size=32)

    with pytest.raises(ConfigError, match=r"32 pixels .* backbone\."):
        check_norm_values(config, recipe(1, None))
    check_norm_values(config, recipe(1, None, freeze=True))


def test_no_random_number_is_drawn():
    torch.manual_seed(0)
    before = torch.get_rng_state()

    check_norm_values(dataclasses.replace(CONFIG, batch_norm=False), recipe(1, None))

    assert torch.equal(torch.get_rng_state(), before)
