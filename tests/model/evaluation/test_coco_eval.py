"""What the evaluation measures, on ground truth that is small enough to work out by hand."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from model.detections import Detections, MaskCrop, no_detections
from model.errors import ConfigError, DataError
from model.evaluation.coco_eval import coco_metrics, coco_results, match_classes
from model.evaluation.ground_truth import indexed

HEIGHT, WIDTH = 90, 160
NAMES = ("cat", "dog", "unicorn")
# ids that are neither dense nor in the model's order
CATEGORIES = [{"id": 7, "name": "dog"}, {"id": 18, "name": "cat"}, {"id": 3, "name": "chair"}]
IDS = {category["name"]: category["id"] for category in CATEGORIES}

Box = tuple[int, int, int, int]


def ground_truth(*images: list[tuple[str, Box]], crowd: bool = False) -> COCO:
    """One image a list of (class, x1 y1 x2 y2); each object fills its box. Image ids are 10, 20, …"""
    annotations = []
    for number, objects in enumerate(images, start=1):
        for name, (x1, y1, x2, y2) in objects:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": 10 * number,
                    "category_id": IDS[name],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]],
                    "iscrowd": int(crowd),
                }
            )
    records = [
        {"id": 10 * (i + 1), "file_name": f"{i}.png", "width": WIDTH, "height": HEIGHT}
        for i in range(len(images))
    ]
    return indexed({"images": records, "annotations": annotations, "categories": CATEGORIES})


def detections(*found: tuple[str, Box, float], masks: dict[int, Box] | None = None) -> Detections:
    """Detections with masks that fill their boxes, or the box given in `masks` for that index."""
    boxes = [box for _, box, _ in found]
    shapes = [(masks or {}).get(i, box) for i, box in enumerate(boxes)]
    scores = np.array([score for *_, score in found], np.float32)
    return Detections(
        image_size=(HEIGHT, WIDTH),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=scores,
        classes=np.array([NAMES.index(name) for name, *_ in found], np.int64),
        class_names=NAMES,
        crops=tuple(MaskCrop(x1, y1, np.ones((y2 - y1, x2 - x1), bool)) for x1, y1, x2, y2 in shapes),
        box_scores=scores,
    )


def nothing() -> Detections:
    return no_detections((HEIGHT, WIDTH), NAMES)


CAT, DOG, FAR = (10, 10, 50, 50), (60, 20, 110, 80), (0, 60, 20, 80)


def test_perfect_detections_have_an_average_precision_of_one_at_every_threshold():
    truth = ground_truth([("cat", CAT), ("dog", DOG)], [("dog", CAT)])
    found = [(10, detections(("cat", CAT, 0.9), ("dog", DOG, 0.8))), (20, detections(("dog", CAT, 0.7)))]

    metrics = coco_metrics(truth, found, NAMES)

    for figures in (metrics.boxes, metrics.masks):
        assert figures is not None
        assert (figures.ap, figures.ap50, figures.ap70, figures.ap75) == pytest.approx((1, 1, 1, 1))
        assert figures.ar1 == figures.ar100 == 1
        assert figures.per_class["dog"].objects == 2
    assert metrics.images == 2


def test_nothing_found_at_all_has_an_average_precision_of_zero():
    metrics = coco_metrics(ground_truth([("cat", CAT)]), [(10, nothing())], NAMES)

    assert metrics.masks is not None
    assert metrics.masks.ap == metrics.boxes.ap50 == metrics.boxes.ar100 == 0


def test_an_image_that_is_left_out_counts_as_one_where_nothing_was_found():
    truth = ground_truth([("cat", CAT)], [("cat", CAT)])

    metrics = coco_metrics(truth, [(10, detections(("cat", CAT, 0.9)))], NAMES)

    # recall stops at one half: 51 of the 101 recall points are reached
    assert metrics.boxes.ap50 == pytest.approx(51 / 101)


def test_a_false_alarm_that_ranks_first_halves_the_precision():
    truth = ground_truth([("cat", CAT)])

    metrics = coco_metrics(truth, [(10, detections(("cat", FAR, 0.9), ("cat", CAT, 0.8)))], NAMES)

    assert metrics.boxes.ap == pytest.approx(0.5)


def test_a_box_of_iou_three_quarters_counts_up_to_its_threshold():
    truth = ground_truth([("cat", (0, 0, 40, 40))])
    found = detections(("cat", (0, 0, 40, 29), 0.9))  # IoU 29/40 = 0.725: right at .5 to .7, wrong from .75

    figures = coco_metrics(truth, [(10, found)], NAMES).boxes

    assert (figures.ap50, figures.ap70, figures.ap75) == pytest.approx((1, 1, 0))
    assert figures.ap == pytest.approx(5 / 10)


def test_a_good_box_with_a_poor_mask_is_right_as_a_box_only():
    truth = ground_truth([("cat", CAT)])
    found = detections(("cat", CAT, 0.9), masks={0: (10, 10, 50, 20)})

    metrics = coco_metrics(truth, [(10, found)], NAMES)

    assert metrics.masks is not None
    assert metrics.boxes.ap == pytest.approx(1)
    assert metrics.masks.ap == 0


def test_masks_are_ranked_by_the_rescored_score_and_boxes_by_the_class_score():
    truth = ground_truth([("cat", CAT)])
    found = detections(("cat", CAT, 0.9), ("cat", FAR, 0.3))
    found = dataclasses.replace(found, box_scores=np.array([0.4, 0.8], np.float32))

    metrics = coco_metrics(truth, [(10, found)], NAMES)

    assert metrics.masks is not None
    assert metrics.masks.ap50 == pytest.approx(1)
    assert metrics.boxes.ap50 == pytest.approx(0.5)


def test_each_size_is_measured_on_its_own_objects():
    small, large = (0, 0, 20, 20), (20, 0, 158, 90)
    truth = ground_truth([("cat", small), ("cat", large)])

    figures = coco_metrics(truth, [(10, detections(("cat", small, 0.9)))], NAMES).boxes

    assert (figures.ap_small, figures.ap_medium, figures.ap_large) == (pytest.approx(1), None, 0)
    assert (figures.ap50_small, figures.ap50_medium, figures.ap50_large) == (pytest.approx(1), None, 0)


@pytest.mark.parametrize("size", ["small", "medium", "large"])
def test_the_ap50_of_a_size_is_that_of_pycocotools_when_it_counts_no_other_size(size: str):
    boxes = [(0, 0, 20, 20), (0, 30, 50, 80), (50, 0, 158, 90)]
    truth = ground_truth([("cat", box) for box in boxes], [("cat", box) for box in boxes[1:]])
    near = [(x1, y1, x2, y2 - (y2 - y1) // 3) for x1, y1, x2, y2 in boxes]  # IoU above 0.5, below 0.75
    large_alarm, exact = ("cat", (20, 0, 160, 80), 0.8), ("cat", boxes[2], 0.7)
    found = [(10, detections(*(("cat", box, 0.9) for box in near))), (20, detections(large_alarm, exact))]

    figures = coco_metrics(truth, found, NAMES).boxes

    records = coco_results(truth, found, match_classes(truth, NAMES)).boxes
    judge = COCOeval(truth, truth.loadRes(records), "bbox")
    judge.params.areaRng = [judge.params.areaRng[judge.params.areaRngLbl.index(size)]] * 4
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert getattr(figures, f"ap50_{size}") == pytest.approx(judge.stats[1])
    assert 0 <= getattr(figures, f"ap_{size}") < judge.stats[1]


def test_ap50_of_all_and_of_large_objects_have_intervals_when_asked_for():
    small, large = (0, 0, 20, 20), (20, 0, 158, 90)
    truth = ground_truth(*[[("cat", small), ("cat", large)]] * 6)
    found = [
        (10, detections(("cat", small, 0.9), ("cat", large, 0.9))),
        (20, detections(("cat", small, 0.9))),
    ]

    figures = coco_metrics(truth, found, NAMES, resamples=100).boxes
    without = coco_metrics(truth, found, NAMES).boxes

    for name in ("ap50", "ap50_large"):
        interval = getattr(figures, f"{name}_interval")
        assert 0 <= interval.low < getattr(figures, name) < interval.high < 1
        assert getattr(without, f"{name}_interval") is None
    assert figures.ap50_interval != figures.ap50_large_interval


def test_a_mask_counts_by_its_own_area_and_not_by_that_of_its_box():
    truth = ground_truth([("cat", CAT)])  # 1600 px: medium
    thin = detections(("cat", CAT, 0.5), ("cat", (0, 0, 150, 88), 0.9), masks={1: (60, 60, 70, 70)})

    metrics = coco_metrics(truth, [(10, thin)], NAMES)

    assert metrics.masks is not None
    # a false alarm of 100 px is none among medium objects
    assert metrics.masks.ap_medium == pytest.approx(1)
    assert metrics.masks.ap50 == pytest.approx(0.5)


def test_classes_are_measured_one_by_one_and_averaged():
    truth = ground_truth([("cat", CAT), ("dog", DOG)])

    figures = coco_metrics(truth, [(10, detections(("dog", DOG, 0.9)))], NAMES).boxes

    assert figures.per_class["dog"].ap == pytest.approx(1)
    assert figures.per_class["cat"].ap == 0
    assert figures.ap == pytest.approx(0.5)


def test_a_class_that_the_labels_know_but_the_weights_do_not_is_not_measured():
    truth = ground_truth([("cat", CAT), ("chair", DOG)])

    figures = coco_metrics(truth, [(10, detections(("cat", CAT, 0.9)))], NAMES).boxes

    assert figures.ap == pytest.approx(1)
    assert set(figures.per_class) == {"cat", "dog"}


def test_a_class_without_a_labelled_object_has_no_figure_and_does_not_count():
    figures = coco_metrics(ground_truth([("cat", CAT)]), [(10, detections(("dog", DOG, 0.9)))], NAMES).boxes

    assert figures.per_class["dog"].ap is None
    assert figures.ap == 0


def test_what_is_found_in_a_crowd_is_neither_right_nor_wrong():
    truth = ground_truth([("cat", (0, 0, 60, 60))], crowd=True)

    figures = coco_metrics(truth, [(10, detections(("cat", CAT, 0.9)))], NAMES).boxes

    assert figures.ap is None
    assert figures.per_class["cat"].objects == 0


def test_labels_without_masks_are_measured_by_their_boxes_alone():
    truth = ground_truth([("cat", CAT)])
    truth.dataset["annotations"][0]["segmentation"] = []

    metrics = coco_metrics(truth, [(10, detections(("cat", CAT, 0.9)))], NAMES)

    assert metrics.masks is None
    assert metrics.boxes.ap == pytest.approx(1)


def test_detections_without_masks_are_measured_by_their_boxes_alone():
    found = dataclasses.replace(detections(("cat", CAT, 0.9)), crops=None)

    metrics = coco_metrics(ground_truth([("cat", CAT)]), [(10, found)], NAMES)

    assert metrics.masks is None
    assert metrics.boxes.ap == pytest.approx(1)


def test_classes_are_matched_by_name_whatever_their_ids():
    match = match_classes(ground_truth([("cat", CAT)]), NAMES)

    assert match.category_ids == {"cat": 18, "dog": 7}
    assert match.missing == ("unicorn",)


def test_classes_of_which_none_matches_are_refused_with_both_lists():
    with pytest.raises(ConfigError, match=r"know a0, a1, a2, a3, a4 and 5 more, .* for dog, cat, chair:"):
        match_classes(ground_truth([("cat", CAT)]), [f"a{i}" for i in range(10)])


def test_an_image_of_another_size_than_the_labels_say_is_refused_by_name():
    found = no_detections((WIDTH, HEIGHT), NAMES)

    with pytest.raises(DataError, match=r"0\.png is 90 x 160 pixels, the labels are for 160 x 90"):
        coco_metrics(ground_truth([("cat", CAT)]), [(10, found)], NAMES)


def test_detections_of_an_unknown_image_are_refused():
    with pytest.raises(DataError, match="image 11"):
        coco_metrics(ground_truth([("cat", CAT)]), [(11, nothing())], NAMES)


def test_measuring_prints_nothing_and_measures_the_same_again(capsys: pytest.CaptureFixture[str]):
    truth = ground_truth([("cat", CAT), ("dog", DOG)])
    found = [(10, detections(("cat", CAT, 0.9), ("dog", FAR, 0.8)))]

    first, second = (coco_metrics(truth, found, NAMES, resamples=10) for _ in range(2))

    assert first == second
    assert capsys.readouterr() == ("", "")


def test_results_read_back_by_pycocotools_give_the_same_figures(tmp_path: Path):
    truth = ground_truth([("cat", CAT), ("dog", DOG)], [("dog", CAT)])
    found = [
        (10, detections(("cat", (12, 8, 50, 50), 0.9), ("dog", FAR, 0.8))),
        (20, detections(("dog", (10, 10, 44, 50), 0.7), ("unicorn", CAT, 0.6))),
    ]
    metrics = coco_metrics(truth, found, NAMES)
    match = match_classes(truth, NAMES)
    results = coco_results(truth, found, match)
    assert metrics.masks is not None

    for kind, records, figures in (
        ("bbox", results.boxes, metrics.boxes),
        ("segm", results.masks, metrics.masks),
    ):
        path = tmp_path / f"results_{kind}.json"
        path.write_text(json.dumps(records))
        judge = COCOeval(truth, truth.loadRes(str(path)), kind)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
        expected = [None if value == -1 else pytest.approx(value) for value in judge.stats]
        assert [figures.ap, figures.ap50, figures.ap75] == expected[:3]
        assert [figures.ap_small, figures.ap_medium, figures.ap_large] == expected[3:6]
        assert [figures.ar1, figures.ar10, figures.ar100] == expected[6:9]
        assert [figures.ar_small, figures.ar_medium, figures.ar_large] == expected[9:]
        assert 0 < figures.ap < 1
