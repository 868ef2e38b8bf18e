import re
import sys
from pathlib import Path

import pytest
from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights, MaskRCNN_ResNet50_FPN_Weights

from model.checkpoints.catalog import (
    CATALOG,
    DEFAULT_WEIGHTS,
    PROPOSALS,
    TWO_STAGE,
    all_entries,
    cache_folder,
    find_entry,
    resolve_weights,
)
from model.checkpoints.pins import PINS_FILE, pin_or_check
from model.config import PRESETS
from model.errors import CheckpointError, ConfigError, DownloadError

PUBLISHED = {
    "yolact_resnet50": 28.2,
    "yolact_darknet53": 28.7,
    "yolact_base": 29.8,
    "yolact_im700": 31.2,
    "yolact_plus_resnet50": 34.1,
    "yolact_plus_base": 34.6,
}


def downloaded(name, content=b"weights"):
    entry = CATALOG[name]
    entry.path.parent.mkdir(parents=True, exist_ok=True)
    entry.path.write_bytes(content)
    pin_or_check(entry.path.parent, name, entry.path, entry.address)
    return entry.path


def test_the_catalogue_lists_the_published_figures_and_nothing_else_beside_those_that_come_along():
    assert {entry.name: entry.value for entry in CATALOG.values() if entry.address} == PUBLISHED
    assert set(CATALOG) == set(PUBLISHED) | {"livemask_n", "livemask_s", "livemask_m"}


@pytest.mark.parametrize("entry", CATALOG.values(), ids=lambda entry: entry.name)
def test_every_entry_names_a_preset_a_licence_and_exactly_one_origin(entry):
    assert entry.config in PRESETS
    assert entry.licence
    assert (entry.address is None) != (entry.bundled is None)
    assert (entry.metric is None) == (entry.value is None)


@pytest.mark.parametrize("name", PUBLISHED)
def test_official_addresses_are_https_and_keep_the_official_file_name(name):
    address = CATALOG[name].address
    repository = name.replace("_", "-")
    assert address == f"https://huggingface.co/dbolya/{repository}/resolve/main/{name}_54_800000.pth"
    assert CATALOG[name].path.name == f"{name}_54_800000.pth"


def test_two_stage_models_are_torchvisions_with_the_digest_that_their_file_names_hold():
    weights = {
        "maskrcnn_resnet50_fpn": MaskRCNN_ResNet50_FPN_Weights.COCO_V1,
        "maskrcnn_resnet50_fpn_v2": MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1,
    }
    assert set(TWO_STAGE) == set(weights)
    for name, official in weights.items():
        entry = TWO_STAGE[name]
        assert entry.address == official.url
        assert entry.path.stem.rpartition("-")[2] == entry.digest
        assert re.fullmatch("[0-9a-f]{8}", entry.digest)
        assert entry.value == official.meta["_metrics"]["COCO-val2017"]["mask_map"]
        assert entry.approximate_size == pytest.approx(official.meta["_file_size"] * 2**20, rel=0.01)


def test_every_name_is_found_and_the_catalogue_of_yolact_knows_no_two_stage_model():
    assert set(all_entries()) == {*CATALOG, *TWO_STAGE, *PROPOSALS}
    assert not set(CATALOG) & {*TWO_STAGE, *PROPOSALS}
    assert find_entry("maskrcnn_resnet50_fpn") is TWO_STAGE["maskrcnn_resnet50_fpn"]
    with pytest.raises(CheckpointError, match="did you mean 'maskrcnn_resnet50_fpn'"):
        resolve_weights("maskrcnn_resnet50")
    with pytest.raises(DownloadError, match="models download maskrcnn_resnet50_fpn_v2"):
        resolve_weights("maskrcnn_resnet50_fpn_v2")


def test_the_cache_folder_follows_livemask_home_at_call_time(monkeypatch, tmp_path):
    monkeypatch.setenv("LIVEMASK_HOME", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere"
    assert CATALOG["yolact_base"].path.parent == tmp_path / "elsewhere"


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_CACHE_HOME is Linux's way to move the cache folder")
@pytest.mark.parametrize("unset", [None, ""])
def test_without_livemask_home_the_platforms_cache_folder_is_used(monkeypatch, tmp_path, unset):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if unset is None:
        monkeypatch.delenv("LIVEMASK_HOME")
    else:
        monkeypatch.setenv("LIVEMASK_HOME", unset)
    assert cache_folder() == tmp_path / "livemask"


def test_a_tilde_in_livemask_home_means_the_users_home(monkeypatch):
    monkeypatch.setenv("LIVEMASK_HOME", "~/weights")
    assert cache_folder() == Path.home() / "weights"


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError, match="did you mean 'yolact_darknet53'"):
        find_entry("yolact_darknet")


def test_none_means_the_bundled_default(bundle):
    (bundle / "livemask_s.pt").write_bytes(b"x")
    assert resolve_weights(None) == bundle / "livemask_s.pt"
    assert CATALOG[DEFAULT_WEIGHTS].state == "bundled"


def test_missing_default_weights_are_an_error_and_never_replaced(bundle):
    with pytest.raises(CheckpointError, match=r"livemask_s.*missing.*models list"):
        resolve_weights(None)
    assert CATALOG[DEFAULT_WEIGHTS].state == "missing"


def test_a_name_that_is_not_downloaded_says_which_command_downloads_it(home):
    with pytest.raises(DownloadError, match="models download yolact_base"):
        resolve_weights("yolact_base")
    assert not home.exists()


@pytest.mark.parametrize("given", [str, Path])
def test_a_downloaded_name_resolves_to_its_cached_file(given):
    path = downloaded("yolact_base")
    assert resolve_weights(given("yolact_base")) == path
    assert CATALOG["yolact_base"].state == "downloaded"


@pytest.mark.parametrize("changed", [b"w_ights", b"weights and more"], ids=["one byte", "longer"])
def test_a_cached_file_that_differs_from_its_pin_is_not_used(changed):
    downloaded("yolact_base").write_bytes(changed)
    with pytest.raises(DownloadError, match="not the one that was first seen"):
        resolve_weights("yolact_base")


def test_a_cached_file_without_a_pin_is_not_used(home):
    downloaded("yolact_base")
    (home / PINS_FILE).unlink()
    with pytest.raises(DownloadError, match="never recorded"):
        resolve_weights("yolact_base")


@pytest.mark.parametrize(
    "broken", ["{", "[]", '{"yolact_base": {"sha256": 3}}', '{"yolact_base": "abc"}', "\x00"]
)
def test_a_lock_file_that_cannot_be_read_stops_the_use_of_weights(home, broken):
    downloaded("yolact_base")
    (home / PINS_FILE).write_text(broken)
    with pytest.raises(DownloadError, match=re.escape(PINS_FILE)):
        resolve_weights("yolact_base")


def test_a_path_resolves_to_itself(tmp_path):
    own = tmp_path / "own.pt"
    own.write_bytes(b"x")
    assert resolve_weights(own) == own
    assert resolve_weights(str(own)) == own


def test_a_path_that_is_not_there_is_named_without_a_guess(tmp_path):
    with pytest.raises(CheckpointError, match=r"nothing\.pt") as caught:
        resolve_weights(tmp_path / "nothing.pt")
    assert "did you mean" not in str(caught.value)


def test_a_mistyped_name_is_answered_with_the_nearest_name():
    with pytest.raises(CheckpointError, match="did you mean 'yolact_plus_base'"):
        resolve_weights("yolact_plus_bas")


def test_a_folder_is_not_a_weights_file(tmp_path):
    with pytest.raises(CheckpointError, match="is a folder"):
        resolve_weights(tmp_path)


def test_the_name_of_the_former_default_stands_for_the_present_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("model.checkpoints.catalog.BUNDLED_FOLDER", tmp_path)
    (tmp_path / "livemask_s.pt").write_bytes(b"x")
    assert resolve_weights("livemask_s_person") == resolve_weights(None) == tmp_path / "livemask_s.pt"
    assert find_entry("livemask_s_person").name == DEFAULT_WEIGHTS == "livemask_s"
