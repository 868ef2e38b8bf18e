"""The cache of compiled models: right or not there, never wrong, never in the way."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from model.detection.raw_outputs import RawOutputs, raw_outputs
from model.engines.compiled_cache import CompiledCache, Compiler, ModelKey, compiled_cache
from model.engines.openvino_engine import OpenVinoEngine
from tests.full_disk import no_file_longer_than
from tests.small_networks import TINY
from tests.source_tree import ROOT

KEY = ModelKey("ab" * 32, "tiny.pt", None, True, "fp32")
Build = Callable[[], Any]
IMAGES = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

SHAPE = (1, 3, 64, 64)


def of(batch: int) -> tuple[int, int, int, int]:
    return (batch, 3, 64, 64)


@pytest.fixture(scope="module")
def blob(converted: Build) -> bytes:
    """A compiled model."""
    cache = Remembering()
    Compiler(converted, KEY, cache, "fp32")(SHAPE)
    return cache.kept


class Remembering(CompiledCache):
    """Holds one blob in memory."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull), "")
        self.kept = b""

    def keep_blob(self, key: ModelKey, shape: Sequence[int], blob: bytes) -> None:
        self.kept = blob


def never() -> Any:
    pytest.fail("the model was made anew")


def outputs(cache: CompiledCache, build: Build) -> RawOutputs:
    return OpenVinoEngine(Compiler(build, KEY, cache, "fp32"), "fp32", raw_outputs).start(IMAGES)()


def same(a: RawOutputs, b: RawOutputs) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a[:4], b[:4], strict=True))


def test_a_model_from_the_cache_is_not_made_again_and_says_the_same_to_the_last_bit(
    tmp_path: Path, converted: Build
):
    cache = CompiledCache(tmp_path, "")

    fresh = outputs(cache, converted)

    assert same(outputs(cache, never), fresh)


def test_streams_are_those_asked_for_now_and_not_when_the_entry_was_made(tmp_path: Path, blob: bytes):
    cache = CompiledCache(tmp_path, "")
    cache.keep_blob(KEY, SHAPE, blob)

    compiled = Compiler(never, KEY, cache, "fp32", streams=2)(SHAPE)

    assert compiled.get_property("NUM_STREAMS") == 2


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "a bit flipped": lambda content: content[:-99] + bytes([content[-99] ^ 1]) + content[-98:],
    "empty": lambda content: b"",
    "of another program": lambda content: b"\x7fELF" + content,
    "longer": lambda content: content + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_broken_entry_is_made_anew(
    damage: Callable[[bytes], bytes], tmp_path: Path, blob: bytes, converted: Build
):
    cache = CompiledCache(tmp_path, "")
    cache.keep_blob(KEY, SHAPE, blob)
    [entry] = tmp_path.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))

    found = outputs(cache, converted)

    assert same(outputs(cache, never), found)


def test_an_entry_that_openvino_cannot_read_is_made_anew(tmp_path: Path, converted: Build):
    cache = CompiledCache(tmp_path, "")
    cache.keep_blob(KEY, SHAPE, b"whole, but no model")

    found = outputs(cache, converted)

    assert same(outputs(cache, never), found)


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "cd" * 32},
        {"name": "yolact_base_54_800000.pth"},
        {"image_size": 96},
        {"with_masks": False},
        {"precision": "bf16"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_the_model_depends_on_is_part_of_the_key(change: dict[str, object], tmp_path: Path):
    cache = CompiledCache(tmp_path, "one machine")
    cache.keep_blob(KEY, SHAPE, b"content")
    assert cache.blob(KEY, SHAPE) == b"content"
    assert cache.blob(dataclasses.replace(KEY, **change), SHAPE) is None
    assert cache.blob(KEY, of(2)) is None
    assert cache.blob(KEY, (1, 3, 64, 96)) is None
    assert cache.blob(KEY, (1, 3, 96, 64)) is None
    assert CompiledCache(tmp_path, "another machine").blob(KEY, SHAPE) is None


def test_the_configuration_comes_back_as_it_was_and_a_broken_one_not_at_all(tmp_path: Path):
    cache = CompiledCache(tmp_path, "")
    assert cache.config(KEY) is None
    cache.keep_config(KEY, TINY)
    assert cache.config(KEY) == TINY

    [entry] = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:-1])
    assert cache.config(KEY) is None


def unusable_folder(tmp_path: Path) -> Path:
    # permissions stop no superuser
    (tmp_path / "file").write_text("in the way")
    return tmp_path / "file" / "compiled"


def test_a_folder_that_cannot_be_written_to_only_means_no_cache(tmp_path: Path, converted: Build):
    cache = CompiledCache(unusable_folder(tmp_path), "")
    assert outputs(cache, converted).prototypes is not None


def test_a_full_disk_only_means_no_cache_and_leaves_nothing_behind(tmp_path: Path):
    cache = CompiledCache(tmp_path, "")
    with no_file_longer_than(1000):
        cache.keep_blob(KEY, SHAPE, b"x" * 2000)

    assert cache.blob(KEY, SHAPE) is None
    assert list(tmp_path.iterdir()) == []


def test_what_was_used_longest_ago_goes_when_there_is_too_much(tmp_path: Path):
    cache = CompiledCache(tmp_path, "", largest=300)
    for batch in (1, 2, 3):
        cache.keep_blob(KEY, of(batch), b"")
        [newest] = [p for p in tmp_path.iterdir() if p.name.endswith(f".{batch}x3x64x64")]
        os.utime(newest, (batch, batch))
    assert cache.blob(KEY, SHAPE) == b""  # used just now

    cache.keep_blob(KEY, of(4), b"")

    assert [cache.blob(KEY, of(batch)) for batch in (1, 2, 3, 4)] == [b"", None, b"", b""]


def test_an_entry_larger_than_all_that_is_allowed_is_kept_alone(tmp_path: Path):
    cache = CompiledCache(tmp_path, "", largest=10)
    cache.keep_blob(KEY, SHAPE, b"first")
    cache.keep_blob(KEY, of(2), b"second")
    assert [cache.blob(KEY, of(batch)) for batch in (1, 2)] == [None, b"second"]


WRITER = """
import sys
from pathlib import Path
from model.engines.compiled_cache import CompiledCache, ModelKey
cache = CompiledCache(Path(sys.argv[1]), "")
key = ModelKey("ab" * 32, "tiny.pt", None, True, "fp32")
for i in range(40):
    cache.keep_blob(key, (1, 3, 64, 64), sys.argv[2].encode() * 300_000)
    found = cache.blob(key, (1, 3, 64, 64))
    assert found is not None and len(set(found)) == 1 and len(found) == 300_000, found
"""


def test_processes_at_the_same_entry_never_see_half_of_it(tmp_path: Path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    processes = [subprocess.Popen([*command, letter], cwd=ROOT) for letter in "abc"]
    assert [process.wait(240) for process in processes] == [0, 0, 0]
    assert len(list(tmp_path.iterdir())) == 1


def test_the_users_own_cache_lies_in_the_users_own_folder(home: Path):
    compiled_cache().keep_config(KEY, TINY)

    assert [entry.parent for entry in home.rglob("*.config")] == [home / "compiled"]
    assert compiled_cache().config(KEY) == TINY
