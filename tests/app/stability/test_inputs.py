"""What inputs of `stability` stand for, and which ground truth is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.stability.inputs import gather
from app.stability.truth import checked
from model.errors import ConfigError, DataError
from tests.moving_scene import HEIGHT, WIDTH, labels, write_frames, write_masks, write_sequence

SIZE = (WIDTH, HEIGHT)


def test_a_folder_with_frames_and_masks_brings_its_own_ground_truth(tmp_path: Path):
    (video,) = gather([str(write_sequence(tmp_path / "dance"))], None, None).videos

    assert video.name == "dance"
    assert video.truth is not None
    assert np.array_equal(video.truth.labels(3), labels(3))


def test_a_folder_of_frames_is_one_video_and_one_of_videos_are_several(tmp_path: Path):
    frames = write_frames(tmp_path / "frames", 3)
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (clips / name).write_bytes(b"")

    videos = gather([str(frames), str(clips)], None, None).videos

    assert [video.name for video in videos] == ["frames", "a.mp4", "b.mp4"]
    assert videos[0].truth is None


def test_videos_of_one_name_are_told_apart_by_their_paths(tmp_path: Path):
    paths = [str(write_frames(tmp_path / name / "shot", 2)) for name in ("one", "two")]

    assert [video.name for video in gather(paths, None, None).videos] == paths


def test_an_input_that_is_named_twice_is_measured_once(tmp_path: Path):
    path = str(write_frames(tmp_path / "shot", 2))

    assert len(gather([path, path], None, None).videos) == 1


def test_a_folder_of_frames_and_videos_is_refused(tmp_path: Path):
    frames = write_frames(tmp_path / "mixed", 2)
    (frames / "clip.mp4").write_bytes(b"")

    gathered = gather([str(frames)], None, None)

    assert not gathered.videos
    assert "2 images and 1 videos" in gathered.failures[0]


@pytest.mark.parametrize("address", ["0", "camera:front", "rtsp://user:secret@host/stream"])
def test_what_is_live_needs_an_end_and_has_no_ground_truth(address: str, tmp_path: Path):
    with pytest.raises(ConfigError, match="--max-frames") as caught:
        gather([address], None, None)
    assert "secret" not in str(caught.value)

    with pytest.raises(ConfigError, match="leave --masks out"):
        gather([address], write_masks(tmp_path / "masks", 2), 5)

    assert gather([address], None, 5).videos[0].source.is_live


def test_a_frame_without_a_mask_is_named(tmp_path: Path):
    frames, masks = write_frames(tmp_path / "f", 3), write_masks(tmp_path / "m", 2)

    with pytest.raises(DataError, match=r"1 of 3 frames have no mask, first 2\.png"):
        gather([str(frames)], masks, None)


def test_masks_beyond_the_frames_that_are_measured_need_not_be_there(tmp_path: Path):
    frames, masks = write_frames(tmp_path / "f", 3), write_masks(tmp_path / "m", 2)

    assert gather([str(frames)], masks, 2).videos[0].truth is not None


def test_masks_never_go_with_what_is_left_of_several_inputs(tmp_path: Path):
    frames, masks = write_frames(tmp_path / "f", 3), write_masks(tmp_path / "m", 3)

    gathered = gather([str(frames), str(tmp_path / "nowhere")], masks, None)

    assert not gathered.videos
    assert len(gathered.failures) == 1


def write_mask(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


def test_objects_keep_their_values(tmp_path: Path):
    values = labels(0, 3)
    values[:5, :5] = 7

    truth = checked([write_mask(tmp_path / "0.png", values)], SIZE)

    assert np.unique(truth.labels(0)).tolist() == [0, 3, 7]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (labels(0)[:-1], "another size"),
        (np.zeros((HEIGHT, WIDTH), np.uint8), "no mask shows an object"),
        (np.full((HEIGHT, WIDTH), 300, np.uint16), "the label 300, expected 0 to 255"),
        (np.zeros((HEIGHT, WIDTH, 3), np.uint8), "one channel"),
    ],
)
def test_a_mask_that_cannot_be_ground_truth_is_refused(values: np.ndarray, word: str, tmp_path: Path):
    with pytest.raises(DataError, match=word):
        checked([write_mask(tmp_path / "0.png", values)], SIZE)


def test_a_mask_with_smoothed_edges_is_no_label_image(tmp_path: Path):
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    values[0, :60] = np.arange(1, 61)

    with pytest.raises(DataError, match="smoothed"):
        checked([write_mask(tmp_path / "0.png", values)], SIZE)
