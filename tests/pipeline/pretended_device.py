"""Tensors that say that they are on a device; what is done with them is handed to a stream, to be done later.

Shapes are known at once, from PyTorch's own meta tensors; values are computed on the CPU when the stream
comes to it. As on a GPU, a stream's allocator takes memory back as soon as nobody refers to a tensor any
more and gives it to that stream's next work, whoever else may still be about to read it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

POISON = 0xFF  # in every byte: NaN, -1, or white
NAME = "lazy"  # a device that PyTorch can name and slice tensors of, and that asks for no driver

aten = torch.ops.aten
_UNINITIALISED = (aten.empty, aten.empty_like, aten.empty_strided, aten.new_empty)


class Stream(Protocol):
    """What the device asks of its streams."""

    @property
    def current(self) -> str: ...

    def put(self, step: Callable[[], object], stream: str | None = None) -> None: ...

    def maybe_work(self) -> None: ...

    def wait_hidden(self, what: str) -> None: ...

    def is_pinned(self, tensor: Tensor) -> bool: ...


class _Allocation:
    """Lives as long as any tensor that lies in it."""


class DeviceTensor(Tensor):
    """values: the same tensor on the CPU, once its stream has come to it; twin: the same without values."""

    values: Tensor
    twin: Tensor
    allocation: _Allocation

    @staticmethod
    def __new__(cls, values: Tensor, twin: Tensor, allocation: _Allocation) -> DeviceTensor:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            twin.shape,
            strides=twin.stride(),
            storage_offset=twin.storage_offset(),
            dtype=twin.dtype,
            device=torch.device(NAME),
        )
        made.values, made.twin, made.allocation = values, twin, allocation
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} on a tensor of the device outside of any stream")


class PretendedDevice(TorchDispatchMode):
    """Within this context operations on the device's tensors go to the current stream."""

    def __init__(self, streams: Stream) -> None:
        super().__init__()
        self._streams = streams

    def __enter__(self) -> PretendedDevice:
        # otherwise `torch.tensor(…, device=…)` asks for the device before it asks here
        torch._C._set_only_lift_cpu_tensors(True)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        torch._C._set_only_lift_cpu_tensors(False)

    def upload(self, tensor: Tensor) -> Tensor:
        """A copy that was there before everything else."""
        values = tensor.detach().clone()
        return DeviceTensor(values, values.to("meta"), _Allocation())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        there = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, DeviceTensor)]
        to = kwargs.get("device")
        made_here = to is not None and torch.device(to).type == NAME
        if not there and not made_here:
            return func(*args, **kwargs)
        if func is aten.copy_.default:
            return self._copy(*args, **kwargs)
        if func is aten._to_copy.default and not (there and (made_here or to is None)):
            return self._move(func, args, kwargs, there)
        _refuse_a_mixture(func, args, kwargs)
        try:
            twins = func(*_twins(args), **_on("meta", _twins(kwargs)))
        except RuntimeError:  # its shape depends on values, or it is a value
            return self._look(func, args, kwargs)
        return self._later(func, args, kwargs, there, twins)

    def _later(
        self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], there: Sequence[Tensor], twins: Any
    ) -> Any:
        fresh: dict[int, Tensor] = {}

        def output(twin: Tensor) -> Tensor:
            known = _same_or_view(twin, there)
            if known is None:
                known = self._allocate(twin)
                fresh[id(twin)] = known.values
            return known

        outputs = tree_map(lambda leaf: output(leaf) if isinstance(leaf, Tensor) else leaf, twins)
        places = [fresh.get(id(twin)) for twin in tree_leaves(twins)]
        if (fresh or func._schema.is_mutable) and func.overloadpacket not in _UNINITIALISED:
            self._streams.put(_computation(func, _values(args), _on("cpu", _values(kwargs)), places))
            self._streams.maybe_work()
        return outputs

    def _allocate(self, twin: Tensor) -> DeviceTensor:
        values = torch.empty_strided(twin.shape, twin.stride(), dtype=twin.dtype)
        allocation = _Allocation()
        streams, stream = self._streams, self._streams.current
        memory = fill_with_poison(values)
        end = weakref.finalize(allocation, lambda: streams.put(partial(fill_with_poison, memory), stream))
        end.atexit = False
        return DeviceTensor(values, twin, allocation)

    def _copy(self, to: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
        """Within the device, or between it and the host: pinned memory is read and written when it is due."""
        values, from_values = _values((to, source))
        host = next((t for t in (to, source) if not isinstance(t, DeviceTensor)), None)
        self._streams.put(lambda: values.copy_(from_values))
        self._streams.maybe_work()
        if host is not None and not (non_blocking and self._streams.is_pinned(host)):
            self._streams.wait_hidden("a copy that is not pinned or is waited for")
        return to

    def _move(self, func: Any, args: Any, kwargs: Mapping[str, Any], there: Sequence[Tensor]) -> Tensor:
        """A new copy, on the device or the host; the host waits for it."""
        if there:
            self._streams.wait_hidden("a download")
            return func(*_values(args), **kwargs)
        return self._known(func(*args, **_on("cpu", kwargs)), "an upload")

    def _look(self, func: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """Something that cannot be put off."""
        self._streams.wait_hidden(str(func))
        found = func(*_values(args), **_on("cpu", _values(kwargs)))
        return tree_map(lambda leaf: self._known(leaf) if isinstance(leaf, Tensor) else leaf, found)

    def _known(self, values: Tensor, waited: str | None = None) -> Tensor:
        """A tensor of the device that holds these values already."""
        made = self._allocate(values.to("meta"))
        made.values.copy_(values)
        if waited is not None:
            self._streams.wait_hidden(waited)
        return made


def fill_with_poison(tensor: Tensor) -> Tensor:
    """Overwrite all memory that the tensor lies in; returns the tensor."""
    torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage()).fill_(POISON)
    return tensor


def _computation(
    func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[Tensor | None]
) -> Callable[[], None]:
    def compute() -> None:
        for place, value in zip(places, tree_leaves(func(*args, **kwargs)), strict=True):
            if place is not None:
                place.copy_(value)

    return compute


def _same_or_view(twin: Tensor, there: Sequence[Tensor]) -> DeviceTensor | None:
    """The tensor among those `there` that it is, or a view of the one that it shares memory with."""
    for tensor in there:
        if twin is tensor.twin:
            return tensor
    for tensor in there:
        if twin.untyped_storage()._cdata == tensor.twin.untyped_storage()._cdata:
            storage = tensor.values.untyped_storage()
            view = torch.empty(0, dtype=twin.dtype)
            view.set_(storage, twin.storage_offset(), twin.shape, twin.stride())
            return DeviceTensor(view, twin, tensor.allocation)
    return None


def _refuse_a_mixture(func: Any, args: Any, kwargs: Any) -> None:
    for leaf in tree_leaves((args, kwargs)):
        on_host = isinstance(leaf, Tensor) and not isinstance(leaf, DeviceTensor)
        assert not (on_host and leaf.ndim), f"{func} mixes tensors of the device and of the host"


def _twins(tree: Any) -> Any:
    return tree_map(lambda leaf: leaf.twin if isinstance(leaf, DeviceTensor) else leaf, tree)


def _values(tree: Any) -> Any:
    return tree_map(lambda leaf: leaf.values if isinstance(leaf, DeviceTensor) else leaf, tree)


def _on(device: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The same arguments for another device, where they name one."""
    return {name: torch.device(device) if name == "device" and v else v for name, v in kwargs.items()}
