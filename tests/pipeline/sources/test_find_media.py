"""Photographs and videos found on disk by what the user typed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.errors import SourceError
from pipeline.sources.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES, FoundMedia, find_media
from pipeline.sources.searching import counted_by_kind

RGB = np.random.default_rng(0).integers(0, 255, (7, 11, 3), np.uint8)


def ppm_header(width: int, height: int) -> bytes:
    """An image file that announces a size and ends there."""
    return f"P6 {width} {height} 255\n".encode()


def saved(path: Path, picture: Image.Image, format: str | None = None, **options: object) -> Path:
    picture.save(path, format, **options)
    return path


def names(paths: tuple[Path, ...]) -> list[str]:
    return [path.name for path in paths]


def touch(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_a_folder_gives_its_images_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "10.jpg", "9.JPG", "a2.png", "A1.webp", "b.tiff")
    assert names(find_media(tmp_path).images) == ["9.JPG", "10.jpg", "A1.webp", "a2.png", "b.tiff"]


def test_subfolders_hidden_files_and_other_files_are_left_alone(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "._a.jpg", "a.json", "notes.txt", "more/b.jpg")
    (tmp_path / "folder.jpg").mkdir()
    assert names(find_media(tmp_path).images) == ["a.jpg"]


def test_videos_in_a_folder_are_told_apart_from_images(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "clip.MP4", "b.mkv", "clip10.mp4", "clip9.mp4")
    found = find_media(tmp_path)
    assert names(found.images) == ["a.jpg"]
    assert names(found.videos) == ["b.mkv", "clip9.mp4", "clip10.mp4", "clip.MP4"]
    assert names(find_media(f"{tmp_path}/*9.mp4").videos) == ["clip9.mp4"]


def test_no_suffix_stands_for_an_image_and_a_video() -> None:
    assert not IMAGE_SUFFIXES & VIDEO_SUFFIXES


def test_unfinished_outputs_are_left_out_unless_they_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "a_masks.part.mp4", "a_masks.7f3.part.MKV", "b.part.png", "depart.mp4")
    assert names(find_media(tmp_path).videos) == ["a.mp4", "depart.mp4"]
    assert names(find_media(f"{tmp_path}/a*").videos) == ["a.mp4"]
    assert names(find_media(tmp_path / "a_masks.part.mp4").videos) == ["a_masks.part.mp4"]


@pytest.mark.parametrize("name", ["clip.mp4", "clip", "notes.txt", "clip.part.mp4"])
def test_a_file_that_neither_begins_nor_is_called_like_an_image_is_taken_for_a_video(
    tmp_path: Path, name: str
) -> None:
    touch(tmp_path, name)
    assert find_media(tmp_path / name) == FoundMedia(videos=(tmp_path / name,))


@pytest.mark.parametrize("name", ["photo", "photo.mp4", "photo.png"])
def test_a_file_that_begins_as_an_image_is_one_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path / name, Image.fromarray(RGB), format="JPEG")
    assert find_media(path) == FoundMedia(images=(path,))


def test_a_series_of_jpegs_in_one_file_is_a_video_though_it_begins_as_an_image(tmp_path: Path) -> None:
    path = saved(tmp_path / "camera.mjpeg", Image.fromarray(RGB), format="JPEG")
    assert find_media(path) == FoundMedia(videos=(path,))


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_an_animation_is_a_video_and_a_picture_of_the_same_kind_an_image(tmp_path: Path, name: str) -> None:
    pictures = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    animation = saved(tmp_path / name, pictures[0], save_all=True, append_images=pictures[1:])
    picture = saved(tmp_path / f"b{animation.suffix}", pictures[0])
    assert find_media(animation) == FoundMedia(videos=(animation,))
    assert find_media(picture) == FoundMedia(images=(picture,))
    assert find_media(tmp_path) == FoundMedia((picture,), (animation,))


def test_several_pages_and_two_views_of_a_photograph_are_no_animation(tmp_path: Path) -> None:
    pictures = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    pages = saved(tmp_path / "pages.tif", pictures[0], save_all=True, append_images=pictures[1:])
    views = saved(tmp_path / "views.jpg", pictures[0], "MPO", save_all=True, append_images=pictures[1:])
    for path in (pages, views):
        assert find_media(path) == FoundMedia(images=(path,))


@pytest.mark.parametrize("content", [b"", b"shopping list", ppm_header(60_000, 60_000)])
def test_a_broken_image_named_outright_stays_an_image_so_that_its_reader_says_why(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    assert find_media(path) == FoundMedia(images=(path,))


def test_a_bomb_without_a_suffix_is_an_image_too(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(ppm_header(60_000, 60_000))
    assert names(find_media(tmp_path / "photo").images) == ["photo"]


@pytest.mark.parametrize("content", [(), ("notes.txt",), ("clip.part.mp4",), (".hidden.jpg",)])
def test_a_folder_without_media_is_refused(tmp_path: Path, content: tuple[str, ...]) -> None:
    touch(tmp_path, *content)
    with pytest.raises(SourceError, match="the folder holds no image and no video; expected JPEG"):
        find_media(tmp_path)


def test_a_missing_file_or_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nobody\.jpg: no such file or folder"):
        find_media(tmp_path / "nobody.jpg")
    with pytest.raises(SourceError, match=r"no such file or folder|cannot be read"):
        find_media("x" * 5000)


def test_patterns_are_expanded_also_across_folders(tmp_path: Path) -> None:
    touch(tmp_path, "a1.jpg", "a2.jpg", "b.jpg", "deep/er/a3.jpg", "a.txt")
    assert names(find_media(f"{tmp_path}/a*").images) == ["a1.jpg", "a2.jpg"]
    assert names(find_media(f"{tmp_path}/[ab]?.jpg").images) == ["a1.jpg", "a2.jpg"]
    assert names(find_media(f"{tmp_path}/**/a*.jpg").images) == ["a1.jpg", "a2.jpg", "a3.jpg"]


def test_a_pattern_without_a_match_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"\*\.jpg: the pattern holds no image"):
        find_media(f"{tmp_path}/*.jpg")


def test_a_name_that_reads_like_a_pattern_is_taken_as_it_is(tmp_path: Path) -> None:
    touch(tmp_path, "photo[1].jpg", "photo1.jpg", "what?.jpg", "odd [folder]/a.jpg")
    assert names(find_media(tmp_path / "photo[1].jpg").images) == ["photo[1].jpg"]
    assert names(find_media(tmp_path / "odd [folder]").images) == ["a.jpg"]
    assert names(find_media(tmp_path / "what?.jpg").images) == ["what?.jpg"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="pipe: not a file"):
        find_media(tmp_path / "pipe")


def test_what_is_left_out_of_a_folder_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "1.txt", "2.TXT", "notes", "b.unknown", ".hidden.txt", "c.part.mp4")
    found = find_media(tmp_path)
    assert names(found.left) == ["1.txt", "2.TXT", "b.unknown", "notes"]
    assert counted_by_kind(found.left) == "2 .txt, 1 .unknown, 1 without a suffix"


@pytest.mark.parametrize("suffix", ["h264", "h265", "insv", "divx", "ogm", "mod", "tod", "vro", "nut", "obu"])
def test_videos_of_cameras_and_bare_streams_are_found_by_their_suffix(tmp_path: Path, suffix: str) -> None:
    touch(tmp_path, f"a.{suffix}")
    assert names(find_media(tmp_path).videos) == [f"a.{suffix}"]


def test_a_folder_is_searched_with_its_subfolders_where_that_is_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "deep/er/b.jpg", "deep/c.mp4", ".cache/d.jpg")
    (tmp_path / "deep" / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "same.jpg").symlink_to(tmp_path / "a.jpg")
    found = find_media(tmp_path, recursive=True)
    assert (names(found.images), names(found.videos)) == (["a.jpg", "b.jpg"], ["c.mp4"])
    assert names(find_media(tmp_path).images) == ["a.jpg", "same.jpg"]


def test_links_in_a_circle_give_each_file_once(tmp_path: Path) -> None:
    touch(tmp_path, "a/photo.jpg", "b/other.jpg")
    for number in range(3):
        (tmp_path / "a" / f"loop{number}").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "b" / f"loop{number}").symlink_to(tmp_path / "a", target_is_directory=True)
    for pattern in ("**/*.jpg", "**", "**/*", "a/**/*.jpg", "**/**/*.jpg"):
        assert sorted(names(find_media(f"{tmp_path}/{pattern}").images)) == ["other.jpg", "photo.jpg"]
