"""The stream of batches: the same for any number of workers, and from any point on."""

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from model.errors import ConfigError, LiveMaskError
from model.training.data.annotations import join
from model.training.data.augment import AUGMENTATIONS, AugmentConfig
from model.training.data.data_formats import load_annotations
from model.training.data.dataset import InstanceDataset
from model.training.data.loader import Batch, EndlessSampler, build_loader, collate
from model.training.watcher import explained
from tests.small_networks import COMPACT
from tests.tiny_data import Block, coco_json

BLOCKS: list[Block] = [(5, 5, 30, 40), (35, 10, 60, 44)]
NETWORK = replace(COMPACT, class_names=("person", "car"), image_size=32)


@pytest.fixture
def dataset(tmp_path: Path) -> InstanceDataset:
    path = coco_json(tmp_path, {f"{n}.png": BLOCKS[: n % 3] for n in range(7)})
    return InstanceDataset(load_annotations(path), NETWORK, AUGMENTATIONS["compact"], seed=1)


def first(count: int, loader: Iterator[Batch] | object) -> list[Batch]:
    return list(islice(iter(loader), count))  # type: ignore[call-overload]


def differences(some: Iterable[Batch], others: Iterable[Batch]) -> list[str]:
    """In which parts of which batches the two streams differ, and how."""
    return [
        f"batch {n}, {f.name}: {told}"
        for n, (a, b) in enumerate(zip(some, others, strict=True))
        for f in fields(Batch)
        if (told := difference(getattr(a, f.name), getattr(b, f.name)))
    ]


def difference(a: object, b: object) -> str:
    if not isinstance(a, torch.Tensor) or not isinstance(b, torch.Tensor):
        return "" if a == b else f"{a} and {b}"
    if a.dtype != b.dtype or a.shape != b.shape:
        return f"{a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)}"
    other = a != b
    if not other.any():
        return ""
    first_values = f"{a[other][:20].tolist()} and {b[other][:20].tolist()}"
    return f"{int(other.sum())} of {a.numel()} values from {other.nonzero()[0].tolist()} on: {first_values}"


def test_a_batch_gives_back_the_targets_of_its_samples(dataset: InstanceDataset):
    samples = [dataset[0, index] for index in range(7)]

    batch = collate(samples)

    assert batch.images.shape == (7, 3, 32, 32)
    assert batch.names == tuple(f"{n}.png" for n in range(7))
    for sample, targets in zip(samples, batch.targets, strict=True):
        assert len(targets) == len(sample.targets)
        assert targets.exhaustive is sample.targets.exhaustive
        for name in ("boxes", "classes", "masks", "crowd", "has_mask", "labelled"):
            assert torch.equal(getattr(targets, name), getattr(sample.targets, name))


def test_a_batch_without_any_object_is_one_too(dataset: InstanceDataset):
    plain = InstanceDataset(dataset.annotations, NETWORK, AugmentConfig(), seed=0)

    batch = collate([plain[0, 0], plain[0, 3]])

    assert [len(targets) for targets in batch.targets] == [0, 0]
    assert batch.targets[0].masks.shape == (0, 32, 32)


def test_a_batch_moves_as_a_whole(dataset: InstanceDataset):
    batch = collate([dataset[0, 1]])

    moved = batch.to("meta")

    assert moved.images.device.type == moved.targets[0].boxes.device.type == "meta"
    assert moved.names == batch.names
    # read by the host: on a device each read would wait for it
    assert moved.labelled.device.type == moved.counts.device.type == "cpu"


def test_the_stream_does_not_depend_on_the_workers(dataset: InstanceDataset):
    alone = first(6, build_loader(dataset, 3, seed=5))
    helped = first(6, build_loader(dataset, 3, seed=5, workers=2))

    assert differences(alone, helped) == []


def test_a_stream_taken_up_again_goes_on_as_if_never_stopped(dataset: InstanceDataset):
    whole = first(8, build_loader(dataset, 3, seed=5))
    resumed = first(3, build_loader(dataset, 3, seed=5, start_iteration=5))

    assert differences(whole[5:], resumed) == []


def test_a_loader_can_be_gone_through_again(dataset: InstanceDataset):
    loader = build_loader(dataset, 3, seed=5)

    assert differences(first(2, loader), first(2, loader)) == []


def test_every_epoch_shows_each_image_once_in_another_order():
    keys = [key for batch in islice(EndlessSampler(10, 4, seed=0), 5) for key in batch]

    assert [epoch for epoch, _ in keys] == [0] * 10 + [1] * 10
    orders = [[index for _, index in keys[:10]], [index for _, index in keys[10:]]]
    assert [sorted(order) for order in orders] == [list(range(10))] * 2
    assert orders[0] != orders[1]


def test_another_seed_gives_another_order():
    orders = {tuple(next(iter(EndlessSampler(50, 50, seed=seed)))) for seed in range(3)}

    assert len(orders) == 3


def test_ranks_share_out_what_one_would_see():
    alone = [key for batch in islice(EndlessSampler(10, 6, seed=0), 4) for key in batch]
    ranks = [islice(EndlessSampler(10, 3, seed=0, rank=r, world_size=2), 4) for r in range(2)]

    together = [key for batches in zip(*ranks, strict=True) for batch in batches for key in batch]

    assert together == alone


def test_weights_set_how_often_an_image_is_drawn_and_no_draw_repeats_another():
    weights = np.array([6.0, 1.0, 1.0, 2.0])

    keys = [key for batch in islice(EndlessSampler(4, 8, seed=0, weights=weights), 500) for key in batch]

    counts = Counter(index for _, index in keys)
    shares = [counts[n] / len(keys) for n in range(4)]
    assert shares == pytest.approx(list(weights / 10), abs=0.03)
    assert len(set(keys)) == len(keys)


def test_a_weighted_stream_can_be_taken_up_again_too():
    weights = np.array([1.0, 2.0, 3.0])
    whole = list(islice(EndlessSampler(3, 2, seed=0, weights=weights), 9))

    assert list(islice(EndlessSampler(3, 2, seed=0, start=6, weights=weights), 3)) == whole[6:]


def test_the_weights_of_a_joined_set_are_used(tmp_path: Path):
    sets = [
        load_annotations(coco_json(tmp_path / name, {f"{name}{n}.png": BLOCKS for n in range(count)}))
        for name, count in (("a", 1), ("b", 6))
    ]
    plain = InstanceDataset(join(sets, weights=[1, 1]), NETWORK, AugmentConfig(), seed=0)

    names = Counter(name[0] for batch in first(40, build_loader(plain, 4, seed=0)) for name in batch.names)

    assert names["a"] / 160 == pytest.approx(0.5, abs=0.12)


def test_files_that_break_in_a_worker_are_told_by_the_batch(dataset: InstanceDataset):
    dataset.annotations.images[2].path.write_bytes(b"")
    plain = InstanceDataset(dataset.annotations, NETWORK, AugmentConfig(), seed=0)

    batches = first(7, build_loader(plain, 2, seed=0, workers=1))

    assert Counter(name for batch in batches for name in batch.broken)["2.png"] >= 2
    assert all(len(batch) == 2 for batch in batches)


def test_a_data_error_of_a_worker_arrives_in_one_line(dataset: InstanceDataset):
    for image in dataset.annotations.images:
        image.path.unlink()

    error = error_of(build_loader(dataset, 2, seed=0, workers=1))

    assert re.fullmatch(r"DataError: 20 images in a row cannot be decoded, the last was \d\.png", error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
        RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"),
        ConnectionResetError(104, "Connection reset by peer"),
    ],
)
def test_a_killed_worker_is_told_with_a_way_out(error: Exception):
    told = str(explained(error, iteration=3, batch_size=2))

    assert "iteration 3" in told
    assert "fewer --workers" in told


def test_an_error_of_another_kind_is_not_taken_for_a_killed_worker():
    assert explained(RuntimeError("a worker of another kind"), iteration=3, batch_size=2) is None


def error_of(batches: Iterable[Batch]) -> str:
    """What goes wrong, as a text: the error itself would keep the workers alive."""
    try:
        deque(batches, maxlen=0)
    except LiveMaskError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


@pytest.mark.parametrize(
    "numbers",
    [{"batch_size": 0}, {"workers": -1}, {"start_iteration": -1}, {"rank": 1}, {"world_size": 0}],
)
def test_numbers_that_make_no_sense_are_refused(dataset: InstanceDataset, numbers: dict[str, int]):
    with pytest.raises(ConfigError, match="loader: expected"):
        build_loader(dataset, **{"batch_size": 2, "seed": 0, **numbers})


@pytest.mark.parametrize("weights", [[1.0] * 6, [1.0] * 6 + [0.0]])
def test_weights_that_do_not_fit_are_refused(dataset: InstanceDataset, weights: list[float]):
    with pytest.raises(ConfigError, match="expected 7 positive weights"):
        build_loader(dataset, 2, seed=0, weights=weights)
