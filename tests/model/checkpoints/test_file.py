"""Files that nobody vouches for: truncated, corrupted, with code in them, or claiming too much."""

import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.checkpoints.yolact import load_checkpoint, official_name, read_checkpoint, save_checkpoint
from model.config import YolactConfig
from model.errors import CheckpointError
from model.network.yolact import build_yolact
from tests.forgery import Claim, Storage, forge_legacy, forge_zip, nested_lists, pickled
from tests.small_networks import TINY, small_network
from tests.source_tree import ROOT

STATE = small_network(TINY).state_dict()
TERA = 10**12
KEY = "proto_net.0.weight"


def native(path: Path) -> Path:
    save_checkpoint(path, TINY, STATE)
    return path


def old(path: Path) -> Path:
    torch.save({official_name(k): v for k, v in STATE.items()}, path, _use_new_zipfile_serialization=False)
    return path


def cuts(size: int) -> Iterator[int]:
    yield from (0, 1, 2, 4, 100, 1000)
    yield from range(size // 23, size, size // 23)
    yield from (size - 100, size - 22, size - 2, size - 1)


@pytest.mark.parametrize("write", [native, old])
def test_a_truncated_file_is_refused_by_name_wherever_it_ends(tmp_path: Path, write: Callable[[Path], Path]):
    whole = write(tmp_path / "whole.pt").read_bytes()
    path = tmp_path / "cut.pt"
    for length in cuts(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"cut\.pt: .*(truncated|another model)"):
            load_checkpoint(path, TINY)


@pytest.mark.parametrize("write", [native, old])
def test_a_file_with_wrong_bytes_is_read_or_refused_but_never_ends_otherwise(
    tmp_path: Path, write: Callable[[Path], Path]
):
    whole = write(tmp_path / "whole.pt").read_bytes()
    path = tmp_path / "wrong.pt"
    random = np.random.default_rng(0)
    # the pickle is at the start, a zip archive's directory at the end
    places = [*random.integers(0, 12_000, 20), *random.integers(len(whole) - 12_000, len(whole), 10)]
    refused = [path for place in places if refusal(path, whole, int(place))]
    assert len(refused) > 5


def refusal(path: Path, content: bytes, place: int) -> bool:
    broken = bytearray(content)
    broken[place] ^= 0x5A
    path.write_bytes(broken)
    try:
        read_checkpoint(path, TINY)
    except CheckpointError:
        return True
    return False


class Touch:
    """Would create a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def raw(content: Any, path: Path, protocol: int) -> None:
    path.write_bytes(pickle.dumps(content, protocol))


def zipped(content: Any, path: Path, protocol: int) -> None:
    torch.save(content, path, pickle_protocol=protocol)


def unzipped(content: Any, path: Path, protocol: int) -> None:
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("write", [raw, zipped, unzipped])
def test_code_in_a_file_is_named_and_refused_and_never_run(
    tmp_path: Path, write: Callable[[Any, Path, int], None], protocol: int
):
    path = tmp_path / "a.pth"
    write({"proto_net.0.weight": Touch(tmp_path / "ran"), "x": torch.ones(1)}, path, protocol)

    said = (
        f"{path}: it holds pickled code ({os.mkdir.__module__}.mkdir), which is never run; "
        "expected tensors, numbers and text only"
    )
    with pytest.raises(CheckpointError, match=f"^{re.escape(said)}$"):
        load_checkpoint(path, TINY)

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02}q\x00.",
        b"\xff\xd8\xff\xe0\x00\x10JFIF",
        b"\x89PNG\r\n",
        b"some text",
        bytes(range(255, 99, -1)),
    ],
    ids=["pickle", "JPEG", "PNG", "text", "bytes"],
)
def test_what_is_no_pytorch_file_is_refused_without_advice_to_run_it(tmp_path: Path, content: bytes):
    path = tmp_path / "a.pkl"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"a\.pkl: not a PyTorch file, or a truncated one") as refused:
        load_checkpoint(path)
    assert "weights_only" not in str(refused.value)


@pytest.mark.parametrize(
    "content", [torch.UntypedStorage(3), {1, 2}, 1j], ids=lambda content: type(content).__name__
)
def test_what_is_neither_tensor_number_nor_text_is_refused(tmp_path: Path, content: Any):
    torch.save({"proto_net.0.weight": content}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="expected tensors, numbers and text only"):
        load_checkpoint(tmp_path / "a.pth", TINY)


def test_a_tensor_that_is_described_but_not_held_is_refused(tmp_path: Path):
    state = {k: v.to("meta") if k == "head.bbox_layer.bias" else v for k, v in STATE.items()}
    torch.save({official_name(k): v for k, v in state.items()}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"prediction_layers\.0\.bbox_layer\.bias: .*does not hold it"):
        load_checkpoint(tmp_path / "a.pth", TINY)


def weights(content: dict[str, Any], **config: Any) -> dict[str, Any]:
    """A native file's content of a network that has these weights."""
    settings = TINY.to_dict() | config
    return {"format": "livemask", "version": 1, "config": settings, "weights": content, "training": None}


def whole(numbers: int, key: str = "0") -> Claim:
    return Claim((numbers,), (1,), Storage(numbers, key))


def unused(older: bool) -> bytes:
    """Pickles a small tensor behind a storage of gigabytes that is dropped at once."""
    storage, tensor = (pickled(c, older) for c in (Storage(2**30, "9"), {KEY: whole(4)}))
    return storage.removesuffix(b".") + b"0" + tensor[2:]  # POP, and no second PROTO


def many(numbers: int) -> dict[str, Any]:
    """A thousand tensors of so many numbers."""
    return weights({}) | {"training": {str(n): whole(numbers, str(n)) for n in range(1000)}}


def behind(path: Path, content: Any) -> Path:
    """An older file with a harmless archive at its end, for which `zipfile` takes it."""
    archive = forge_zip(path, {KEY: whole(4)}).read_bytes()
    forge_legacy(path, content)
    path.write_bytes(path.read_bytes() + archive)
    return path


def twice(path: Path) -> Path:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/data.pkl", pickled({}))
    return path


def laughs() -> Any:
    value: Any = []
    for _ in range(25):
        value = [value, value]
    return value


def itself() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def spread_weights() -> dict[str, Any]:
    """Every weight a view of the same one number: all shapes are right."""
    return {
        key: Claim(tuple(value.shape), (0,) * value.ndim, Storage(1)) if value.is_floating_point() else value
        for key, value in _wide_shapes().items()
        if not key.endswith("num_batches_tracked")
    }


WIDE = {"fpn_channels": 2048, "protonet_out_channels": 2048, "num_prototypes": 1024}


def _wide_shapes() -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        return build_yolact(YolactConfig.from_dict(TINY.to_dict() | WIDE)).state_dict()


ABSURD: dict[str, dict[str, Any]] = {
    "no number": {"pixel_mean": [float("nan")] * 3},
    "a huge input": {"image_size": 10**9},
    "countless channels": {"fpn_channels": 10**9},
    "countless layers": {"protonet_channels": [16] * 100_000},
    "countless prototypes": {"num_prototypes": 10**12},
}
# what is said -> name -> what forges such a file at a path
FORGERIES: dict[str, dict[str, Callable[[Path], Path]]] = {
    "claims to hold": {
        "terabytes, zip": lambda path: forge_zip(path, {KEY: whole(TERA)}),
        "terabytes, older": lambda path: forge_legacy(path, {KEY: whole(TERA)}),
        "gigabytes, zip": lambda path: forge_zip(path, {KEY: whole(2**30)}),
        "gigabytes, older": lambda path: forge_legacy(path, {KEY: whole(2**30)}),
        "terabytes in training": lambda path: forge_zip(path, weights({}) | {"training": {"x": whole(TERA)}}),
        "a small view of terabytes": lambda path: forge_legacy(path, {KEY: Claim((2,), (1,), Storage(TERA))}),
        "a view beyond its storage": lambda path: forge_zip(path, {KEY: Claim((2**30,), (1,), Storage(4))}),
        "one number spread out": lambda path: forge_zip(path, {KEY: Claim((TERA,), (0,), Storage(4))}),
        "a bare storage of gigabytes": lambda path: forge_legacy(path, {KEY: Storage(2**32)}),
        "a storage that nothing uses, older": lambda path: forge_legacy(path, unused(True), bytes(2**20)),
        "a storage that nothing uses, zip": lambda path: forge_zip(path, unused(False)),
        "many of the whole file's size": lambda path: forge_legacy(path, many(2**18), bytes(2**20)),
        "one entry for many": lambda path: forge_zip(path, many(2**18), numbers=2**18),
        "more than its own entry": lambda path: forge_zip(path, {KEY: whole(100), "x": bytes(2000)}),
        "an archive behind an older file": lambda path: behind(path, {KEY: whole(2**30)}),
        "one number for all weights": lambda path: forge_zip(path, weights(spread_weights(), **WIDE)),
    },
    "2 entries data.pkl": {
        "two tables of contents": lambda path: twice(forge_zip(path, {KEY: whole(4)})),
    },
    "not a PyTorch file": {
        "a product beyond 64 bits": lambda path: forge_zip(
            path, {KEY: Claim((2**40, 2**40), (0, 0), Storage(4))}
        ),
    },
    "compressed": {
        "compressed zeros": lambda path: forge_zip(
            path, {KEY: whole(2**22)}, zipfile.ZIP_DEFLATED, numbers=2**22
        ),
    },
    "nested more than": {
        "nested lists, zip": lambda path: forge_zip(path, nested_lists(200_000)),
        "nested lists, older": lambda path: forge_legacy(path, nested_lists(200_000)),
        "a list of itself": lambda path: forge_zip(path, {KEY: itself()}),
        "a list named a million times": lambda path: forge_zip(path, {KEY: laughs()}),
        "deep class names": lambda path: forge_zip(path, weights({}, class_names=laughs())),
    },
    "config: ": {
        name: lambda path, change=change: forge_zip(path, weights({}, **change))
        for name, change in ABSURD.items()
    },
}
READER = """
import json, resource, sys, time
from model.checkpoints.yolact import load_checkpoint
from model.errors import CheckpointError
from tests.small_networks import TINY

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

good, *paths = sys.argv[1:]
load_checkpoint(good)
for path in paths:
    before, start, said = peak(), time.process_time(), None
    try:
        load_checkpoint(path, None if path.endswith(".pt") else TINY)
    except CheckpointError as error:
        said = str(error)
    print(json.dumps([said, peak() - before, time.process_time() - start]))
"""


def test_forged_files_are_refused_quickly_and_with_little_memory(tmp_path: Path):
    forgeries = {(said, name): forge for said, group in FORGERIES.items() for name, forge in group.items()}
    paths = [forge(tmp_path / f"{i}.pt") for i, forge in enumerate(forgeries.values())]
    good = native(tmp_path / "good.pt")

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READER, str(good), *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    results = dict(zip(forgeries, map(json.loads, done.stdout.splitlines()), strict=True))
    assert {name: got for (said, name), (got, _, _) in results.items() if said not in (got or "")} == {}
    # the largest forged pickle itself holds some megabytes
    assert {name: mb for (_, name), (_, mb, _) in results.items() if mb > 200} == {}
    assert {name: seconds for (_, name), (_, _, seconds) in results.items() if seconds > 10} == {}
    assert all(len(said) < 500 for said, _, _ in results.values())
