"""The interval of AP50 against pycocotools itself, run on data sets that really hold images twice."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from pycocotools.cocoeval import COCOeval

from model.evaluation.bootstrap import ap50_interval, weighted_ap50
from model.evaluation.ground_truth import indexed

Record = dict[str, Any]
CLASSES = (1, 2, 5)
AREAS = ("all", "medium", "large")


def scene(rng: np.random.Generator, images: int, scale: int = 1) -> tuple[list[Record], list[Record]]:
    """Random objects, some of them crowds, and detections that find, miss, repeat and invent; scores tie.

    An object fills four fifths of its box, so it may be of another size than its detection. At a scale of 3
    most are medium or large, at 1 none is large.
    """
    objects, found = [], []
    for image in range(images):
        for _ in range(rng.integers(0, 5)):
            x, y, w, h = (scale * int(v) for v in rng.integers([0, 0, 10, 10], [60, 60, 50, 50]))
            category = int(rng.choice(CLASSES))
            crowd = int(rng.random() < 0.15)
            box = {"image_id": image, "category_id": category, "bbox": [x, y, w, h]}
            objects.append({**box, "area": 0.8 * w * h, "iscrowd": crowd})
            for _ in range(rng.integers(0, 3)):
                shift = scale * int(rng.integers(0, 12))
                found.append({**box, "bbox": [x + shift, y, w, h], "score": round(float(rng.random()), 1)})
        found.append(
            {
                "image_id": image,
                "category_id": 1,
                "bbox": [3, 3, 9, 9],
                "score": round(float(rng.random()), 1),
            }
        )
    return objects, found


def evaluated(objects: list[Record], found: list[Record], images: int) -> COCOeval:
    truth = indexed(
        {
            "images": [{"id": i, "width": 360, "height": 360} for i in range(images)],
            "categories": [{"id": c, "name": str(c)} for c in CLASSES],
            "annotations": [{**record, "id": i + 1} for i, record in enumerate(objects)],
        }
    )
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(truth, truth.loadRes([dict(record) for record in found]), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator


def own_ap50(evaluator: COCOeval, area: str = "all") -> float:
    precision = evaluator.eval["precision"][0, :, :, evaluator.params.areaRngLbl.index(area), -1]
    return float(precision[precision > -1].mean()) if (precision > -1).any() else float("nan")


def drawn(records: list[Record], images: np.ndarray) -> list[Record]:
    """The records of a data set whose image i is a copy of image `images[i]`."""
    return [
        {**record, "image_id": i}
        for i, image in enumerate(images)
        for record in records
        if record["image_id"] == image
    ]


@pytest.mark.parametrize("seed", range(5))
def test_every_image_once_gives_the_ap50_of_pycocotools(seed: int):
    evaluator = evaluated(*scene(np.random.default_rng(seed), 12, scale=3), images=12)

    values = [weighted_ap50(evaluator, np.ones((1, 12), int), area)[0] for area in AREAS]

    assert values == pytest.approx([own_ap50(evaluator, area) for area in AREAS], abs=1e-9)
    assert len(set(values)) == len(AREAS)


@pytest.mark.parametrize("seed", range(5))
def test_images_drawn_twice_or_never_give_the_ap50_of_a_data_set_made_of_them(seed: int):
    rng = np.random.default_rng(seed)
    objects, found = scene(rng, 10)
    images = np.sort(rng.integers(0, 10, size=10))
    weights = np.bincount(images, minlength=10)[None]

    value = weighted_ap50(evaluated(objects, found, 10), weights)

    copies = evaluated(drawn(objects, images), drawn(found, images), 10)
    assert value == pytest.approx([own_ap50(copies)], abs=1e-9)


@pytest.mark.parametrize("area", ["all", "large"])
def test_the_interval_is_that_of_data_sets_made_of_the_drawn_images_and_measured_by_pycocotools(area: str):
    objects, found = scene(np.random.default_rng(7), 6, scale=3)
    # both areas are held against the same draws
    draws = np.random.default_rng(0).multinomial(6, [1 / 6] * 6, size=40)
    samples = (np.repeat(np.arange(6), draw) for draw in draws)
    copies = (evaluated(drawn(objects, images), drawn(found, images), 6) for images in samples)
    values = np.array([own_ap50(evaluator, area) for evaluator in copies])

    interval = ap50_interval(evaluated(objects, found, 6), resamples=40, area=area)

    assert interval is not None
    low, high = np.nanquantile(values, [0.025, 0.975])
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-9)
    assert interval.resamples == np.count_nonzero(~np.isnan(values))


def test_a_data_set_without_an_object_has_no_ap50():
    objects, found = scene(np.random.default_rng(0), 6)
    evaluator = evaluated(objects, found, 7)  # image 6 holds nothing

    assert np.isnan(weighted_ap50(evaluator, np.array([[0] * 6 + [7]]))).all()
    assert ap50_interval(evaluated([], found, 6), resamples=5) is None
    assert ap50_interval(evaluator, resamples=5) is not None
    assert ap50_interval(evaluator, resamples=5, area="large") is None


def test_resampled_data_sets_without_an_object_are_not_among_those_of_the_interval():
    box = {"image_id": 0, "category_id": 1, "bbox": [0, 0, 20, 20]}
    evaluator = evaluated([{**box, "area": 400, "iscrowd": 0}], [{**box, "score": 0.5}], images=3)

    interval = ap50_interval(evaluator, resamples=500)

    assert interval is not None
    # image 0 is drawn at least once in 1 - (2/3)^3 of them
    assert interval.resamples == pytest.approx(500 * 19 / 27, rel=0.15)
    assert (interval.low, interval.high) == pytest.approx((1, 1))


def test_many_resamples_in_blocks_are_the_same_as_one_by_one(monkeypatch: pytest.MonkeyPatch):
    evaluator = evaluated(*scene(np.random.default_rng(1), 8), images=8)
    weights = np.random.default_rng(2).multinomial(8, [1 / 8] * 8, size=30)
    at_once = weighted_ap50(evaluator, weights)

    monkeypatch.setattr("model.evaluation.bootstrap._BLOCK", 1)

    np.testing.assert_array_equal(weighted_ap50(evaluator, weights), at_once)


def test_the_interval_holds_the_measured_value_and_depends_on_nothing_but_the_seed():
    evaluator = evaluated(*scene(np.random.default_rng(3), 30), images=30)

    interval = ap50_interval(evaluator, resamples=300)

    assert interval is not None
    assert 0 <= interval.low < own_ap50(evaluator) < interval.high <= 1
    assert interval == ap50_interval(evaluator, resamples=300)
    assert interval != ap50_interval(evaluator, resamples=300, seed=1)


def test_the_interval_shrinks_with_more_images():
    few, many = (
        ap50_interval(evaluated(*scene(np.random.default_rng(4), n), images=n), resamples=300)
        for n in (10, 160)
    )

    assert few is not None
    assert many is not None
    assert many.high - many.low < (few.high - few.low) / 2


def test_the_interval_covers_the_true_value_about_as_often_as_it_says():
    """A detector that finds every object with probability one half: its expected AP50 is near 51/101."""
    rng = np.random.default_rng(5)
    images, covered, trials = 80, 0, 60
    box = {"category_id": 1, "bbox": [0, 0, 20, 20]}
    objects = [{**box, "image_id": i, "area": 400, "iscrowd": 0} for i in range(images)]
    for _ in range(trials):
        hits = np.flatnonzero(rng.random(images) < 0.5)
        found = [{**box, "image_id": int(i), "score": 0.5} for i in hits]
        interval = ap50_interval(evaluated(objects, found, images), resamples=200)
        assert interval is not None
        covered += interval.low <= 51 / 101 <= interval.high

    assert 0.85 * trials <= covered <= trials
