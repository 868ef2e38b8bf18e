"""COCO's compressed run-length code, taken apart."""

from __future__ import annotations

_DIGIT, _MORE, _NEGATIVE = 0x1F, 0x20, 0x10
_BITS = 5  # of a number in each letter
_FIRST = 48  # the letter that stands for 0


def runs_of(code: str) -> list[int]:
    """The lengths of the runs, column by column, the first one of 0s: [R], as `run_lengths` makes them.

    A letter holds 5 bits of a number, the lowest first, and whether more follow; the highest bit of the last
    one is the sign. From the fourth number on, what stands there is the difference to the last but one
    (COCO API, `maskApi.c`).
    """
    runs: list[int] = []
    value = shift = 0
    for letter in code:
        bits = ord(letter) - _FIRST
        value |= (bits & _DIGIT) << shift
        shift += _BITS
        if bits & _MORE:
            continue
        if bits & _NEGATIVE:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs
