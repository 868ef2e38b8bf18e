"""Which engine is taken on which machine, and what is said about it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from model.engines import ENGINES, OPTIONS, PRECISIONS
from model.engines.choice import Machine, WeightsFacts, choose, detect_machine, select_device, survey
from model.errors import ConfigError

BARE = Machine("Old CPU")
OLD = Machine("Old CPU", openvino="2026.4.1")
NEW = Machine("New CPU", openvino="2026.4.1", fast_bf16=True, fast_int8=True)
GPU = dataclasses.replace(NEW, gpus=1)
PLAIN = WeightsFacts(Path("w.pt"))
WITH_INT8 = WeightsFacts(Path("w.pt"), int8=Path("w.int8.xml"))
EXPORTED = WeightsFacts(Path("w.xml"), exported="fp32")
EXPORTED_INT8 = WeightsFacts(Path("w.int8.xml"), exported="int8")


@pytest.mark.parametrize(
    ("machine", "weights", "expected"),
    [
        (BARE, PLAIN, ("torch", "cpu", "fp32")),
        (OLD, PLAIN, ("openvino", "cpu", "fp32")),
        (NEW, PLAIN, ("openvino", "cpu", "bf16")),
        (NEW, None, ("openvino", "cpu", "bf16")),
        (NEW, WITH_INT8, ("openvino", "cpu", "int8")),
        (dataclasses.replace(NEW, fast_int8=False), WITH_INT8, ("openvino", "cpu", "bf16")),
        (OLD, WITH_INT8, ("openvino", "cpu", "fp32")),
        (GPU, WITH_INT8, ("torch", "cuda", "fp16")),
        (GPU, EXPORTED, ("openvino", "cpu", "bf16")),
        (NEW, EXPORTED_INT8, ("openvino", "cpu", "int8")),
    ],
)
def test_automatic_is_the_fastest_that_the_machine_and_the_weights_allow(
    machine: Machine, weights: WeightsFacts | None, expected: tuple[str, str, str]
):
    choice = choose(weights=weights, machine=machine)
    assert (choice.engine, choice.device.type, choice.precision) == expected


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"engine": "openvino"}, ("openvino", "cpu", "bf16")),
        ({"device": "cpu"}, ("openvino", "cpu", "bf16")),
        ({"engine": "torch", "device": "cpu"}, ("torch", "cpu", "fp32")),
        ({"engine": "torch", "device": "cpu", "precision": "bf16"}, ("torch", "cpu", "bf16")),
        ({"precision": "fp16"}, ("torch", "cuda", "fp16")),
        ({"precision": "bf16"}, ("torch", "cuda", "bf16")),
        ({"engine": "openvino", "precision": "fp32"}, ("openvino", "cpu", "fp32")),
    ],
    ids=str,
)
def test_what_is_named_is_used_and_the_rest_is_the_fastest_that_goes_with_it(
    named: dict[str, str], expected: tuple[str, str, str]
):
    choice = choose(**named, weights=PLAIN, machine=GPU)
    assert (choice.engine, choice.device.type, choice.precision) == expected


def test_int8_is_used_when_it_is_named_even_where_it_gains_nothing():
    slow = dataclasses.replace(NEW, fast_int8=False)
    assert choose(precision="int8", weights=WITH_INT8, machine=slow).precision == "int8"


@pytest.mark.parametrize(
    ("named", "machine", "weights", "said"),
    [
        (
            {"engine": "tensorrt"},
            NEW,
            PLAIN,
            "no engine is named 'tensorrt'; there are auto, torch, openvino",
        ),
        ({"engine": "openvin"}, NEW, PLAIN, "did you mean 'openvino'"),
        ({"precision": "half"}, NEW, PLAIN, "no precision is named 'half'"),
        ({"device": "gpu"}, NEW, PLAIN, "no device is named 'gpu'"),
        ({"engine": "openvino"}, BARE, PLAIN, "OpenVINO is not installed"),
        ({"precision": "fp16"}, NEW, PLAIN, "PyTorch sees no CUDA device"),
        ({"precision": "fp16", "device": "cpu"}, NEW, PLAIN, "does not go together"),
        ({"engine": "torch", "precision": "int8"}, NEW, WITH_INT8, "does not go together"),
        ({"precision": "int8"}, NEW, PLAIN, "no int8 model for this input size lies beside w.pt"),
        ({"engine": "openvino", "precision": "bf16"}, OLD, PLAIN, "Old CPU has no instructions for bf16"),
        ({"engine": "torch"}, NEW, EXPORTED, "only the openvino engine runs"),
        ({"precision": "int8"}, NEW, EXPORTED, "w.xml was exported in fp32"),
        ({"precision": "fp32"}, NEW, EXPORTED_INT8, "w.int8.xml was exported in int8"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_is_named_and_cannot_be_had_is_an_error_that_says_why(
    named: dict[str, str], machine: Machine, weights: WeightsFacts, said: str
):
    with pytest.raises(ConfigError, match=said) as refused:
        choose(**named, weights=weights, machine=machine)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("machine", "weights", "there"),
    [
        (NEW, PLAIN, "openvino bf16 on cpu, openvino fp32 on cpu, torch fp32 on cpu, torch bf16 on cpu"),
        (GPU, EXPORTED_INT8, "openvino int8 on cpu"),
        (BARE, EXPORTED, "nothing"),
    ],
)
def test_what_never_goes_together_is_answered_with_what_can_be_had_here(
    machine: Machine, weights: WeightsFacts, there: str
):
    with pytest.raises(ConfigError, match=f"does not go together; available here: {there}$"):
        choose(device="cpu", precision="fp16", weights=weights, machine=machine)


def test_the_reason_names_what_would_be_faster_and_why_it_is_not_used():
    told = str(choose(weights=PLAIN, machine=NEW))
    assert told.startswith("openvino bf16 on cpu: the fastest there is")
    assert "PyTorch sees no CUDA device" in told
    assert "no int8 model for this input size lies beside w.pt" in told
    assert "\n" not in told
    assert choose("torch", "cpu", "fp32", PLAIN, NEW).reason == "as named"


@pytest.mark.parametrize("named", [{"engine": "torch"}, {"device": "cpu"}, {"precision": "fp32"}])
def test_what_is_named_in_part_is_not_called_the_fastest_of_all(named: dict[str, str]):
    assert choose(**named, weights=PLAIN, machine=NEW).reason.startswith("the fastest of what was asked for")


def test_a_survey_tells_of_every_option_what_it_lacks():
    found = {str(s.option): s.unavailable_because for s in survey(WITH_INT8, OLD)}
    assert len(found) == len(OPTIONS)
    assert found["openvino fp32 on cpu"] is None
    assert found["openvino int8 on cpu"] is None
    assert found["openvino bf16 on cpu"] == "Old CPU has no instructions for bf16"
    assert found["torch fp16 on cuda"] == "PyTorch sees no CUDA device"


def test_options_name_engines_and_precisions_that_there_are_and_each_is_in_one():
    assert {o.engine for o in OPTIONS} == set(ENGINES)
    assert {o.precision for o in OPTIONS} == set(PRECISIONS)


def test_this_machine_is_described_and_something_can_be_chosen_on_it():
    machine = detect_machine()
    assert machine.cpu
    assert machine.gpus == (torch.cuda.device_count() if torch.cuda.is_available() else 0)
    assert choose(device="cpu").device.type == "cpu"


@pytest.mark.parametrize("name", ["cpu", "cpu:0"])
def test_the_cpu_is_always_there(name: str):
    assert select_device(name) == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:", "cuda:-2", "cuda 1"])
def test_a_name_that_is_no_device_is_answered_with_what_there_is(name: str):
    with pytest.raises(ConfigError, match=r"no device is named .* expected auto, cpu, cuda or cuda:N"):
        select_device(name)


@pytest.mark.parametrize("name", ["cuda:63", "cpu:1", "meta", "mps:0"])
def test_a_device_that_is_not_there_is_never_replaced_by_another(name: str):
    with pytest.raises(ConfigError, match=f"device '{name}' is not there; PyTorch sees"):
        select_device(name)


def test_automatic_means_a_gpu_where_there_is_one():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert select_device("auto").type == expected
