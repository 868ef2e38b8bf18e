"""What is painted for somebody who watches: settings, selection, background and privacy together."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.detections import Detections, no_detections
from pipeline.live.network.fitting import wanted_rows
from pipeline.live.painting import LivePainter
from pipeline.overlay.draw import OverlayStyle, draw
from pipeline.settings import DetectionSettings, DisplaySettings
from tests.pipeline.live.scenes import NAMES, SIZE, Box, changed, disc, found, inside, noise, result

HERE: Box = (200, 200, 400, 600)
THERE: Box = (700, 200, 900, 600)
BARE = DisplaySettings(masks=False, outlines=False, boxes=False, labels=False)


def best(detections: Detections) -> NDArray[np.int64]:
    """Only what scores over 0.5."""
    return np.flatnonzero(detections.scores > 0.5)


def test_a_result_is_drawn_as_the_settings_say() -> None:
    before = result(found([HERE, THERE], [0, 1]))
    display = DisplaySettings(opacity=0.7, colour_by="class", labels=False, show_fps=True)
    after = LivePainter(display)(before, 12.34)
    style = OverlayStyle(alpha=0.7, colour_by="class", labels=False)
    assert after.annotated is not None
    assert np.array_equal(after.annotated, draw(noise(), before.detections, style, badge="12.3 fps"))
    assert after.frame is before.frame
    assert after.selected is None


@pytest.mark.parametrize("part", ["masks", "outlines", "boxes", "labels", "show_fps"])
def test_every_part_can_be_shown_alone(part: str) -> None:
    before = result(found([HERE]))
    bare = LivePainter(BARE)(before, 10)
    alone = LivePainter(dataclasses.replace(BARE, **{part: True}))(before, 10)
    assert np.array_equal(bare.annotated, noise())
    assert not np.array_equal(alone.annotated, noise())


def test_settings_hold_from_the_next_frame_on() -> None:
    painter = LivePainter(BARE)
    before = result(found([HERE]))
    painter.display = DisplaySettings()
    assert painter.display == DisplaySettings()
    assert np.array_equal(painter(before, 0).annotated, draw(noise(), before.detections))


def test_what_a_device_has_drawn_is_drawn_anew() -> None:
    before = dataclasses.replace(result(found([HERE])), annotated=noise(seed=5))
    assert np.array_equal(LivePainter(BARE)(before, 0).annotated, noise())


def test_what_is_not_wanted_is_left_out_with_its_coefficients() -> None:
    before = result(found([HERE, THERE]), prototypes=np.zeros((8, 8, 4), np.float32))
    after = LivePainter(BARE, best)(before, 0)
    assert len(after.detections) == 1
    assert after.detections.track_ids is None
    assert after.inspection is not None
    assert np.array_equal(after.inspection.coefficients, np.zeros((1, 4)))


def test_only_what_is_really_part_of_a_track_is_shown_with_a_low_score() -> None:
    weak = dataclasses.replace(found([HERE, THERE]), track_ids=np.array([4, -1]))
    weak = dataclasses.replace(weak, scores=weak.scores / 10, box_scores=weak.box_scores / 10)
    still = DetectionSettings(score_threshold=0.5, stabilise="light")
    after = LivePainter(BARE, lambda found: wanted_rows(still, found))(result(weak), 0)
    assert after.detections.track_ids is not None
    assert after.detections.track_ids.tolist() == [4]


def test_the_rows_of_coefficients_follow_the_order_of_what_is_shown() -> None:
    painter = LivePainter(BARE, lambda _: np.array([2, 0]))
    before = result(found([HERE, THERE, HERE]), prototypes=np.zeros((8, 8, 4), np.float32))
    after = painter(before, 0)
    assert after.inspection is not None
    assert after.inspection.coefficients[:, 0].tolist() == [2, 0]
    assert after.detections.scores.tolist() == before.detections.scores[[2, 0]].tolist()


def test_people_too_weak_to_be_shown_are_hidden_all_the_same() -> None:
    before = result(found([HERE, THERE]))
    after = LivePainter(dataclasses.replace(BARE, privacy=True), best)(before, 0)
    assert len(after.detections) == 1
    for picture in (after.frame.image, after.annotated):
        assert picture is not None
        gone = (picture != noise()).any(axis=2)
        assert gone[disc(THERE).paste(*SIZE)].mean() > 0.999


@pytest.mark.parametrize("change", [
    {}, {"background": "blurred"}, {"background": "colour"}, {"masks": True, "labels": True, "boxes": True},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("selected", [False, True])
def test_what_is_painted_with_privacy_knows_nothing_of_the_people(
    change: dict[str, object], selected: bool
) -> None:
    """Two pictures whose blocks have the same means give the same, to the last bit."""
    display = dataclasses.replace(BARE, privacy=True, **change)  # type: ignore[arg-type]
    one = noise()
    other = one.copy()
    blocks = one[224:576, 224:384].reshape(11, 32, 5, 32, 3)
    other[224:576, 224:384] = np.roll(blocks, (3, 5), axis=(1, 3)).reshape(352, 160, 3)
    pictures = []
    for image in (one, other):
        painter = LivePainter(display)
        if selected:
            painter.select(found([HERE]))
        after = painter(result(found([HERE]), image=image), 0)
        assert (after.selected == 0) is selected
        pictures.append((after.frame.image, after.annotated))
    mask = disc(HERE).paste(*SIZE)
    whole = inside((224, 224, 384, 576)) & mask
    assert not np.array_equal(one[whole], other[whole])
    for a, b in zip(*pictures, strict=True):
        assert a is not None
        assert b is not None
        assert np.array_equal(a[whole], b[whole])


def test_why_a_whole_frame_is_hidden_is_told_only_while_it_is() -> None:
    painter = LivePainter(dataclasses.replace(BARE, privacy=True))
    nothing = result(no_detections(SIZE, ()))
    assert changed(nothing, painter(nothing, 0)).mean() > 0.999
    assert "whole picture" in painter.hidden_reason
    painter(result(no_detections(SIZE, NAMES)), 0)
    assert painter.hidden_reason == ""
    painter(nothing, 0)
    painter.display = BARE
    assert np.array_equal(painter(nothing, 0).annotated, noise())
    assert painter.hidden_reason == ""


def test_a_background_is_put_behind_what_is_shown() -> None:
    display = dataclasses.replace(BARE, background="colour", background_colour=(9, 8, 7))
    after = LivePainter(display, best)(result(found([HERE, THERE])), 0)
    assert after.annotated is not None
    assert (after.annotated[inside(THERE)] == (9, 8, 7)).all()
    assert np.array_equal(after.annotated[400, 300], noise()[400, 300])
    assert np.array_equal(after.frame.image, noise())


@pytest.mark.parametrize("name", ["absent.png", "notes.png"])
def test_a_picture_that_cannot_be_read_is_told_of_and_the_background_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    display = dataclasses.replace(BARE, background="picture", background_picture=tmp_path / name)
    painter = LivePainter(display)
    assert name in painter.picture_problem
    after = painter(result(found([])), 0)
    assert np.array_equal(after.annotated, noise())


def test_a_picture_that_is_not_put_behind_anything_is_not_read_before_it_is(tmp_path: Path) -> None:
    display = dataclasses.replace(BARE, background="blurred", background_picture=tmp_path / "beach.png")
    painter = LivePainter(display)
    assert painter.picture_problem == ""
    painter.display = dataclasses.replace(display, background="picture")
    assert "beach.png" in painter.picture_problem


def test_a_picture_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "beach.png"
    cv2.imwrite(str(path), np.full((4, 4, 3), 77, np.uint8))
    display = dataclasses.replace(BARE, background="picture", background_picture=path)
    painter = LivePainter(display)
    path.unlink()
    painter.display = dataclasses.replace(display, boxes=True)
    assert painter.picture_problem == ""
    assert (painter(result(found([])), 0).annotated == 77).all()


def compared(left: Detections, right: Detections, at: float = 0.5, **display: object) -> np.ndarray:
    painter = LivePainter(dataclasses.replace(BARE, **display))  # type: ignore[arg-type]
    painter.split = at
    picture = painter(dataclasses.replace(result(left), other=right), 0).annotated
    assert picture is not None
    return picture


def test_the_left_part_is_as_one_side_found_it_and_the_right_part_as_the_other_did() -> None:
    left, right = found([HERE]), found([THERE])
    picture = compared(left, right, masks=True)
    style = OverlayStyle(outlines=False, boxes=False, labels=False)
    width = SIZE[1]
    assert np.array_equal(picture[:, : width // 2 - 8], draw(noise(), left, style)[:, : width // 2 - 8])
    assert np.array_equal(picture[:, width // 2 + 8 :], draw(noise(), right, style)[:, width // 2 + 8 :])
    assert (picture[:, width // 2] == 255).all()


@pytest.mark.parametrize(("at", "side"), [(0.0, 1), (-3.0, 1), (1.0, 0), (7.0, 0)])
def test_at_the_picture_s_edge_one_side_is_all_that_is_seen(at: float, side: int) -> None:
    sides = found([HERE]), found([THERE])
    picture = compared(*sides, at, masks=True)
    style = OverlayStyle(outlines=False, boxes=False, labels=False)
    assert np.array_equal(picture[:, 8:-8], draw(noise(), sides[side], style)[:, 8:-8])


def test_what_is_selected_is_selected_on_both_sides() -> None:
    painter = LivePainter(BARE)
    painter.split = 0.25
    left = dataclasses.replace(found([HERE, THERE]), track_ids=np.array([4, 5]))
    right = dataclasses.replace(found([THERE, HERE]), track_ids=np.array([0, 1]))
    painter.select(left.select([1]))
    after = painter(dataclasses.replace(result(left), other=right), 0)
    assert after.selected == 1
    assert after.annotated is not None
    bright = disc(THERE).paste(*SIZE)
    dimmed = inside((340, 200, 400, 600)) & disc(HERE).paste(*SIZE)
    assert np.array_equal(after.annotated[bright], noise()[bright])
    assert after.annotated[dimmed].mean() < 0.5 * noise()[dimmed].mean()


def test_with_privacy_nothing_of_the_other_side_is_left() -> None:
    """The other side overlooked somebody."""
    painter = LivePainter(dataclasses.replace(BARE, privacy=True))
    both = dataclasses.replace(result(found([HERE])), other=found([]))
    for after in (painter(both, 0), painter.hidden(both, 0)):
        assert after.other is None
        assert after.annotated is not None
        assert np.array_equal(after.annotated, after.frame.image)


def test_tracks_keep_their_ids_and_colours_through_what_is_left_out_and_selected() -> None:
    ids = np.array([31, 40, 57])
    everything = dataclasses.replace(found([HERE, THERE, (0, 0, 90, 90)]), track_ids=ids)
    painter = LivePainter(dataclasses.replace(BARE, masks=True), lambda _: np.array([2, 0]))
    painter.select(everything.select([2]))
    after = painter(result(everything), 0)
    assert after.detections.track_ids is not None
    assert after.detections.track_ids.tolist() == [57, 31]
    assert after.selected == 0
    style = OverlayStyle(outlines=False, boxes=False, labels=False)
    mask = disc((0, 0, 90, 90)).paste(*SIZE)
    assert after.annotated is not None
    assert np.array_equal(after.annotated[mask], draw(noise(), everything, style)[mask])
    assert painter.tracks.seconds(31) == 0
    assert painter.tracks.seconds(40) is None, "nobody sees it"
