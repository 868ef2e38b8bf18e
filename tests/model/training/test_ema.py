import pytest
import torch
from torch import nn

from model.training.optimizer import Ema


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def disturb(net: nn.Module, seed: int) -> None:
    """Another step: weights and statistics move, the counter of batches counts."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter))
    net(torch.randn(2, 3, 8, 8))


def test_the_average_starts_as_a_copy_that_does_not_follow_the_weights():
    net = network()
    ema = Ema(net, 0.9)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    disturb(net, 1)
    for key, value in ema.state.items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


def test_each_step_moves_by_one_minus_the_decay_which_starts_low():
    net = network()
    ema = Ema(net, 0.5)
    expected = {k: v.double() for k, v in net.state_dict().items()}
    for step in range(1, 30):
        disturb(net, step)
        ema.update(net)
        decay = min(0.5, (1 + step) / (10 + step))
        for key, value in net.state_dict().items():
            expected[key] = decay * expected[key] + (1 - decay) * value.double()
    for key in ("0.weight", "0.bias", "1.weight", "1.running_mean", "1.running_var"):
        torch.testing.assert_close(ema.state[key].double(), expected[key], rtol=1e-5, atol=1e-6)


def test_the_counter_of_batches_is_copied_not_averaged():
    net = network()
    ema = Ema(net, 0.99)
    for step in range(3):
        disturb(net, step)
        ema.update(net)
    assert ema.state["1.num_batches_tracked"] == 3


def test_a_decay_of_zero_gives_the_weights_themselves():
    net = network()
    ema = Ema(net, 0.0)
    disturb(net, 1)
    ema.update(net)
    for key, value in net.state_dict().items():
        torch.testing.assert_close(ema.state[key], value, rtol=0, atol=0)


def test_an_average_that_was_saved_goes_on_as_if_it_had_not_been():
    net = network()
    whole, first = Ema(net, 0.9), Ema(net, 0.9)
    second = Ema(network(), 0.9)
    for step in range(6):
        disturb(net, step)
        whole.update(net)
        if step < 3:
            first.update(net)
        if step == 2:
            second.load({k: v.clone() for k, v in first.state.items()}, first.updates)
        if step >= 3:
            second.update(net)
    for key, value in whole.state.items():
        torch.testing.assert_close(second.state[key], value, rtol=0, atol=0)


def test_a_saved_average_of_another_network_is_an_error():
    with pytest.raises((KeyError, RuntimeError)):
        Ema(network(), 0.9).load({"elsewhere": torch.zeros(1)}, 1)
