import dataclasses
import socket
import time
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision

from model.config import BackboneConfig
from model.errors import DownloadError
from model.network.backbones import BACKBONES
from model.training.pretrained import IMAGENET, load_imagenet

RESNET18 = BackboneConfig("resnet18")


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """An empty cache of torchvision's, and nothing said about being offline."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("LIVEMASK_OFFLINE", raising=False)
    return tmp_path / "hub" / "checkpoints"


def imagenet_model(name: str) -> torch.nn.Module:
    torch.manual_seed(1)
    return torchvision.models.get_model(name, weights=None)


def put_into_cache(hub: Path, name: str, state: object) -> None:
    hub.mkdir(parents=True, exist_ok=True)
    torch.save(state, hub / Path(IMAGENET[name].url).name)


def features(model: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    x = model.maxpool(model.relu(model.bn1(model.conv1(images))))
    return model.layer4(model.layer3(model.layer2(model.layer1(x))))


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_the_backbone_then_computes_what_torchvisions_network_does(hub, name):
    theirs = imagenet_model(name).eval()
    put_into_cache(hub, name, theirs.state_dict())
    backbone = BACKBONES[name](BackboneConfig(name)).eval()
    load_imagenet(backbone, BackboneConfig(name))
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(backbone(images)[2], features(theirs, images))


def test_a_deformable_backbone_takes_the_plain_weights_and_starts_without_any_offset(hub):
    theirs = imagenet_model("resnet50")
    put_into_cache(hub, "resnet50", theirs.state_dict())
    config = BackboneConfig("resnet50", deformable_interval=3)
    backbone = BACKBONES["resnet50"](config)
    load_imagenet(backbone, config)
    block = backbone.layers[1][0].conv2
    torch.testing.assert_close(block.weight, theirs.layer2[0].conv2.weight, rtol=0, atol=0)
    assert not block.conv_offset_mask.weight.any()
    assert not block.conv_offset_mask.bias.any()
    assert not block.bias.any()


@pytest.mark.parametrize(
    "config", [BackboneConfig("darknet53", width=32), BackboneConfig("resnet18", width=32)]
)
def test_a_backbone_that_torchvision_has_no_weights_for_is_refused_by_name(config):
    backbone = BACKBONES[config.name](config)
    with pytest.raises(DownloadError, match=f"{config.name} of width 32"):
        load_imagenet(backbone, config)


def test_without_a_network_the_error_says_where_the_file_belongs(monkeypatch):
    def no_network(*args, **kwargs):
        raise URLError("Name or service not known")

    monkeypatch.setattr("torch.hub.urlopen", no_network)
    with pytest.raises(DownloadError, match=r"resnet18.*resnet18-f37072fd\.pth.*Name or service not known"):
        load_imagenet(BACKBONES["resnet18"](RESNET18), RESNET18)


def test_a_server_that_is_silent_is_given_up_soon_and_the_patience_of_others_is_left_alone(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        weights = IMAGENET["resnet18"]
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/resnet18-f37072fd.pth"
        changed = dataclasses.replace(weights.value, url=address)
        monkeypatch.setattr(weights, "_value_", changed)
        monkeypatch.setattr("model.training.pretrained._SILENCE", 0.2)
        monkeypatch.setenv("NO_PROXY", "*")
        started = time.monotonic()
        with pytest.raises(DownloadError, match="timed out"):
            load_imagenet(BACKBONES["resnet18"](RESNET18), RESNET18)
    assert time.monotonic() - started < 5
    assert socket.getdefaulttimeout() is None


def test_offline_nothing_is_asked_for_but_what_is_there_is_used(hub, monkeypatch):
    def unexpected(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setenv("LIVEMASK_OFFLINE", "1")
    monkeypatch.setattr("torch.hub.urlopen", unexpected)
    backbone = BACKBONES["resnet18"](RESNET18)
    with pytest.raises(DownloadError, match="LIVEMASK_OFFLINE"):
        load_imagenet(backbone, RESNET18)
    theirs = imagenet_model("resnet18")
    put_into_cache(hub, "resnet18", theirs.state_dict())
    load_imagenet(backbone, RESNET18)
    torch.testing.assert_close(backbone.conv1.weight, theirs.conv1.weight, rtol=0, atol=0)


@pytest.mark.parametrize("fault", ["another network", "not a file of tensors"])
def test_weights_that_do_not_fit_are_refused_and_the_backbone_stays_as_it_was(hub, fault):
    state = imagenet_model("resnet18").state_dict()
    if fault == "another network":
        state["layer4.1.conv2.weight"] = torch.zeros(2, 2)
    put_into_cache(hub, "resnet18", state)
    if fault == "not a file of tensors":
        next(hub.iterdir()).write_bytes(b"<html>log in to the network first</html>")
    backbone = BACKBONES["resnet18"](RESNET18)
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    with pytest.raises(DownloadError, match="resnet18"):
        load_imagenet(backbone, RESNET18)
    for key, value in backbone.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)
