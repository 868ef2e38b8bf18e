from __future__ import annotations

import torch

from pipeline.detectors.device_buffers import Buffer, Layout


class Allocator:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, size: int) -> torch.Tensor:
        self.sizes.append(size)
        return torch.zeros(size, dtype=torch.uint8)


LAYOUTS = [
    Layout((3, 5), torch.bool),
    Layout((2, 7), torch.float32),
    Layout((0, 4), torch.float32),
    Layout((1,), torch.int64),
]


def test_tensors_lie_side_by_side_and_do_not_touch():
    packed = Buffer(Allocator()).pack(LAYOUTS)
    values = [
        torch.ones(3, 5, dtype=torch.bool),
        torch.randn(2, 7),
        torch.zeros(0, 4),
        torch.tensor([-(2**60)]),
    ]

    for place, value in zip(packed.tensors, values, strict=True):
        place.copy_(value)

    assert all(torch.equal(place, value) for place, value in zip(packed.tensors, values, strict=True))
    assert [place.dtype for place in packed.tensors] == [layout.dtype for layout in LAYOUTS]


def test_the_same_layouts_lie_at_the_same_places_of_any_memory():
    one, other = Buffer(Allocator()).pack(LAYOUTS), Buffer(Allocator()).pack(LAYOUTS)
    for place in one.tensors:
        place.copy_(torch.full(place.shape, 1))

    other.memory.copy_(one.memory)

    assert all(torch.equal(a, b) for a, b in zip(one.tensors, other.tensors, strict=True))


def test_memory_is_used_again_and_grows_only_when_it_must():
    allocate = Allocator()
    buffer = Buffer(allocate)
    sizes = [len(buffer.pack([Layout((n,), torch.uint8)]).memory) for n in (100, 64, 100, 300, 20, 300)]

    assert allocate.sizes == [128, 320]
    assert sizes == [128, 64, 128, 320, 64, 320]
