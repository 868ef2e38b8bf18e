"""Where everything annotated goes, and what is refused before any work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.annotate.inputs import Inputs, VideoInput
from app.annotate.plan import Job, VideoJob, Wanted, plan
from model.errors import ConfigError


def plan_jobs(sources: list[Path], out: Path | None, with_json: bool = False) -> list[Job]:
    return plan(Inputs(photos=sources), Wanted(out, "video", with_json))[0]


def plan_videos(
    sources: list[str], out: Path | None, as_: str = "video", with_json: bool = False
) -> list[VideoJob]:
    videos = [VideoInput("video", source) for source in sources]
    return plan(Inputs(videos=videos), Wanted(out, as_, with_json))[1]


def outputs(sources: list[str], out: Path | None, with_json: bool = False) -> list[str]:
    jobs = plan_jobs([Path(source) for source in sources], out, with_json)
    return [path.name for job in jobs for path in job.outputs]


def test_jpegs_keep_their_names_and_all_else_becomes_png(tmp_path: Path) -> None:
    named = outputs(["a.jpg", "b.JPEG", "c.png", "d.webp", "e.16.tif", "f"], tmp_path)
    assert named == ["a.jpg", "b.JPEG", "c.png", "d.png", "e.16.png", "f.png"]


def test_equal_names_from_different_folders_are_told_apart_by_numbers(tmp_path: Path) -> None:
    named = outputs(["x/a.jpg", "y/a.jpg", "z/A.jpg", "x/a-2.jpg"], tmp_path)
    assert named == ["a.jpg", "a-2.jpg", "A-3.jpg", "a-2-2.jpg"]


def test_names_that_differ_in_their_suffix_alone_do_not_share_a_json_file(tmp_path: Path) -> None:
    named = outputs(["a.jpg", "a.png", "a.tif"], tmp_path, with_json=True)
    assert len(set(named)) == 6
    assert named[:4] == ["a.json", "a.jpg", "a-2.json", "a-2.png"]


def test_names_do_not_depend_on_whether_json_is_wanted(tmp_path: Path) -> None:
    sources = ["a.jpg", "a.png", "b/a.jpg"]
    with_json = outputs(sources, tmp_path, with_json=True)
    assert [name for name in with_json if not name.endswith(".json")] == outputs(sources, tmp_path)


def test_an_output_with_the_suffix_of_an_image_is_the_file_itself(tmp_path: Path) -> None:
    (job,) = plan_jobs([Path("a.jpg")], tmp_path / "new" / "b.png", with_json=True)
    assert job.outputs == (tmp_path / "new" / "b.json", tmp_path / "new" / "b.png")


def test_a_folder_that_is_called_like_an_image_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out.png").mkdir()
    (job,) = plan_jobs([Path("a.jpg")], tmp_path / "out.png", with_json=False)
    assert job.image == tmp_path / "out.png" / "a.jpg"


def test_one_output_file_for_several_photographs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"b\.png names one image, but there are 2"):
        plan_jobs([Path("a.jpg"), Path("c.jpg")], tmp_path / "b.png", with_json=False)


def test_a_format_that_is_not_written_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.jpg, \.jpeg, \.png, not \.gif"):
        plan_jobs([Path("a.jpg")], tmp_path / "b.gif", with_json=False)


def test_an_ordinary_file_is_no_folder_to_write_to(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(ConfigError, match="notes is a file, expected a folder"):
        plan_jobs([Path("a.jpg")], tmp_path / "notes", with_json=False)


def test_an_input_is_never_written_over_however_it_is_reached(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(b"x")
    (tmp_path / "link.png").symlink_to(source)
    os.link(source, tmp_path / "hard.png")
    (tmp_path / "sub").mkdir()
    for out in (tmp_path, tmp_path / "sub" / "..", tmp_path / "link.png", tmp_path / "hard.png"):
        with pytest.raises(ConfigError, match="one of the inputs and would be written over"):
            plan_jobs([source], out, with_json=False)


def test_another_input_is_not_written_over_either(tmp_path: Path) -> None:
    for name in ("a.bmp", "a.png"):
        (tmp_path / name).write_bytes(b"x")
    sources = [tmp_path / "a.bmp", tmp_path / "a.png"]
    with pytest.raises(ConfigError, match=r"a\.png is one of the inputs"):
        plan_jobs(sources, tmp_path, with_json=False)


def test_without_a_place_to_write_to_outputs_get_a_name_of_their_own_in_the_current_folder() -> None:
    assert outputs(["x/a.jpg", "x/b.tif"], None) == ["a_masks.jpg", "b_masks.png"]
    (job,) = plan_videos(["x/clip.v2.avi"], None)
    assert job.outputs == (Path("clip.v2_masks.mp4"),)


def test_a_video_in_a_folder_is_called_after_its_source(tmp_path: Path) -> None:
    (job,) = plan_videos(["x/clip.mkv"], tmp_path, with_json=True)
    assert job.outputs == (tmp_path / "clip_masks.jsonl", tmp_path / "clip_masks.mp4")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
def test_an_output_with_the_suffix_of_a_video_is_the_file_itself(tmp_path: Path, suffix: str) -> None:
    (job,) = plan_videos(["clip.avi"], tmp_path / f"shown{suffix}", with_json=True)
    assert job.outputs == (tmp_path / "shown.jsonl", tmp_path / f"shown{suffix}")


def test_frames_can_become_a_folder_of_images_or_json_lines_alone(tmp_path: Path) -> None:
    (images,) = plan_videos(["clip.mp4"], tmp_path, as_="images")
    (lines,) = plan_videos(["clip.mp4"], tmp_path, as_="json")
    assert images.outputs == (tmp_path / "clip_masks",)
    assert lines.outputs == (tmp_path / "clip_masks.jsonl",)


def test_photographs_become_the_frames_of_an_output_that_is_a_video(tmp_path: Path) -> None:
    photos = [Path("f/1.jpg"), Path("f/2.jpg")]
    jobs, (video,) = plan(Inputs(photos=photos), Wanted(tmp_path / "out.mp4", "video", False))
    assert jobs == []
    assert (video.source.kind, video.source.images) == ("images", tuple(photos))


def test_a_camera_and_a_stream_get_names_without_odd_signs_or_secrets(tmp_path: Path) -> None:
    inputs = Inputs(
        videos=[VideoInput("camera", "0"), VideoInput("stream", "rtsp://ann:secret@10.0.0.7:554/live?x=1")]
    )
    camera, stream = (job.video for job in plan(inputs, Wanted(tmp_path, "video", False))[1])
    assert camera is not None
    assert stream is not None
    assert camera.name == "camera-0_masks.mp4"
    assert "secret" not in stream.name
    assert "10-0-0-7" in stream.name


def test_two_videos_that_would_have_one_output_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"x/a\.mp4 and y/A\.mkv would both become"):
        plan_videos(["x/a.mp4", "y/A.mkv"], tmp_path)


def test_one_output_file_for_several_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"out\.mp4 names one output, but there are 2"):
        plan_videos(["a.mp4", "b.mp4"], tmp_path / "out.mp4")


def test_a_video_cannot_become_one_image(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"out\.png is an image, but a\.mp4 is no photograph"):
        plan_videos(["a.mp4"], tmp_path / "out.png")


def test_a_video_is_never_written_over_however_it_is_reached(tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(b"x")
    (tmp_path / "link.mp4").symlink_to(source)
    os.link(source, tmp_path / "hard.mp4")
    for out in (source, tmp_path / "link.mp4", tmp_path / "hard.mp4"):
        with pytest.raises(ConfigError, match="one of the inputs and would be written over"):
            plan_videos([str(source)], out)


@pytest.mark.parametrize("kind", ["photos", "videos"])
def test_an_output_in_a_folder_that_is_searched_is_refused(tmp_path: Path, kind: str) -> None:
    inputs = Inputs(folders=[tmp_path / "here" / ".." / "here"])
    (tmp_path / "here").mkdir()
    if kind == "photos":
        inputs.photos.append(tmp_path / "here" / "a.tif")
    else:
        inputs.videos.append(VideoInput("video", str(tmp_path / "here" / "a.avi")))
    with pytest.raises(ConfigError, match="which is searched for inputs; choose another OUT"):
        plan(inputs, Wanted(tmp_path / "here", "video", False))
    plan(inputs, Wanted(tmp_path / "here" / "out", "video", False))  # subfolders are not searched


def test_json_lines_alone_can_go_to_a_named_file(tmp_path: Path) -> None:
    (job,) = plan_videos(["a.mp4"], tmp_path / "found.jsonl", as_="json")
    assert job.outputs == (tmp_path / "found.jsonl",)


def plan_tracks(source: str, out: Path | None, as_: str = "video") -> list[str]:
    inputs = Inputs(videos=[VideoInput("video", source)])
    (job,) = plan(inputs, Wanted(out, as_, False, tracks=("csv", "mots")))[1]
    assert {path for _, path in job.tracks} <= set(job.outputs)
    return [str(path) for _, path in job.tracks]


def test_tracks_have_the_name_of_what_they_go_with_and_lie_beside_it(tmp_path: Path) -> None:
    assert plan_tracks("x/clip.v2.avi", None) == ["clip.v2_masks.tracks.csv", "clip.v2_masks.mots.txt"]
    for as_ in ("images", "json"):
        assert plan_tracks("clip.avi", tmp_path, as_)[0] == str(tmp_path / "clip_masks.tracks.csv")
    assert plan_tracks("clip.avi", tmp_path / "b.v3.mkv")[0] == str(tmp_path / "b.v3.tracks.csv")
    assert plan_tracks("clip.avi", tmp_path / "b.jsonl", "json")[1] == str(tmp_path / "b.mots.txt")


def test_two_videos_whose_tracks_would_have_one_name_are_refused_even_where_the_videos_differ(
    tmp_path: Path,
) -> None:
    inputs = Inputs(videos=[VideoInput("video", "a.mp4")])
    trace = tmp_path / "a_masks.tracks.csv"
    with pytest.raises(ConfigError, match=r"would both become .*a_masks\.tracks\.csv"):
        plan(inputs, Wanted(tmp_path, "video", False, trace, ("csv",)))
    inputs.videos.append(VideoInput("video", "x/A.avi"))
    with pytest.raises(ConfigError, match="would both become"):
        plan(inputs, Wanted(tmp_path, "json", False, tracks=("csv",)))


def test_photographs_have_no_tracks(tmp_path: Path) -> None:
    inputs = Inputs(photos=[Path("a.jpg")])
    (job,) = plan(inputs, Wanted(tmp_path, "video", False, tracks=("csv",)))[0]
    assert job.outputs == (tmp_path / "a.jpg",)


@pytest.mark.parametrize("name", ["out.avi", "out.json", "out.jsonl", "-", "out.ts", "out.csv", "out.txt"])
def test_a_file_of_a_kind_that_is_not_written_does_not_become_a_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        plan_videos(["a.mp4"], Path("-") if name == "-" else tmp_path / name)


def test_a_trace_is_an_output_like_any_other(tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(b"x")
    inputs = Inputs(videos=[VideoInput("video", str(source))])
    out = tmp_path / "out.mp4"
    for trace, said in ((source, "one of the inputs"), (out, "would both become")):
        with pytest.raises(ConfigError, match=said):
            plan(inputs, Wanted(out, "video", False, trace))
