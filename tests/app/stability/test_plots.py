"""Plots for a page: how lines are thinned, rows of a timeline divided, and what the SVG may hold."""

from __future__ import annotations

from math import isnan, nan
from xml.etree import ElementTree

import pytest

from app.stability.plots import Plot, Series, over_time, thinned, trade_off
from app.stability.timeline import levels, spans


def drawn(plot: Plot) -> ElementTree.Element:
    return ElementTree.fromstring(plot.svg)


def test_few_points_stay_as_they_are():
    times, values = thinned([0.0, 1.0, 2.0], [0.1, nan, 0.3])

    assert times.tolist() == [0, 1, 2]
    assert isnan(values[1])


def test_many_points_become_means_of_those_that_are_known():
    times, values = thinned(range(10), [1, 1, nan, 3, nan, nan, 5, 5, 7, 9], points=5)

    assert len(times) == 5
    assert [values[i] for i in (0, 1, 3, 4)] == [1, 3, 5, 8]
    assert isnan(values[2])


def test_levels_begin_at_their_limits_and_nothing_measured_is_a_level_of_its_own():
    assert levels([nan, 0, 0.049, 0.05, 0.1, 0.2, 1]) == [0, 1, 1, 2, 3, 4, 4]


def test_a_span_ends_where_frames_are_missing_and_where_the_mark_changes():
    assert list(spans([0, 1, 2, 5, 6, 7], [1, 1, 1, 1, 2, 2])) == [(0, 3, 1), (5, 1, 1), (6, 2, 2)]
    assert list(spans([], [])) == []


def test_frames_that_share_a_cell_show_the_worst_of_them():
    assert list(spans(range(6), [0, 3, 1, 1, 2, 0], cell=2)) == [(0, 2, 3), (2, 2, 1), (4, 2, 2)]


def test_a_cell_of_a_timeline_never_covers_frames_without_a_mask():
    assert list(spans([0, 1, 3], [1, 1, 1], cell=4)) == [(0, 2, 1), (3, 1, 1)]


@pytest.fixture
def plot() -> Plot:
    lines = [Series("off", [0, 1], [0.1, 0.3]), Series("<light>", [0, 1], [nan, 0.2])]
    return over_time({"jitter": lines, "J": lines}, [0.5], "p1")


def test_a_plot_is_one_element_whose_letters_are_letters(plot: Plot):
    root = drawn(plot)
    letters = {
        "".join(element.itertext()).strip() for element in root.iter("{http://www.w3.org/2000/svg}text")
    }

    assert root.tag.endswith("svg")
    assert {"off", "<light>", "jitter, %", "J, %", "time, s"} <= letters


def test_a_plot_takes_its_colours_from_the_page_and_its_width_too(plot: Plot):
    root = drawn(plot)

    assert "#0101" not in plot.svg
    assert "var(--c00)" in plot.svg
    assert "var(--c10)" in plot.svg
    assert "viewBox" in root.attrib
    assert not {"width", "height"} & set(root.attrib)


def test_what_a_plot_refers_to_is_within_it_under_a_name_of_its_own(plot: Plot):
    names = [element.attrib["id"] for element in drawn(plot).iter() if "id" in element.attrib]

    assert names
    assert all(name.startswith("p1-") for name in names)
    assert plot.svg.count("url(#") == plot.svg.count("url(#p1-")


@pytest.mark.parametrize("name", ["$\\nonsense{$", "10 $ or 20 $"])
def test_dollars_in_a_name_are_dollars(name: str):
    plot = over_time({"jitter": [Series(name, [0, 1], [0.1, 0.3])]}, [], "p1")

    assert name in "".join(drawn(plot).itertext())


def test_words_tell_what_a_plot_shows(plot: Plot):
    assert "jitter: off 20.00 %, <light> 20.00 %" in plot.alt


def test_the_same_figures_give_the_same_plot():
    points = {"network": [("off", 0.04, 0.8), ("light", 0.02, 0.79)]}

    first, second = (trade_off(points, "excess jitter", "t") for _ in range(2))

    assert first == second
    assert "off 4.00 and 80.00, light 2.00 and 79.00" in first.alt
