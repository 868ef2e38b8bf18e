"""Endless stream of batches; batch i depends on the seed, i and the rank, not on the workers."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from model.errors import ConfigError, DataError
from model.training.data.dataset import InstanceDataset, Sample
from model.training.data.targets import Targets


@dataclass(frozen=True, eq=False)
class Batch:
    """B samples, with the objects of all images in common tensors: few tensors cross processes quickly.

    images [B, 3, S, S] uint8 RGB; counts [B] int64, objects an image; boxes, classes, masks, crowd and
    has_mask as in `Targets`, M objects in all; labelled [B, C] bool; exhaustive [B] bool; names: the
    images' files; broken: files that could not be decoded and were replaced.
    """

    images: Tensor
    counts: Tensor
    boxes: Tensor
    classes: Tensor
    masks: Tensor
    crowd: Tensor
    has_mask: Tensor
    labelled: Tensor
    exhaustive: Tensor
    names: tuple[str, ...]
    broken: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def targets(self) -> list[Targets]:
        """Targets of each image, as views of the packed tensors."""
        sizes = self.counts.tolist()
        packed = (self.boxes, self.classes, self.masks, self.crowd, self.has_mask)
        per_object = [values.split(sizes) for values in packed]
        columns = (*per_object, self.labelled, self.exhaustive.tolist())
        return [Targets(*values) for values in zip(*columns, strict=True)]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """Return the batch on another device; tensors that the host reads (`stay`) are not moved."""
        stay = {"counts", "labelled", "exhaustive"}
        return self._with_tensors(
            lambda name, t: t if name in stay else t.to(device, non_blocking=non_blocking)
        )

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory."""
        return self._with_tensors(lambda _, tensor: tensor.pin_memory())

    def _with_tensors(self, change: Callable[[str, Tensor], Tensor]) -> Batch:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        tensors: dict[str, Any] = {n: change(n, v) for n, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **tensors)


def collate(samples: Sequence[Sample]) -> Batch:
    """Join samples to one batch."""
    targets = [sample.targets for sample in samples]
    return Batch(
        images=torch.stack([sample.image for sample in samples]),
        counts=torch.tensor([len(t) for t in targets]),
        boxes=torch.cat([t.boxes for t in targets]),
        classes=torch.cat([t.classes for t in targets]),
        masks=torch.cat([t.masks for t in targets]),
        crowd=torch.cat([t.crowd for t in targets]),
        has_mask=torch.cat([t.has_mask for t in targets if t.has_mask is not None]),
        labelled=torch.stack([t.labelled for t in targets if t.labelled is not None]),
        exhaustive=torch.tensor([t.exhaustive for t in targets]),
        names=tuple(sample.name for sample in samples),
        broken=tuple(name for sample in samples for name in sample.broken),
    )


class EndlessSampler(Sampler[list[tuple[int, int]]]):
    """Sampler of the keys of endless batches, from batch `start` on.

    Without weights the stream runs through one permutation of the images an epoch, which the ranks share.
    With weights [n] each place of the stream draws an image; its key then counts places instead of epochs, so
    that every draw of an image is augmented differently.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        self._length = length
        self._batch_size = batch_size
        self._seed = seed
        self._start = start
        self._rank = rank
        self._world_size = world_size
        self._until = None if weights is None else np.cumsum(weights) / np.sum(weights)
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        batch = self._start
        while True:
            first = (batch * self._world_size + self._rank) * self._batch_size
            yield [self._key(place) for place in range(first, first + self._batch_size)]
            batch += 1

    def _key(self, place: int) -> tuple[int, int]:
        epoch, offset = divmod(place, self._length)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._epoch_order(epoch)
        return (epoch if self._until is None else place), int(self._order[offset])

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        rng = np.random.default_rng((self._seed, epoch))
        if self._until is None:
            return rng.permutation(self._length)
        drawn = np.searchsorted(self._until, rng.random(self._length), side="right")
        return drawn.clip(max=self._length - 1).astype(np.int64)


def build_loader(
    dataset: InstanceDataset,
    batch_size: int,
    seed: int,
    start_iteration: int = 0,
    rank: int = 0,
    world_size: int = 1,
    workers: int = 0,
    weights: Sequence[float] | None = None,
    pin_memory: bool = False,
) -> Iterable[Batch]:
    """Return an endless loader of `Batch`es of `batch_size` images a rank.

    Started at iteration k it yields what an uninterrupted one yields from k on. `weights` holds a positive
    number an image; None takes the data set's own. Raises ConfigError on invalid numbers, and DataError as
    `InstanceDataset` does, also for errors in a worker.
    """
    if weights is None:
        weights = dataset.annotations.weights
    if batch_size < 1 or workers < 0 or start_iteration < 0 or not 0 <= rank < world_size:
        raise ConfigError(
            f"loader: expected a batch size from 1, workers and start from 0 and a rank below the world "
            f"size, got {batch_size}, {workers}, {start_iteration}, {rank} of {world_size}"
        )
    if weights is not None and (len(weights) != len(dataset) or not min(weights) > 0):
        raise ConfigError(f"loader: expected {len(dataset)} positive weights, one an image")
    chances = None if weights is None else np.asarray(weights, dtype=np.float64)
    sampler = EndlessSampler(len(dataset), batch_size, seed, start_iteration, rank, world_size, chances)
    loader: DataLoader[Sample | DataError] = DataLoader(
        _Reporting(dataset),
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=_collate_reports,
        worker_init_fn=_start_worker,
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
    )
    return _Batches(loader)


def worker_died(error: Exception) -> bool:
    """Return True if an error says that a worker was killed; a signal may raise it at any moment."""
    if isinstance(error, (ConnectionError, EOFError)):  # while a batch was being fetched from it
        return True
    return isinstance(error, RuntimeError) and str(error).startswith("DataLoader worker")


class _Reporting(Dataset[Sample | DataError]):
    """Returns a DataError instead of raising it: from a worker only the text of a traceback would arrive."""

    def __init__(self, dataset: InstanceDataset) -> None:
        self._dataset = dataset

    def __getitem__(self, key: tuple[int, int]) -> Sample | DataError:
        try:
            return self._dataset[key]
        except DataError as error:
            return error


def _collate_reports(reports: Sequence[Sample | DataError]) -> Batch | DataError:
    errors = [report for report in reports if isinstance(report, DataError)]
    return errors[0] if errors else collate([report for report in reports if isinstance(report, Sample)])


@dataclass(frozen=True)
class _Batches:
    """The batches of a loader; errors of its workers are raised here."""

    loader: DataLoader[Sample | DataError]

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            if isinstance(batch, DataError):
                raise DataError(str(batch))  # a new one: raising a frame's own local would keep the workers
            yield batch


def _start_worker(_: int) -> None:
    torch.set_num_threads(1)  # the cores belong to training
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which ends the workers
