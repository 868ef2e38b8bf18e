"""Work in a process of its own, which gives all memory back and has cores and threads as a worker has."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

from app.batch.local import share_of
from app.batch.worker import pin
from model.errors import LiveMaskError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def apart(
    function: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs
) -> Result:
    """Return what a function of a module returns in a new process, or raise what it raises there."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer=pin, initargs=(share_of(0, 1),)) as pool:
        try:
            return pool.submit(function, *arguments, **named).result()
        except BrokenProcessPool as error:
            raise LiveMaskError(
                f"the process that was to do {function.__name__!r} has ended at once; is there enough memory?"
            ) from error
