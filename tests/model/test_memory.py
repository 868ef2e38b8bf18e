"""Batches that memory cannot hold are refused before anything is allocated for them."""

from pathlib import Path

import pytest

from model.errors import ConfigError
from model.memory import available_memory, check_batch, check_frames

GB = 10**9


def test_a_batch_that_fits_passes_and_one_that_does_not_is_told_with_one_that_would():
    check_batch(64, 2, 320, free=4 * GB)
    with pytest.raises(ConfigError, match=r"a batch of 100000 frames needs about 2211\.8 GB .* of 180 fits"):
        check_batch(100_000, 2, 320, free=4 * GB)
    check_batch(180, 2, 320, free=4 * GB)


def test_the_frames_themselves_count_too():
    check_frames(8, 2, (1080, 1920), free=4 * GB)
    with pytest.raises(ConfigError, match=r"batches of 1000 frames of 1920 x 1080 .* a batch of 107 fits"):
        check_frames(1000, 2, (1080, 1920), free=4 * GB)


def test_one_frame_at_a_time_is_always_tried():
    check_batch(1, 8, 4096, free=1)
    check_frames(1, 8, (8192, 8192), free=1)


def test_what_is_free_is_what_the_system_says(tmp_path: Path):
    (tmp_path / "meminfo").write_text("MemTotal: 16000 kB\nMemAvailable:  4000 kB\n")
    assert available_memory(tmp_path / "meminfo") == 4_096_000
    assert available_memory(tmp_path / "absent") is None
    assert (available_memory() or 0) > 1 << 20
