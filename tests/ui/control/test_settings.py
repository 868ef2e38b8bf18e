import dataclasses
import json
from pathlib import Path

import pytest

from pipeline.settings import DetectionSettings, DisplaySettings
from ui.control.settings import WindowSettings, camera_options, load, save, settings_path
from ui.control.settings_fields import DETECTION_FIELDS, DISPLAY_FIELDS, WINDOW_FIELDS

CHOSEN = WindowSettings(
    detection=DetectionSettings(
        weights="a.pt", engine="torch", precision="fp32", image_size=320, score_threshold=0.5,
        max_detections=7, nms="exact", classes=("person", "dog"), stabilise="light",
    ),
    display=DisplaySettings(
        masks=False, opacity=0.2, colour_by="class", background="colour", background_colour=(1, 2, 3),
        background_picture=Path("wall.png"), privacy=True,
    ),
    recent=("clip.mp4", "rtsp://***@host/one"),
    output="/videos",
    record_json=False,
    camera_mode="1280x720@30",
    colours="dark",
    panels=("source",),
    layout="AAAA BBBB",
)  # fmt: skip


def stored(tmp_path, text):
    path = tmp_path / "window.json"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_what_is_saved_is_what_is_loaded(tmp_path):
    path = tmp_path / "deep" / "window.json"

    save(CHOSEN, path)

    assert load(path) == (CHOSEN, "")
    assert [p.name for p in path.parent.iterdir()] == ["window.json"]


def test_the_weights_own_thresholds_are_kept_as_null_and_a_number_of_an_older_file_is_one_still(tmp_path):
    path = tmp_path / "window.json"
    save(WindowSettings(), path)
    assert json.loads(path.read_text(encoding="utf-8"))["detection"]["score_threshold"] is None
    assert load(path) == (WindowSettings(), "")
    older = WindowSettings(DetectionSettings(score_threshold=0.3))
    assert stored(tmp_path, '{"detection": {"score_threshold": 0.3}}') == (older, "")


def test_every_field_can_be_read_back():
    def names(record):
        return {field.name for field in dataclasses.fields(record)}

    assert set(DETECTION_FIELDS) == names(DetectionSettings)
    assert set(DISPLAY_FIELDS) == names(DisplaySettings)
    assert set(WINDOW_FIELDS) == names(WindowSettings) - {"detection", "display"}


def test_no_file_gives_the_defaults_without_a_word(tmp_path):
    assert load(tmp_path / "none.json") == (WindowSettings(), "")


@pytest.mark.parametrize("text", ["", "{", "[1]", '"text"', "nul", "[" * 100_000], ids=lambda t: t[:5])
def test_a_broken_file_gives_the_defaults_and_a_warning_with_its_name(tmp_path, text):
    settings, warning = stored(tmp_path, text)

    assert settings == WindowSettings()
    assert "window.json" in warning
    assert "defaults" in warning


def test_bytes_that_are_no_text_and_a_folder_in_its_place_are_told(tmp_path):
    (tmp_path / "window.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.json").mkdir()

    assert "defaults" in load(tmp_path / "window.json")[1]
    assert "defaults" in load(tmp_path / "folder.json")[1]


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("detection", "engine", "steam"), ("detection", "score_threshold", 1.5),
        ("detection", "score_threshold", "0.5"), ("detection", "image_size", True),
        ("detection", "image_size", 7), ("detection", "classes", "person"), ("detection", "nms", None),
        ("detection", "max_detections", 0), ("detection", "max_detections", 101),
        ("display", "opacity", -1), ("display", "opacity", 1e999),
        ("display", "privacy", 1), ("display", "background", "beach"),
        ("display", "background_colour", [1, 2]), ("display", "background_colour", [1, 2, 300]),
        ("display", "background_picture", 3), (None, "recent", "clip.mp4"), (None, "recent", [1]),
        (None, "output", None), (None, "colours", "pink"), (None, "layout", 1), (None, "panels", [None]),
        (None, "of_tomorrow", 1),
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_told_and_everything_else_is_kept(tmp_path, part, name, value):
    content = {"detection": {"device": "cpu"}, "display": {"boxes": False}, "record_json": False}
    (content[part] if part else content)[name] = value

    settings, warning = stored(tmp_path, json.dumps(content))

    assert name in warning
    assert settings == WindowSettings(
        DetectionSettings(device="cpu"), DisplaySettings(boxes=False), record_json=False
    )


def test_a_group_of_settings_that_is_none_is_told(tmp_path):
    settings, warning = stored(tmp_path, '{"detection": 3, "output": "/kept"}')

    assert "detection" in warning
    assert settings == WindowSettings(output="/kept")


def test_a_file_that_cannot_be_written_leaves_the_one_before(tmp_path):
    path = tmp_path / "window.json"
    save(CHOSEN, path)

    with pytest.raises(TypeError):
        save(dataclasses.replace(CHOSEN, recent={("no", "json"): 1}), path)

    assert load(path) == (CHOSEN, "")
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["window.json"]


def test_the_file_lies_where_the_home_is_told_to_be(home, monkeypatch):
    assert settings_path() == home / "window.json"

    monkeypatch.delenv("LIVEMASK_HOME")
    assert settings_path().name == "window.json"
    assert "livemask" in str(settings_path().parent).lower()


def test_a_camera_mode_is_width_height_and_rate():
    assert camera_options("") is None
    assert camera_options("large") is None
    plain, full = camera_options("640x480"), camera_options("1280x720@29.97")

    assert plain is not None
    assert (plain.width, plain.height, plain.camera_rate) == (640, 480, None)
    assert full is not None
    assert (full.width, full.height, full.camera_rate) == (1280, 720, 29.97)


@pytest.mark.parametrize("broken", ['"strnog"', "3", "null", "true"])
def test_a_strength_of_the_stabiliser_that_there_is_not_is_told_and_off_is_used(tmp_path, broken):
    settings, warning = stored(tmp_path, f'{{"detection": {{"stabilise": {broken}, "nms": "exact"}}}}')
    assert settings.detection == DetectionSettings(nms="exact")
    assert "detection.stabilise: expected one of off, light, strong" in warning


@pytest.mark.parametrize("number", ["1" + "0" * 400, "-1" + "0" * 400, "1e400", "NaN"])
@pytest.mark.parametrize("field", ['"detection": {"score_threshold": %s}', '"display": {"opacity": %s}'])
def test_a_number_too_large_for_any_float_is_told_and_stops_no_start(tmp_path, field, number):
    settings, warning = stored(tmp_path, "{" + field % number + ', "output": "/videos"}')
    assert settings == WindowSettings(output="/videos")
    assert "expected a number from 0 to 1" in warning


def test_whatever_a_file_holds_one_can_start(tmp_path):
    for value in ("[" * 900 + "]" * 900, "1" * 5000, '{"a": 1e999}', "[[1e999]]", "null", '"\\ud800"'):
        for name in ("detection", "display", "recent", "output", "panels", "no such"):
            settings, warning = stored(tmp_path, f'{{"{name}": {value}}}')
            assert isinstance(settings, WindowSettings)
            assert warning or (name, value) in {("panels", "null"), ("output", '"\\ud800"')}
