"""Images as a source of frames."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.errors import ConfigError, SourceError
from pipeline.frame import Frame
from pipeline.sources.base import Source
from pipeline.sources.sequence import open_images


def photograph(path: Path, grey: int, size: tuple[int, int] = (6, 10)) -> Path:
    """A plain grey picture of (height, width)."""
    assert cv2.imwrite(str(path), np.full((*size, 3), grey, np.uint8))
    return path


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Three pictures, grey 0, 40 and 80."""
    return [photograph(tmp_path / f"{i}.png", 40 * i) for i in range(3)]


def frames_of(source: Source) -> list[Frame]:
    return list(iter(source.read, None))


def test_every_image_becomes_one_frame_in_the_order_given(paths: list[Path]) -> None:
    source = open_images([paths[2], paths[0], paths[1]])
    frames = frames_of(source)
    source.close()
    assert [frame.image[0, 0, 0] for frame in frames] == [80, 0, 40]
    assert [frame.name for frame in frames] == ["2.png", "0.png", "1.png"]
    assert [(frame.index, frame.pts) for frame in frames] == [(0, 0), (1, 1), (2, 2)]


def test_the_time_stamps_are_exact_at_the_frame_rate_asked_for(paths: list[Path]) -> None:
    rate = Fraction(30000, 1001)
    frames = frames_of(open_images(paths, rate))
    assert [frame.time for frame in frames] == [Fraction(0), 1 / rate, 2 / rate]


def test_what_is_known_of_a_folder_of_images(paths: list[Path], tmp_path: Path) -> None:
    info = open_images(paths, Fraction(10)).info
    assert (info.width, info.height, info.frame_count) == (10, 6, 3)
    assert (info.frame_rate, info.duration) == (Fraction(10), Fraction(3, 10))
    assert not info.live
    assert info.path is None
    assert info.name == f"{tmp_path} (3 images)"


def test_one_image_is_a_sequence_of_one_frame_under_its_own_name(paths: list[Path]) -> None:
    source = open_images(paths[:1])
    assert source.info.name == str(paths[0])
    assert len(frames_of(source)) == 1
    assert source.read() is None


def test_no_frame_shares_its_pixels_with_another(tmp_path: Path) -> None:
    path = photograph(tmp_path / "a.png", 7)
    first, second = frames_of(open_images([path, path]))
    assert not np.shares_memory(first.image, second.image)


def test_an_image_of_another_size_is_refused_with_both_sizes(paths: list[Path], tmp_path: Path) -> None:
    photograph(tmp_path / "1.png", 0, (10, 6))
    source = open_images(paths)
    assert source.read() is not None
    with pytest.raises(SourceError, match=r"1\.png: 6 x 10 pixels, but 0\.png.* has 10 x 6; scale"):
        source.read()


def test_a_broken_image_in_the_middle_ends_the_sequence_by_name(paths: list[Path]) -> None:
    paths[1].write_bytes(paths[1].read_bytes()[:40])
    source = open_images(paths)
    assert source.read() is not None
    with pytest.raises(SourceError, match=r"1\.png: "):
        source.read()


def test_a_broken_first_image_is_refused_as_the_source_is_opened(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nobody\.png: cannot be read"):
        open_images([tmp_path / "nobody.png"])


def test_no_image_and_an_impossible_frame_rate_are_refused(paths: list[Path]) -> None:
    with pytest.raises(ConfigError, match="at least one image"):
        open_images([])
    with pytest.raises(ConfigError, match="above 0, got -1"):
        open_images(paths, Fraction(-1))


def test_an_interrupt_from_another_thread_ends_the_sequence(paths: list[Path]) -> None:
    source = open_images(paths)
    assert source.read() is not None
    thread = threading.Thread(target=source.interrupt)
    thread.start()
    thread.join()
    assert source.read() is None
    assert source.warnings == ()


def test_closing_twice_does_no_harm_and_nothing_comes_after_it(paths: list[Path]) -> None:
    source = open_images(paths)
    source.close()
    source.close()
    assert source.read() is None


def test_images_of_other_sizes_are_brought_to_the_first_ones_where_that_is_asked_for(
    paths: list[Path], tmp_path: Path
) -> None:
    wide = photograph(tmp_path / "wide.png", 200, size=(4, 40))
    source = open_images([paths[0], wide], letterbox=True)
    boxed = list(iter(source.read, None))[1]
    source.close()
    assert boxed.image.shape == (6, 10, 3)
    assert boxed.image[:, 0, 0].tolist() == [0, 0, 200, 0, 0, 0]
