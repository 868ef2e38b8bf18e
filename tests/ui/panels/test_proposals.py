"""The proposals panel: scores over the frame, coarse and refined masks, and how one of them grows."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QLabel

from model.detections import MaskCrop, no_detections
from model.sharpmask.inspection import MaskGrowth, ScoreMap, inspect
from model.sharpmask.predictor import ProposalOptions
from pipeline.frame import Frame, Result
from pipeline.live.events import Loaded
from pipeline.settings import ProposalSettings
from tests.model.sharpmask.networks import TINY, tiny
from tests.ui.standin_session import result_of
from ui.panels.flow import Columns
from ui.panels.proposal_pictures import FramePicture, growth_pictures, heat, window_picture
from ui.panels.proposals import CHOOSE, NO_FRAME, NO_INSTANCE, NOTHING_YET, PRIVATE, ProposalsPanel

PROPOSES = Loaded(Path("objects.pt"), "torch fp32 on cpu", ("object",), 160, 0, proposes=True)
YOLACT = Loaded(Path("livemask_s.pt"), "torch fp32 on cpu", ("person",), 416, 32)
OPTIONS = ProposalOptions(scales=(0.5, 1.0), top_n=9)
IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
SQUARE = MaskCrop(20, 10, np.ones((20, 30), bool))


@pytest.fixture
def panel(controller, qtbot):
    made = ProposalsPanel(controller)
    made.resize(900, 330)
    qtbot.addWidget(made)
    return made


def proposed(config=TINY, **changes):
    """A result with what a small network proposes."""
    seen = inspect(tiny(config), IMAGE, OPTIONS)
    frame = Frame(IMAGE, 0, 0, Fraction(1, 25), time.monotonic())
    return replace(Result(frame, seen.detections, proposals=seen), **changes)


def shown(panel, controller, session, **options):
    session.opens()
    session.emit(PROPOSES)
    controller.result = proposed(**options)
    panel.show()


def captions(panel):
    return [step.accessibleName() for step in panel.steps if step.isVisible()]


def test_proposals_are_looked_into_only_while_the_panel_is_seen_and_the_network_proposes(panel, session):
    def asked():
        return [one[1] for one in session.asked if one[0] == "inspect"]

    panel.show()
    session.emit(YOLACT)
    assert asked() == []
    session.emit(PROPOSES)
    assert asked() == [True]
    panel.hide()
    assert asked() == [True, False]
    session.emit(YOLACT)
    session.emit(PROPOSES)
    assert asked() == [True, False]
    panel.show()
    session.emit(YOLACT)
    assert asked() == [True, False, True, False]


def test_what_is_missing_is_told_in_one_sentence(panel, controller, session):
    panel.show()
    assert panel.said.words == NO_FRAME
    session.opens()
    session.emit(YOLACT)
    controller.result = result_of()
    panel.refresh()
    assert panel.said.words == CHOOSE
    assert "sharpmask_lite_objects" in CHOOSE
    assert not panel.windows.isEnabled()
    session.emit(PROPOSES)
    panel.refresh()
    assert panel.said.words == NOTHING_YET
    assert panel.windows.isEnabled()
    controller.set_display(privacy=True)
    panel.refresh()
    assert panel.said.words == PRIVATE


def test_the_best_proposal_grows_until_one_is_selected(panel, controller, session):
    shown(panel, controller, session)
    result = controller.result
    assert f"the best proposal, score {result.detections.scores[0]:.2f}" in panel.said.words
    assert captions(panel) == [
        "Window", "Coarse: 14 px", "M1: 2 px", "M2: 4 px", "M3: 8 px", "M4: 16 px", "M5: 32 px",
        "Mask: 32 px",
    ]  # fmt: skip
    controller.result = replace(result, selected=1)
    panel.refresh()
    growth = result.proposals.growths[1]
    assert panel.said.words.startswith(f"The selected proposal: score {growth.score:.2f}")
    assert f"a window of {32 / growth.scale:.0f} px" in panel.said.words


def test_deepmask_has_no_steps_between(panel, controller, session):
    shown(panel, controller, session, config=replace(TINY, refine_width=0))
    assert captions(panel) == ["Window", "Coarse: 14 px"]
    assert [name for name, picture in panel.frames.items() if picture.isVisible()] == [
        "Scores", "Coarse masks",
    ]  # fmt: skip


def test_a_frame_without_proposals_shows_its_scores_alone(panel, controller, session):
    nothing = inspect(tiny(), IMAGE, replace(OPTIONS, score_threshold=1.0))
    nothing_found = no_detections(IMAGE.shape[:2], ("object",))
    shown(panel, controller, session, detections=nothing_found, proposals=nothing)
    assert panel.said.words == NO_INSTANCE
    assert panel.frames["Scores"].isVisible()
    assert captions(panel) == []


@pytest.mark.parametrize(
    ("kind", "visible"),
    [
        ("refined", ["Scores", "Refined masks"]),
        ("coarse", ["Scores", "Coarse masks"]),
        ("both", ["Scores", "Coarse masks", "Refined masks"]),
    ],
)
def test_masks_are_coarse_or_refined_or_both(panel, controller, session, kind, visible):
    shown(panel, controller, session)
    choose(panel.masks, kind)
    assert [name for name, picture in panel.frames.items() if picture.isVisible()] == visible
    panel._changes.flush()
    asked = [one[1] for one in session.asked if one[0] == "propose"]
    assert asked == ([ProposalSettings(refine=False)] if kind == "coarse" else [])


def choose(field, value):
    """As a user does."""
    field.setCurrentIndex(field.row_of(value))
    field.activated.emit(field.currentIndex())


def test_numbers_apply_to_the_picture_too(panel, session):
    panel.windows.slider.setValue(70)
    panel.nms.slider.setValue(panel.nms.slider.maximum())
    panel._changes.flush()
    assert session.asked[-1] == ("propose", ProposalSettings(70, None))
    assert (panel.windows.label.text(), panel.nms.label.text()) == ("70", "off")
    panel.nms.slider.setValue(14)
    panel._changes.flush()
    assert session.asked[-1] == ("propose", ProposalSettings(70, 0.7))


def test_the_scores_of_a_scale_can_be_chosen_and_stay_chosen(panel, controller, session):
    shown(panel, controller, session)
    box = panel.scale
    assert [box.itemText(row) for row in range(box.count())] == [
        "Of the proposal", "None", "0.5: windows of 64 px", "1: windows of 32 px",
    ]  # fmt: skip
    pictures = []
    for value in ("none", 0.5, 1.0):
        choose(box, value)
        pictures.append(panel.frames["Scores"].grab().toImage())
    assert pictures[0] != pictures[1] != pictures[2]
    controller.result = proposed()
    panel.refresh()
    assert box.value == 1.0


def test_every_part_has_a_name_for_those_who_do_not_see_it(panel):
    parts = (panel.scale, panel.masks, panel.windows.slider, panel.nms.slider)
    assert all(part.accessibleName() for part in parts)
    buddies = {label.buddy() for label in panel.findChildren(QLabel) if label.buddy()}
    assert buddies == {panel.scale, panel.masks, panel.windows, panel.nms}


def test_scores_lie_where_their_windows_are():
    scores = np.zeros((3, 4), np.float32)
    scores[1, 2] = 1
    black = np.zeros((300, 400, 3), np.uint8)
    picture = FramePicture(black).with_scores(ScoreMap(1.0, 160, scores, (0, 0, 400, 300)))
    assert picture.pixelColor(250, 150).red() > 150
    assert picture.pixelColor(50, 50).red() < 30


def test_a_score_of_nothing_is_transparent_and_the_best_is_bright():
    image = heat(np.array([[0.0, 0.5, 1.0]], np.float32))
    assert image.pixelColor(0, 0).alpha() == 0
    assert image.pixelColor(2, 0).lightness() > image.pixelColor(1, 0).lightness() > 80


@pytest.mark.parametrize("times", [1, 20])
def test_masks_lie_where_they_are_with_the_smallest_on_top(times):
    """times: of a larger frame, which is reduced."""
    black = np.zeros((60 * times, 80 * times, 3), np.uint8)

    def square(x, y, side):
        return MaskCrop(x * times, y * times, np.ones((side * times, side * times), bool))

    picture = FramePicture(black).with_masks([square(10, 10, 40), square(20, 20, 10)])
    scale = picture.width() / 80

    def at(x, y):
        return picture.pixelColor(round(x * scale), round(y * scale))

    assert at(5, 5) == QColor("black")
    assert at(45, 45).blue() > at(45, 45).red() > 0
    assert at(25, 25).red() > at(25, 25).blue()


def test_a_window_beyond_the_frame_is_grey_there():
    white = np.full((100, 100, 3), 255, np.uint8)
    picture = window_picture(white, (-50, 0, 50, 100))
    assert picture.pixelColor(20, 80) == QColor(128, 128, 128)
    assert picture.pixelColor(120, 80) == QColor("white")
    assert window_picture(white, (200, 200, 300, 300)).pixelColor(5, 5) == QColor(128, 128, 128)


def test_small_maps_are_shown_in_blocks():
    step = np.array([[0, 1], [0, 0]], np.float32)
    growth = MaskGrowth(0.9, 1.0, (0, 0, 64, 48), step, (step,), step, (SQUARE, SQUARE))
    pictures = dict(growth_pictures(IMAGE, growth))
    assert list(pictures) == ["Window", "Coarse: 2 px", "M1: 2 px", "Mask: 2 px"]
    assert pictures["M1: 2 px"].pixelColor(81, 78) == QColor("white")
    assert pictures["M1: 2 px"].pixelColor(78, 78) == QColor("black")


def test_cells_lie_in_as_many_columns_as_fit_and_hidden_ones_take_no_room(qtbot):
    cells = [QLabel(str(number)) for number in range(5)]
    grid = Columns(cells, least=100, most=4)
    qtbot.addWidget(grid)
    grid.show()

    def places(width):
        grid.resize(width, 300)
        grid.layout().activate()
        shown = [cell for cell in cells if cell.isVisible()]
        return len({cell.x() for cell in shown}), len({cell.y() for cell in shown})

    assert [places(width) for width in (600, 250, 90)] == [(4, 2), (2, 3), (1, 5)]
    grid.show_cells((1, 4))
    assert [places(width) for width in (600, 90)] == [(2, 1), (1, 2)]
    assert grid.minimumSizeHint().width() == 100
