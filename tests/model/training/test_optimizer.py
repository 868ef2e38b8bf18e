import dataclasses

import pytest
import torch

from model.training.optimizer import build_optimizer
from tests.tiny_training import RECIPE, make_network

SGD = dataclasses.replace(RECIPE, weight_decay=5e-4)
ADAMW = dataclasses.replace(RECIPE, optimizer="adamw", weight_decay=0.05)


@pytest.mark.parametrize("recipe", [SGD, ADAMW])
def test_every_parameter_is_trained_exactly_once(recipe):
    network = make_network()
    optimizer = build_optimizer(network, recipe)
    trained = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(trained) == sorted(id(p) for p in network.parameters())


def test_sgd_decays_biases_and_norms_too_as_published():
    optimizer = build_optimizer(make_network(), SGD)
    assert isinstance(optimizer, torch.optim.SGD)
    assert [(g["weight_decay"], g["momentum"], g["nesterov"]) for g in optimizer.param_groups] == [
        (5e-4, 0.9, False)
    ]


def test_sgd_takes_the_step_of_the_textbook():
    parameter = torch.nn.Conv2d(1, 1, 1, bias=False)
    optimizer = build_optimizer(parameter, dataclasses.replace(SGD, learning_rate=0.1, weight_decay=0.5))
    weight, velocity = parameter.weight.item(), 0.0
    for gradient in (2.0, -1.0):
        parameter.weight.grad = torch.full_like(parameter.weight, gradient)
        optimizer.step()
        velocity = 0.9 * velocity + gradient + 0.5 * weight
        weight -= 0.1 * velocity
        assert parameter.weight.item() == pytest.approx(weight, rel=1e-5)


def test_adamw_decays_kernels_but_neither_biases_nor_norms():
    network = make_network()
    decay = {
        id(p): g["weight_decay"] for g in build_optimizer(network, ADAMW).param_groups for p in g["params"]
    }
    for name, parameter in network.named_parameters():
        assert decay[id(parameter)] == (0.05 if parameter.ndim == 4 else 0.0), name
