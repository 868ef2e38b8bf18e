"""Which detections a network is asked for, and which of them are shown."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from time import monotonic

import numpy as np
import pytest
import torch

from model.checkpoints.sharpmask import save_sharpmask
from model.detections import Detections
from model.errors import ConfigError
from model.host.torch_host import on_host
from model.sharpmask.config import SHARPMASK_PRESETS
from model.sharpmask.network import SharpMask
from model.sharpmask.sharpener import Sharpener
from pipeline.frame import Frame
from pipeline.live.events import Event, Loaded
from pipeline.live.network.fitting import (
    configured,
    load_network,
    own_thresholds,
    tracking_options,
    wanted_rows,
    with_known_classes,
    with_proposal_settings,
)
from pipeline.live.network.networks import Networks
from pipeline.settings import DetectionSettings, ProposalSettings
from tests.model.sharpmask.networks import tiny
from tests.pipeline.live.sessions import small_network

NAMES = ("person", "dog", "bird")


def detections(*found: tuple[str, float]) -> Detections:
    count = len(found)
    scores = np.array([score for _, score in found], np.float32)
    return Detections(
        image_size=(10, 10),
        boxes=np.zeros((count, 4), np.float32),
        scores=np.ones(count, np.float32),
        classes=np.array([NAMES.index(name) for name, _ in found], np.int64),
        class_names=NAMES,
        crops=None,
        box_scores=scores,
    )


def test_a_network_is_asked_for_what_the_settings_say() -> None:
    settings = DetectionSettings(score_threshold=0.4, max_detections=7, nms="exact", classes=("bird", "dog"))
    options = configured(small_network(), settings, private=False).options
    assert (options.score_threshold, options.max_detections, options.nms) == (0.4, 7, "exact")
    assert options.classes == (1, 2)


def test_with_privacy_everybody_is_looked_for_who_may_be_there() -> None:
    settings = DetectionSettings(
        score_threshold=0.6, max_detections=1, nms="class-agnostic", classes=("dog",)
    )
    network = configured(small_network(), settings, private=True)
    options = network.options
    assert (options.thresholds(network.config), options.max_detections) == ((0.05,) * 3, 100)
    assert (options.nms, options.classes) == ("fast", None)


def test_with_privacy_masks_are_the_networks_own() -> None:
    with torch.device("meta"):
        sharpener = Sharpener(SharpMask(SHARPMASK_PRESETS["sharpmask_lite"]))
    plain = small_network()
    sharp = on_host(plain).with_sharpener(sharpener)
    settings = DetectionSettings(sharpen="sharpmask_lite_objects")
    assert configured(sharp, settings, private=False).sharpener is sharpener
    assert configured(sharp, settings, private=True).sharpener is None


def test_who_asks_for_less_than_privacy_does_gets_it() -> None:
    settings = DetectionSettings(score_threshold=0.02, nms="exact")
    network = configured(small_network(), settings, private=True)
    assert network.options.thresholds(network.config) == (0.02,) * 3
    assert network.options.nms == "exact"


OWN = (0.4, 0.1, 0.6)  # of person, dog and bird


def test_the_weights_own_thresholds_hold_for_each_class_where_none_is_chosen() -> None:
    network = small_network(thresholds=OWN)
    assert configured(network, DetectionSettings(), private=False).options.thresholds(network.config) == OWN
    chosen = configured(network, DetectionSettings(score_threshold=0.5), private=False)
    assert chosen.options.thresholds(network.config) == (0.5,) * 3


def test_with_privacy_no_class_has_a_higher_threshold_than_privacy_and_lower_ones_stay() -> None:
    network = small_network(thresholds=(0.4, 0.02, 0.6))
    private = configured(network, DetectionSettings(), private=True)
    assert private.options.thresholds(network.config) == (0.05, 0.02, 0.05)


def test_classes_that_the_weights_do_not_know_are_left_out() -> None:
    settings = DetectionSettings(classes=("unicorn", "dog"))
    assert configured(small_network(), settings, private=False).options.classes == (1,)
    none_known = DetectionSettings(classes=("unicorn",))
    assert configured(small_network(), none_known, private=False).options.classes is None
    assert with_known_classes(none_known, NAMES) == DetectionSettings()


def test_of_more_than_is_wanted_each_class_is_shown_over_its_own_threshold() -> None:
    found = detections(("person", 0.5), ("dog", 0.5), ("bird", 0.5), ("person", 0.4), ("dog", 0.2))
    own = own_thresholds(small_network(thresholds=OWN))
    assert wanted_rows(DetectionSettings(), found, own=own).tolist() == [0, 1, 4]
    assert wanted_rows(DetectionSettings(score_threshold=0.45), found, own=own).tolist() == [0, 1, 2]


def test_detections_of_other_weights_than_those_in_use_are_measured_by_the_default_threshold() -> None:
    found = detections(("person", 0.35), ("dog", 0.25), ("bird", 0.35))
    assert wanted_rows(DetectionSettings(), found, own={"person": 0.4}).tolist() == [2]


def test_what_the_network_finds_by_its_own_thresholds_is_what_is_shown() -> None:
    networks = Networks(
        lambda _: small_network(thresholds=OWN), lambda _: None, DetectionSettings(), private=False
    )
    networks.load()
    found = detections(("person", 0.41), ("person", 0.39), ("dog", 0.11), ("bird", 0.59))
    assert networks.wanted_rows(found).tolist() == [0, 2]
    assert networks.loaded is not None
    assert networks.loaded.class_thresholds == OWN


def test_a_network_tells_what_it_really_looks_for() -> None:
    told: list[Event] = []
    settings = DetectionSettings(classes=("unicorn", "bird"))
    networks = Networks(lambda _: small_network(), told.append, settings, private=False)
    networks.load()
    assert networks.in_use == networks.loaded.settings == DetectionSettings(classes=("bird",))
    (loaded,) = (event for event in told if isinstance(event, Loaded))
    assert loaded.settings.classes == ("bird",)
    assert networks.wanted.classes == ("unicorn", "bird"), "what was chosen is not forgotten"


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize(
    "wrong",
    [
        {"score_threshold": 2.0},
        {"max_detections": 0},
        {"nms": "none"},
        {"classes": ()},
    ],
)
def test_settings_that_make_no_sense_are_refused_with_and_without_privacy(wrong, private: bool) -> None:
    with pytest.raises(ConfigError):
        configured(small_network(), dataclasses.replace(DetectionSettings(), **wrong), private)


def frame(captured_at: float) -> Frame:
    return Frame(np.zeros((1, 1, 3), np.uint8), 0, 0, Fraction(1, 10), captured_at)


def test_frames_are_hidden_from_the_moment_of_asking_until_everybody_is_looked_for_in_them() -> None:
    networks = Networks(lambda _: small_network(), lambda _: None, DetectionSettings(), private=False)
    before = frame(monotonic())
    assert not networks.must_hide(before)
    networks.ask_privacy(True)
    assert networks.must_hide(frame(monotonic()))
    networks.keep_private(True, show=lambda: None)
    assert networks.must_hide(before)
    assert not networks.must_hide(frame(monotonic()))


def test_privacy_that_is_asked_for_again_before_it_has_ended_hides_until_it_has_begun_again() -> None:
    networks = Networks(lambda _: small_network(), lambda _: None, DetectionSettings(), private=True)
    networks.ask_privacy(False)
    networks.ask_privacy(True)
    assert not networks.must_hide(frame(monotonic())), "everybody is looked for all the time"
    networks.keep_private(False, show=lambda: None)  # what was asked for first
    assert networks.must_hide(frame(monotonic()))
    networks.keep_private(True, show=lambda: None)
    assert not networks.must_hide(frame(monotonic()))


def test_only_what_is_wanted_is_shown_by_class_score_and_number_best_first() -> None:
    found = detections(("person", 0.9), ("dog", 0.8), ("bird", 0.7), ("dog", 0.3), ("dog", 0.2))
    settings = DetectionSettings(score_threshold=0.3, classes=("dog", "bird"))
    assert wanted_rows(settings, found).tolist() == [1, 2]
    few = dataclasses.replace(settings, max_detections=1)
    assert wanted_rows(few, found).tolist() == [1]


def test_what_is_wanted_anyway_stays_as_it_is() -> None:
    found = detections(("person", 0.9), ("dog", 0.8))
    assert wanted_rows(DetectionSettings(), found).tolist() == [0, 1]
    assert len(wanted_rows(DetectionSettings(), detections())) == 0


def test_what_the_stabiliser_keeps_is_shown_though_its_score_has_fallen() -> None:
    found = dataclasses.replace(
        detections(("person", 0.9), ("person", 0.2), ("dog", 0.2)), track_ids=np.array([4, 5, -1])
    )
    still = DetectionSettings(stabilise="light")
    assert wanted_rows(still, found).tolist() == [0, 1]
    assert len(wanted_rows(dataclasses.replace(still, classes=("dog",)), found)) == 0
    assert wanted_rows(DetectionSettings(), found).tolist() == [0]


def test_with_privacy_scores_decide_alone_and_nothing_is_smoothed() -> None:
    found = dataclasses.replace(detections(("person", 0.9), ("person", 0.2)), track_ids=np.array([4, 5]))
    still = DetectionSettings(stabilise="strong")
    assert wanted_rows(still, found, private=True).tolist() == [0]
    assert tracking_options(still, private=False).stabilise == "strong"
    assert tracking_options(still, private=True).stabilise == "off"


def test_a_strength_that_there_is_not_is_refused() -> None:
    for private in (False, True):
        with pytest.raises(ConfigError, match="strnog"):
            tracking_options(DetectionSettings(stabilise="strnog"), private)


def test_weights_say_by_their_content_that_they_propose_objects(tmp_path: Path) -> None:
    save_sharpmask(tmp_path / "a.pt", tiny())
    settings = DetectionSettings(str(tmp_path / "a.pt"), nms="class-agnostic", classes=("person",))
    network = load_network(settings)
    assert network.class_names == ("object",)
    wanted = with_proposal_settings(network, ProposalSettings(7, None, refine=False))
    wanted = configured(wanted, dataclasses.replace(settings, max_detections=3), private=False)
    options = wanted.options
    assert (options.top_n, options.nms_iou, options.refine, options.max_detections) == (7, None, False, 3)
    assert own_thresholds(network) == {"object": 0.0}
