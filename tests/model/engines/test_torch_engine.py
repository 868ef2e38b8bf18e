"""What the PyTorch engine does on its own."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from model.config import BackboneConfig
from model.engines.torch_engine import CUDA_SLOTS, TorchEngine
from model.errors import ConfigError
from model.network.yolact import build_yolact
from tests.small_networks import TINY, small_network

CPU = torch.device("cpu")
IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_16_bits_are_near_32_and_what_reads_the_outputs_stays_at_32():
    network = small_network(dataclasses.replace(TINY, mask_iou=True))
    engine = TorchEngine(network, CPU, "bf16")

    raw = engine.start(IMAGES)()

    assert raw.class_logits.dtype == torch.float32
    torch.testing.assert_close(raw.class_logits, network(IMAGES).class_logits, atol=0.3, rtol=0)
    assert torch.equal(engine.network.anchors, network.anchors)
    assert {p.dtype for p in engine.network.mask_iou_net.parameters()} == {torch.float32}
    assert {p.dtype for p in engine.network.backbone.parameters()} == {torch.bfloat16}


def test_the_network_that_it_is_made_of_stays_as_it_is():
    network = small_network(TINY).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}

    TorchEngine(network, CPU, "bf16").start(IMAGES)()

    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("precision", ["fp16", "int8", "fp64"])
def test_a_precision_that_pytorch_does_not_compute_in_on_a_cpu_is_refused(precision: str):
    with pytest.raises(ConfigError, match=f"not compute in '{precision}' on cpu; there it knows fp32, bf16"):
        TorchEngine(small_network(TINY), CPU, precision)


def test_deformable_convolutions_are_refused_in_16_bits_on_a_cpu_before_they_fail():
    config = dataclasses.replace(TINY, backbone=BackboneConfig("resnet50", width=8, deformable_interval=1))
    network = build_yolact(config).eval()

    TorchEngine(network, CPU).start(IMAGES)()
    with pytest.raises(ConfigError, match="deformable"):
        TorchEngine(network, CPU, "bf16")


def test_cuda_graphs_need_cuda():
    with pytest.raises(ConfigError, match="CUDA graphs"):
        TorchEngine(small_network(TINY), CPU, cuda_graphs=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("graphs", [False, True], ids=["eager", "graphs"])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-2), ("fp16", 0.1), ("bf16", 0.3)])
def test_a_gpu_says_what_the_cpu_says(graphs: bool, precision: str, tolerance: float):
    network = small_network(TINY)
    engine = TorchEngine(network, torch.device("cuda"), precision, cuda_graphs=graphs)
    assert engine.slots == CUDA_SLOTS
    for seed in range(6):
        images = torch.randn(1 + seed % 2, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
        raw = engine.start(images.cuda())()
        with torch.inference_mode():
            expected = network(images)
        for part, wanted in zip(raw[:4], expected[:4], strict=True):
            torch.testing.assert_close(part.cpu(), wanted, atol=tolerance, rtol=0)
