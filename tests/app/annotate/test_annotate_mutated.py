"""Videos damaged at random: whatever is in a file, the program ends by itself and says what it did."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from app.cli import main
from tests.clips import write_clip

PATIENCE = 60.0  # seconds; a file of a dozen small frames takes well under one
AT_A_TIME = 2
FEW, MANY = 3, 300
GOOD_ENDS = (0, 1)

Mutation = Callable[[bytearray, random.Random], None]


def flip_bits(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 4, 40, 400))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def overwrite_a_stretch(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    length = min(chance.choice((4, 64, 2000)), len(data) - start)
    data[start : start + length] = chance.choice((bytes(length), b"\xff" * length, chance.randbytes(length)))


def cut_off(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def cut_out(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    del data[start : start + chance.choice((1, 16, 1000))]


def repeat_a_stretch(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    data[start:start] = data[start : start + chance.choice((8, 500))]


def corrupt_the_index(data: bytearray, chance: random.Random) -> None:
    """A number within the boxes that say where frames are, how long they last and how large they are."""
    boxes = (
        b"stts",
        b"ctts",
        b"stsz",
        b"stco",
        b"stsc",
        b"mdhd",
        b"tkhd",
        b"avcC",
        b"elst",
        b"trak",
        b"moov",
    )
    places = [at for at in map(data.find, boxes) if at > 0]
    if not places:
        flip_bits(data, chance)
        return
    at = min(chance.choice(places) - 4 + 4 * chance.randrange(12), len(data) - 4)
    value = chance.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, chance.randrange(2**32)))
    data[at : at + 4] = value.to_bytes(4, "big")


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits, overwrite_a_stretch, cut_off, cut_out, repeat_a_stretch, corrupt_the_index,
)  # fmt: skip


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("original") / "clip.mp4"
    write_clip(path, frames=12, seconds_of_audio=0.4)
    return path.read_bytes()


def mutated(original: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    data = bytearray(original)
    MUTATIONS[seed % len(MUTATIONS)](data, chance)
    return bytes(data)


def annotate(clip: Path, weights: Path) -> None:
    """What the child process does; its exit code is the command's."""
    import torch

    torch.set_num_threads(1)
    arguments = ["--engine", "torch", "--weights", str(weights), "--overwrite", "--json", "-q"]
    raise SystemExit(main(["annotate", str(clip), "-o", str(clip.parent / "out"), *arguments]))


def test_mutations_are_repeatable_and_change_the_file(original: bytes) -> None:
    assert mutated(original, 7) == mutated(original, 7)
    assert sum(mutated(original, seed) != original for seed in range(10)) >= 8


@pytest.mark.parametrize(
    "seeds", [range(FEW), pytest.param(range(FEW, MANY), marks=pytest.mark.slow)], ids=len
)
def test_no_mutated_copy_hangs_the_program_or_ends_it_by_a_signal(
    original: bytes, weights: Path, tmp_path: Path, seeds: range
) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "app.annotate.command",
            "app.annotate.jobs",
            "app.annotate.videos",
            "torch",
            "pipeline.tracking.bytetrack",
            "pipeline.tracking.cuts",
            "tests.clips",
        ]
    )
    ends: dict[int, int | None] = {}
    waiting = list(seeds)
    running: dict[int, ForkServerProcess] = {}
    while waiting or running:
        while waiting and len(running) < AT_A_TIME:
            seed = waiting.pop(0)
            folder = tmp_path / str(seed)
            folder.mkdir()
            (folder / "clip.mp4").write_bytes(mutated(original, seed))
            running[seed] = context.Process(target=annotate, args=(folder / "clip.mp4", weights), daemon=True)
            running[seed].start()
        seed, process = next(iter(running.items()))
        process.join(PATIENCE)
        ends[seed] = process.exitcode
        process.kill()
        del running[seed]
    bad = {seed: end for seed, end in ends.items() if end not in GOOD_ENDS}
    assert not bad, f"seeds and exit codes (None: hung, negative: ended by that signal): {bad}"
    assert set(ends.values()) == set(GOOD_ENDS), "all files were equally good or bad: nothing was tried"
    unfinished = [path for path in tmp_path.glob("*/out/*.part.*") if ends[int(path.parts[-3])] == 0]
    assert not unfinished
