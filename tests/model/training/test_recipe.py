import dataclasses
import json
import math

import pytest

from model.config import PRESETS
from model.errors import ConfigError
from model.training.data.augment import AUGMENTATIONS
from model.training.recipe import RECIPES, Recipe, Stage, recipe_for

PUBLISHED = recipe_for("yolact_resnet50")


def test_the_official_configurations_are_trained_as_published():
    for name in PRESETS:
        if not name.startswith("yolact_") or name == "yolact_resnet50_pascal":
            continue
        recipe = recipe_for(name)
        assert (recipe.optimizer, recipe.momentum, recipe.weight_decay) == ("sgd", 0.9, 5e-4)
        assert (recipe.learning_rate, recipe.batch_size, recipe.iterations) == (1e-3, 8, 800_000)
        assert (recipe.warmup_start, recipe.warmup_iterations) == (1e-4, 500)
        assert (recipe.schedule, recipe.milestones) == ("step", (280_000, 600_000, 700_000, 750_000))
        assert recipe.stages == (Stage(1.0, None, "ssd"),)
        assert (recipe.clip_norm, recipe.ema_decay, recipe.precision) == (0.0, 0.0, "fp32")


def test_pascal_has_its_own_length_and_milestones():
    recipe = recipe_for("yolact_resnet50_pascal")
    assert (recipe.iterations, recipe.milestones) == (120_000, (60_000, 100_000))
    assert dataclasses.replace(recipe, iterations=800_000, milestones=PUBLISHED.milestones) == PUBLISHED


def test_every_recipe_is_sound_belongs_to_a_preset_and_names_augmentations_that_exist():
    assert RECIPES.keys() <= PRESETS.keys()
    for name in PRESETS:
        recipe = recipe_for(name)
        recipe.check()
        assert all(stage.augmentation in AUGMENTATIONS for stage in recipe.stages)


@pytest.mark.parametrize(
    ("iteration", "rate"),
    [
        (0, 1e-4),
        (250, 5.5e-4),
        (499, 1e-4 + 9e-4 * 499 / 500),
        (500, 1e-3),
        (279_999, 1e-3),
        (280_000, 1e-4),
        (600_000, 1e-5),
        (700_000, 1e-6),
        (799_999, 1e-7),
    ],
)
def test_the_published_rate_rises_over_the_warm_up_and_is_divided_by_ten_at_each_milestone(iteration, rate):
    assert PUBLISHED.learning_rate_at(iteration) == pytest.approx(rate, rel=1e-9)


def test_a_cosine_falls_from_the_full_rate_to_nothing():
    recipe = dataclasses.replace(PUBLISHED, schedule="cosine", iterations=1500, milestones=())
    rates = [recipe.learning_rate_at(i) for i in range(500, 1501)]
    assert rates[0] == pytest.approx(1e-3)
    assert rates[500] == pytest.approx(5e-4)
    assert rates[-1] == pytest.approx(0, abs=1e-12)
    assert rates == sorted(rates, reverse=True)


def test_without_a_warm_up_the_first_iteration_has_the_full_rate():
    assert dataclasses.replace(PUBLISHED, warmup_iterations=0).learning_rate_at(0) == 1e-3


def test_n_devices_take_n_times_the_rate_and_an_nth_of_the_iterations_with_the_same_warm_up():
    recipe = PUBLISHED.for_devices(4)
    assert recipe.learning_rate == 4e-3
    assert recipe.iterations == 200_000
    assert recipe.milestones == (70_000, 150_000, 175_000, 187_500)
    assert (recipe.warmup_start, recipe.warmup_iterations, recipe.batch_size) == (1e-4, 500, 8)
    assert PUBLISHED.for_devices(1) == PUBLISHED


def test_another_number_of_iterations_keeps_the_shape_of_the_course():
    recipe = PUBLISHED.with_iterations(80_000)
    assert recipe.milestones == (28_000, 60_000, 70_000, 75_000)
    assert recipe.warmup_iterations == 500
    assert PUBLISHED.with_iterations(1000).warmup_iterations == 100
    PUBLISHED.with_iterations(3).check()


def test_stages_scale_with_the_input_and_stay_multiples_of_the_largest_stride():
    staged = dataclasses.replace(PUBLISHED, stages=(Stage(0.66, 288, "ssd"), Stage(1.0, None, "none")))
    assert [s.image_size for s in staged.with_stages_scaled(192 / 416).stages] == [128, None]
    assert [s.image_size for s in staged.with_stages_scaled(0.01).stages] == [32, None]
    assert staged.with_stages_scaled(1.0) == staged


def test_a_stage_ends_where_its_share_of_the_run_does():
    stages = (Stage(0.25, 64, "none"), Stage(0.5, 96, "none"), Stage(1.0, None, "light"))
    recipe = dataclasses.replace(PUBLISHED, iterations=8, milestones=(), stages=stages)
    assert [recipe.stage(i) for i in range(8)] == [stages[0]] * 2 + [stages[1]] * 2 + [stages[2]] * 4


@pytest.mark.parametrize("name", ["yolact_base", "livemask_n"])
def test_a_recipe_survives_being_written_as_plain_values(name):
    recipe = recipe_for(name)
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_a_recipe_written_before_a_setting_was_added_has_its_default():
    values = PUBLISHED.to_dict()
    del values["freeze_norms"], values["freeze"]
    assert Recipe.from_dict(values) == PUBLISHED


@pytest.mark.parametrize("change", [{"surprise": 1}, {"stages": None}, {"stages": [{"until": 1}]}])
def test_values_that_are_no_recipe_are_refused(change):
    with pytest.raises(ConfigError, match="training recipe"):
        Recipe.from_dict(PUBLISHED.to_dict() | change)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("optimizer", "adam"),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("weight_decay", -1e-9),
        ("batch_size", 0),
        ("iterations", 0),
        ("warmup_iterations", -1),
        ("schedule", "linear"),
        ("milestones", (3, 2)),
        ("momentum", 1.0),
        ("clip_norm", -1.0),
        ("ema_decay", 1.0),
        ("precision", "fp16"),
        ("seed", -1),
        ("freeze", "head"),
    ],
)
def test_a_value_that_no_run_can_have_is_refused_by_name(setting, value):
    with pytest.raises(ConfigError, match=setting):
        dataclasses.replace(PUBLISHED, **{setting: value}).check()


@pytest.mark.parametrize(
    "stages",
    [
        (),
        (Stage(0.5, None, "none"),),
        (Stage(0.6, None, "none"), Stage(0.5, None, "none"), Stage(1.0, None, "none")),
        (Stage(math.nan, None, "none"), Stage(1.0, None, "none")),
        (Stage(1.0, 31, "none"),),
        (Stage(1.0, 5000, "none"),),
    ],
)
def test_stages_that_leave_out_a_part_of_the_run_or_have_absurd_inputs_are_refused(stages):
    with pytest.raises(ConfigError, match="stage"):
        dataclasses.replace(PUBLISHED, stages=stages).check()
