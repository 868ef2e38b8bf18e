"""The prototype panel: whose mask it explains, with which prototypes, and how it gets there step by step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QLabel

from model.detections import no_detections
from pipeline.frame import Inspection
from pipeline.live.events import Loaded
from tests.ui.standin_session import SIZE, result_of
from ui.panels.pictures import diverging, grey, sign_colour
from ui.panels.prototypes import (
    NO_FRAME,
    NO_INSTANCE,
    NO_PICTURE,
    NO_PROTOTYPES,
    OTHER_NETWORK,
    PrototypesPanel,
)


@pytest.fixture
def panel(controller, qtbot):
    made = PrototypesPanel(controller)
    made.resize(460, 760)
    qtbot.addWidget(made)
    return made


def shown(panel, controller, **options):
    """The panel with a result of eight prototypes."""
    controller.result = result_of(inspected=True, **options)
    panel.show()
    return panel.grid.tiles


def pixel(picture, x, y):
    """A pixel of what a widget paints, at a share of its width and height."""
    image = picture.grab().toImage()
    return image.pixelColor(round(x * image.width()), round(y * image.height()))


def test_prototypes_are_computed_only_while_the_panel_is_seen(panel, session):
    panel.show()
    assert session.asked[-1] == ("inspect", True)
    panel.hide()
    assert session.asked[-1] == ("inspect", False)
    assert [asked for asked in session.asked if asked[0] == "inspect"] == [
        ("inspect", True),
        ("inspect", False),
    ]


def test_what_is_missing_is_told(panel, controller, session, qtbot):
    panel.show()
    assert panel.said.text() == NO_FRAME
    session.opens()
    panel.refresh()
    assert panel.said.text() == NO_PICTURE
    controller.result = result_of()
    panel.refresh()
    assert panel.said.text() == NO_PROTOTYPES
    controller.result = replace(result_of(inspected=True), detections=no_detections(SIZE, ("person",)))
    panel.refresh()
    assert panel.said.text() == NO_INSTANCE
    assert [tile.text for tile in panel.grid.tiles] == [str(i) for i in range(8)]


def test_a_network_without_prototypes_is_not_looked_into(panel, controller, session):
    panel.show()
    session.opens()
    session.emit(Loaded(Path("objects.pt"), "torch fp32 on cpu", ("object",), 160, 0, proposes=True))
    controller.result = result_of()
    panel.refresh()
    assert panel.said.text() == OTHER_NETWORK
    assert session.asked[-1] == ("inspect", False)


def test_steps_to_a_mask_are_shown_only_where_there_is_one(panel, controller):
    shown(panel, controller)
    assert all(picture.isVisible() for picture in panel.steps.values())
    controller.result = replace(controller.result, detections=no_detections(SIZE, ("person",)))
    panel.refresh()
    assert not any(picture.isVisible() for picture in panel.steps.values())
    assert not panel.count.isVisible()
    shown(panel, controller)
    panel.refresh()
    assert panel.steps["Mask"].isVisible()


def test_the_best_scored_instance_is_explained_until_one_is_selected(panel, controller):
    shown(panel, controller)
    assert "No instance is selected: this is the best-scored one, person 0.90" in panel.said.text()
    tiles = shown(panel, controller, selected=1)
    panel.refresh()
    assert panel.said.text() == "The mask of the selected instance, person 0.70."
    tiles = {tile.number: tile.coefficient for tile in panel.grid.tiles}
    expected = controller.result.inspection.coefficients[1]
    assert [tiles[i] for i in range(8)] == pytest.approx(expected.tolist())


@pytest.mark.parametrize("order", ["coefficient", "index"])
def test_prototypes_are_sorted(panel, controller, order):
    panel.order.setCurrentText(order)
    tiles = shown(panel, controller)
    sizes = [abs(tile.coefficient) for tile in tiles]
    numbers = [tile.number for tile in tiles]
    assert (sizes if order == "coefficient" else numbers) == (
        sorted(sizes, reverse=True) if order == "coefficient" else list(range(8))
    )


def test_signs_are_told_by_text_and_by_colour_and_in_words(panel, controller):
    for tile in shown(panel, controller):
        negative = tile.coefficient < 0
        assert ("−" in tile.text, "+" in tile.text) == (negative, not negative)
        assert ("takes away" in tile.spoken) == negative
    index = panel.grid.model().index(0, 0)
    spoken = panel.grid.model().data(index, Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == panel.grid.tiles[0].spoken


@pytest.mark.parametrize("background", [QColor(255, 255, 255), QColor(30, 30, 30)])
def test_both_signs_can_be_read_on_light_and_on_dark(background):
    for value in (-1, 1):
        ink = sign_colour(value, background)
        assert abs(ink.lightness() - background.lightness()) > 60


def test_the_slider_adds_up_the_first_prototypes_step_by_step(panel, controller, qtbot):
    tiles = shown(panel, controller)
    assert panel.count.value() == panel.count.maximum() == 8
    assert all(tile.added for tile in tiles)
    assert "overlaps the whole one by 1.00" in panel.counted.text()
    for _ in range(6):
        qtbot.keyClick(panel.count, Qt.Key.Key_Left)
    assert [tile.added for tile in panel.grid.tiles] == [True] * 2 + [False] * 6
    assert "The first 2 of 8 prototypes" in panel.counted.text()
    panel.count.setValue(0)
    assert "The first 0 of 8 prototypes" in panel.counted.text()


def test_another_number_of_prototypes_keeps_all_of_them_or_as_many_as_there_are(panel, controller):
    shown(panel, controller)
    result = controller.result
    few = Inspection(result.inspection.prototypes[..., :5], result.inspection.coefficients[:, :5])
    controller.result = replace(result, inspection=few)
    panel.refresh()
    assert (panel.count.value(), panel.count.maximum()) == (5, 5)
    panel.count.setValue(3)
    controller.result = result
    panel.refresh()
    assert (panel.count.value(), panel.count.maximum()) == (3, 8)


def one_square(controller):
    """A prototype that is 1 on the left half and one that is 1 everywhere; the mask is the left half."""
    result = result_of(inspected=True)
    maps = np.ones((24, 32, 2), np.float32)
    maps[:, 16:, 0] = 0
    coefficients = np.array([[1, -0.5]] * 2, np.float32)
    whole = np.array([[0, 0, SIZE[1], SIZE[0]]] * 2, np.float32)
    found = replace(result.detections, boxes=whole)
    controller.result = replace(result, detections=found, inspection=Inspection(10 * maps, coefficients))


def test_sum_sigmoid_and_mask_are_seen(panel, controller, qtbot):
    one_square(controller)
    panel.show()
    qtbot.waitExposed(panel)
    left, right = (0.25, 0.4), (0.75, 0.4)
    assert pixel(panel.steps["Mask"], *left) == QColor("white")
    assert pixel(panel.steps["Mask"], *right) == QColor("black")
    assert pixel(panel.steps["Sigmoid"], *left).value() > 250
    assert pixel(panel.steps["Sum"], *left).red() > pixel(panel.steps["Sum"], *left).blue()
    assert pixel(panel.steps["Sum"], *right).red() < pixel(panel.steps["Sum"], *right).blue()


def test_contributions_share_one_scale_and_show_their_sign(panel, controller):
    one_square(controller)
    panel.order.setCurrentText("index")
    panel.scale.setCurrentText("contributions")
    panel.show()
    first, second = (tile.image for tile in panel.grid.tiles)
    assert first.pixelColor(0, 0) == QColor(213, 94, 0)
    assert second.pixelColor(0, 0).blue() > second.pixelColor(0, 0).red()
    assert second.pixelColor(0, 0).red() > 100  # half as much as the other
    assert first.pixelColor(31, 0).lightness() > 240


def test_a_map_without_anything_is_black_and_makes_no_noise():
    nothing = np.zeros((3, 4), np.float32)
    assert grey(nothing, 0).pixelColor(1, 1) == QColor("black")
    assert diverging(nothing, 0).pixelColor(1, 1).lightness() > 240


def test_the_same_frame_is_not_drawn_twice(panel, controller):
    tiles = shown(panel, controller)
    panel.refresh()
    assert panel.grid.tiles is tiles


def test_an_empty_grid_stays_empty_without_a_complaint_of_qt(panel, qtlog):
    panel.grid.show_tiles(())
    panel.grid.show_tiles(())
    assert panel.grid.tiles == ()
    assert [record.message for record in qtlog.records] == []


def test_every_part_has_a_name_for_those_who_do_not_see_it(panel):
    assert all(widget.accessibleName() for widget in (panel.order, panel.scale, panel.grid, panel.count))
    labels = panel.findChildren(QLabel)
    assert {label.buddy() for label in labels if label.buddy()} == {panel.order, panel.scale, panel.count}
