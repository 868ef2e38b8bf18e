import copy
import dataclasses
import math

import pytest
import torch
from torch import nn

from model.checkpoints.yolact import load_checkpoint
from model.errors import ConfigError, DataError, TrainingError
from model.training.recipe import Stage
from model.training.saved_run import read_saved_run
from tests.tiny_training import CONFIG, RECIPE, SIDE, endless, make_batch, make_network, make_trainer

SLOW = pytest.mark.slow
# on levels of a single pixel, as at this input size, a norm may take off again what a bias adds
WITHOUT_EFFECT = {"fpn.downsample_layers.0.1.bias", "fpn.downsample_layers.1.1.bias"}


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in network.state_dict().items()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for key, value in a.items():
        torch.testing.assert_close(value, b[key], rtol=0, atol=0, msg=key)


class KilledError(BaseException):
    """Stands for a process that dies, with no time to save anything."""


def kill_after(watcher, iteration):
    def on_step(report):
        watcher.reports.append(report)
        if report.iteration == iteration:
            raise KilledError

    watcher.on_step = on_step


def the_same(stage, iteration):
    """One batch again and again."""
    while True:
        yield make_batch(1)


def poisoned(*iterations):
    """Batches whose boxes are not finite, and so the loss, in these iterations."""

    def batches(stage, start):
        for iteration, batch in enumerate(endless(stage, start), start):
            spoil = {"boxes": batch.boxes * math.nan} if iteration in iterations else {}
            yield dataclasses.replace(batch, **spoil)

    return batches


def test_the_loss_falls_and_every_weight_moves(tmp_path):
    recipe = dataclasses.replace(RECIPE, iterations=25, optimizer="adamw", learning_rate=3e-3)
    network = make_network()
    before = {k: v.detach().clone() for k, v in network.named_parameters()}
    trainer, watcher = make_trainer(tmp_path, recipe, network, the_same)
    trainer.run()
    totals = [sum(losses.values()) for losses in watcher.losses]
    assert totals[-1] < 0.6 * totals[0]
    assert {k for k, v in network.named_parameters() if torch.equal(v, before[k])} <= WITHOUT_EFFECT


def test_each_iteration_is_reported_with_its_rate_and_its_images(tmp_path):
    trainer, watcher = make_trainer(tmp_path)
    trainer.run()
    assert [r.iteration for r in watcher.reports] == list(range(6))
    assert [r.learning_rate for r in watcher.reports] == [RECIPE.learning_rate_at(i) for i in range(6)]
    for report in watcher.reports:
        assert report.images == 2
        assert 0 <= report.waited < report.seconds
        assert set(report.losses) == {"box", "cls", "mask", "semantic", "mask_iou"}


def test_a_whole_run_leaves_its_averaged_weights_at_the_final_input_size(tmp_path):
    stages = (Stage(0.5, 96, "none"), Stage(1.0, None, "none"))
    trainer, watcher = make_trainer(tmp_path, dataclasses.replace(RECIPE, stages=stages))
    trainer.run()
    final = load_checkpoint(tmp_path / "final.pt")
    assert final.config == CONFIG
    # convolutions are stored in half precision
    for key, value in weights(final).items():
        torch.testing.assert_close(value, trainer.ema.state[key], rtol=1e-3, atol=1e-6, msg=key)
    ((iteration, measured),) = watcher.checkpoints
    assert (iteration, measured.config.image_size, measured.training) == (6, SIDE, False)
    assert_same(weights(measured), trainer.ema.state)


def test_each_stage_trains_at_its_input_size_from_its_first_iteration(tmp_path):
    asked = []

    def batches(stage, iteration):
        asked.append((stage.image_size, iteration))
        for batch in endless(stage, iteration):
            sizes.append(batch.images.shape[-1])
            yield batch

    sizes: list[int] = []
    stages = (Stage(0.5, 96, "none"), Stage(1.0, None, "light"))
    make_trainer(tmp_path, dataclasses.replace(RECIPE, stages=stages), batches=batches)[0].run()
    assert asked == [(96, 0), (None, 3)]
    assert sizes == [96] * 3 + [64] * 3


@pytest.mark.parametrize(
    ("cut", "optimizer"),
    [
        (3, "sgd"),
        (1, "adamw"),
        *(pytest.param(*case, marks=SLOW) for case in ((1, "sgd"), (4, "sgd"), (3, "adamw"), (4, "adamw"))),
    ],
)
def test_a_run_that_was_cut_and_resumed_is_bit_for_bit_the_run_that_was_not(tmp_path, optimizer, cut):
    stages = (Stage(0.5, 96, "none"), Stage(1.0, None, "none"))
    recipe = dataclasses.replace(RECIPE, optimizer=optimizer, stages=stages)
    whole, seen = make_trainer(tmp_path, recipe)
    whole.run()
    first, before = make_trainer(tmp_path, recipe, save_every=cut)
    kill_after(before, cut)
    with pytest.raises(KilledError):
        first.run()
    second, after = make_trainer(tmp_path, recipe, network=make_network(seed=9))
    second.resume(read_saved_run(tmp_path / "last.pt"))
    second.run()
    assert before.losses[:cut] + after.losses == seen.losses
    assert_same(weights(second.network), weights(whole.network))
    assert_same(second.ema.state, whole.ema.state)


def test_stop_ends_the_run_after_the_present_iteration_saved_but_not_measured(tmp_path):
    trainer, watcher = make_trainer(tmp_path, save_every=2)

    def on_step(report):
        watcher.reports.append(report)
        if report.iteration == 1:
            trainer.stop()

    watcher.on_step = on_step
    trainer.run()
    assert [r.iteration for r in watcher.reports] == [0, 1]
    assert not trainer.finished
    assert read_saved_run(tmp_path / "last.pt").iteration == 2
    assert watcher.checkpoints == []
    assert not (tmp_path / "final.pt").exists()


def test_stopped_before_its_first_iteration_a_run_can_still_be_resumed(tmp_path):
    trainer, watcher = make_trainer(tmp_path)
    trainer.stop()
    trainer.run()
    assert watcher.reports == []
    assert read_saved_run(tmp_path / "last.pt").iteration == 0


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_step_that_is_not_finite_changes_nothing_and_names_its_images(tmp_path, what):
    recipe = dataclasses.replace(RECIPE, iterations=1)
    network = make_network()
    batches = poisoned(0) if what == "loss" else endless
    trainer, watcher = make_trainer(tmp_path, recipe, network, batches)
    if what == "gradient":
        network.head.bbox_layer.weight.register_hook(lambda gradient: gradient * math.inf)
    before = weights(network)
    trainer.run()
    assert_same(weights(network), before)
    assert_same(trainer.ema.state, before)
    (notice,) = watcher.notices
    assert f"iteration 0: {what} not finite" in notice
    assert "0_0.png, 0_1.png" in notice


def test_activations_that_are_not_finite_do_not_stay_in_the_norms(tmp_path):
    network = make_network()
    trainer, watcher = make_trainer(tmp_path, network=network)
    spoiled = network.backbone.conv1.register_forward_hook(lambda module, x, y: y * math.nan)
    before = weights(network)

    def on_notice(text):
        watcher.notices.append(text)
        assert_same(weights(network), before)
        spoiled.remove()

    watcher.on_notice = on_notice
    trainer.run()
    assert len(watcher.notices) == 1
    assert all(math.isfinite(v) for losses in watcher.losses[1:] for v in losses.values())


def test_single_steps_that_are_not_finite_are_survived(tmp_path):
    trainer, watcher = make_trainer(tmp_path, batches=poisoned(1, 3))
    trainer.run()
    assert trainer.finished
    assert [math.isnan(losses["box"]) for losses in watcher.losses] == [
        False,
        True,
        False,
        True,
        False,
        False,
    ]


def test_two_in_a_row_stop_the_run_with_the_batch_named_and_the_last_good_state_kept(tmp_path):
    trainer, _ = make_trainer(tmp_path, batches=poisoned(3, 4), save_every=2)
    with pytest.raises(
        TrainingError, match=r"iteration 4: loss not finite .*4_0\.png, 4_1\.png, twice in a row"
    ):
        trainer.run()
    saved = read_saved_run(tmp_path / "last.pt")
    assert (saved.iteration, saved.skipped) == (2, 0)
    assert all(v.isfinite().all() for v in saved.weights.values())


def test_two_in_a_row_stop_the_run_even_when_it_was_resumed_between_them(tmp_path):
    batches = poisoned(1, 2)
    first, watcher = make_trainer(tmp_path, batches=batches)
    watcher.on_notice = lambda text: first.stop()
    first.run()
    assert read_saved_run(tmp_path / "last.pt").skipped == 1
    second, _ = make_trainer(tmp_path, batches=batches)
    second.resume(read_saved_run(tmp_path / "last.pt"))
    with pytest.raises(TrainingError, match=r"iteration 2: .* twice in a row"):
        second.run()


def test_weights_that_are_not_finite_never_replace_a_good_file(tmp_path):
    trainer, _ = make_trainer(tmp_path)
    trainer.save()
    good = (tmp_path / "last.pt").read_bytes()
    with torch.no_grad():
        trainer.network.semantic_head.bias[0] = math.inf
    with pytest.raises(TrainingError, match=r"semantic_head\.bias is not finite at iteration 0"):
        trainer.save()
    assert (tmp_path / "last.pt").read_bytes() == good


def test_a_state_that_is_finite_but_ruined_never_replaces_a_good_file(tmp_path):
    recipe = dataclasses.replace(RECIPE, learning_rate=1e25, warmup_iterations=3, warmup_start=1e-6)
    trainer, watcher = make_trainer(tmp_path, recipe, save_every=1)
    with pytest.raises(TrainingError, match="twice in a row"):
        trainer.run()
    saved = read_saved_run(tmp_path / "last.pt")
    assert saved.iteration == 1
    assert [iteration for iteration, _ in watcher.checkpoints] == [1]
    assert max(float(v.abs().max()) for v in saved.weights.values()) < 1e3


def test_a_ruined_state_is_refused_at_the_end_of_a_run_too(tmp_path):
    recipe = dataclasses.replace(RECIPE, learning_rate=1e25, warmup_iterations=0, iterations=1)
    trainer, _ = make_trainer(tmp_path, recipe)
    trainer.save()
    with pytest.raises(TrainingError, match=r"no finite loss .*last\.pt was not overwritten"):
        trainer.run()
    assert read_saved_run(tmp_path / "last.pt").iteration == 0
    assert not (tmp_path / "final.pt").exists()


def test_a_save_that_falls_on_a_skipped_step_is_made_up_for(tmp_path):
    trainer, watcher = make_trainer(tmp_path, batches=poisoned(1), save_every=2)
    kill_after(watcher, 3)
    with pytest.raises(KilledError):
        trainer.run()
    assert [iteration for iteration, _ in watcher.checkpoints] == [3]


@pytest.mark.parametrize(
    ("where", "optimizer"),
    [
        ("data", "adamw"),
        ("loss", "sgd"),
        *(pytest.param(*case, marks=SLOW) for case in (("data", "sgd"), ("loss", "adamw"))),
    ],
)
def test_an_error_saves_what_was_learned_and_the_run_goes_on_bit_for_bit(tmp_path, optimizer, where):
    recipe = dataclasses.replace(RECIPE, optimizer=optimizer)
    whole, seen = make_trainer(tmp_path, recipe)
    whole.run()

    def batches(stage, start):
        for iteration, batch in enumerate(endless(stage, start), start):
            if iteration == 3 and where == "data":
                raise DataError("gone")
            yield batch

    first, before = make_trainer(tmp_path, recipe, batches=batches)
    if where == "loss":
        failed = []

        def fail(*_):
            if len(before.reports) == 3 and not failed:
                failed.append(True)
                raise DataError("gone")

        first.network.protonet.register_forward_hook(fail)
    with pytest.raises(DataError, match="gone"):
        first.run()
    second, after = make_trainer(tmp_path, recipe, network=make_network(seed=9))
    second.resume(read_saved_run(tmp_path / "last.pt"))
    second.run()
    assert before.losses + after.losses == seen.losses
    assert_same(weights(second.network), weights(whole.network))


def test_a_file_that_cannot_be_decoded_is_told_once(tmp_path):
    def batches(stage, iteration):
        for batch in endless(stage, iteration):
            yield dataclasses.replace(batch, broken=("torn.jpg", "cut.jpg", "torn.jpg"))

    trainer, watcher = make_trainer(tmp_path, batches=batches)
    trainer.run()
    assert [notice.split(":")[0] for notice in watcher.notices] == ["torn.jpg", "cut.jpg"]


def test_frozen_norms_of_the_backbone_stay_and_all_else_is_trained(tmp_path):
    recipe = dataclasses.replace(RECIPE, freeze_norms=True)
    network = make_network()
    before = weights(network)
    norms = {k for k in before if k.startswith("backbone.") and (".bn" in k or "downsample.1" in k)}
    make_trainer(tmp_path, recipe, network, the_same)[0].run()
    after = weights(network)
    assert norms <= {k for k in before if torch.equal(before[k], after[k])} <= norms | WITHOUT_EFFECT


def test_norms_that_are_not_frozen_learn_their_statistics(tmp_path):
    network = make_network()
    make_trainer(tmp_path, network=network)[0].run()
    assert network.backbone.bn1.num_batches_tracked == 6
    assert network.backbone.bn1.running_mean.abs().max() > 0


def test_gradients_are_clipped_to_the_recipes_norm(tmp_path):
    recipe = dataclasses.replace(
        RECIPE, iterations=1, clip_norm=1e-3, weight_decay=0, warmup_iterations=0, learning_rate=1.0
    )
    network = make_network()
    before = copy.deepcopy(network)
    make_trainer(tmp_path, recipe, network)[0].run()
    pairs = zip(network.parameters(), before.parameters(), strict=True)
    moved = math.sqrt(sum(float((a - b).detach().square().sum()) for a, b in pairs))
    assert moved == pytest.approx(1e-3, rel=1e-2)


def test_in_bf16_the_network_computes_in_half_precision_and_the_loss_in_full(tmp_path):
    recipe = dataclasses.replace(RECIPE, precision="bf16", iterations=2, stages=(Stage(1.0, 96, "none"),))
    network = make_network()
    seen = set()
    network.fpn.register_forward_hook(lambda module, x, y: seen.add(y[0].dtype))
    trainer, watcher = make_trainer(tmp_path, recipe, network)
    trainer.run()
    assert seen == {torch.bfloat16}
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    full, reference = make_trainer(tmp_path, dataclasses.replace(recipe, precision="fp32"))
    full.run()
    for name, value in watcher.losses[0].items():
        assert value == pytest.approx(reference.losses[0][name], rel=0.05, abs=1e-3)
    assert watcher.losses != reference.losses


def test_a_recipe_that_makes_no_sense_is_refused_before_anything_is_built(tmp_path):
    with pytest.raises(ConfigError, match="iterations"):
        make_trainer(tmp_path, dataclasses.replace(RECIPE, iterations=0))
