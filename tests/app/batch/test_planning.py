"""What a batch has to make: after other settings, other weights, other inputs, and lost outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.annotate.options import AnnotateOptions, OutputOptions, VideoOptions
from app.annotate.report import Report
from app.batch.local import LocalBackend
from app.batch.manifest import Manifest
from app.batch.planning import Comparison, compared, gathered, planned, told, without_foreign, words_of
from app.batch.records import PlannedVideo
from app.batch.scheduler import Scheduler
from app.batch.settings import BatchSettings, Resolved, asked_for
from app.batch.start import BatchOptions, suited
from app.batch.store import BatchFolder
from model.errors import ConfigError
from pipeline.settings import DetectionSettings
from tests.app.batch.driving import TASK
from tests.clips import write_clip

HERE = Resolved("openvino", "cpu", "bf16")


class Batch:
    """A batch of two tiny clips and weights, worked off by the stand-in."""

    def __init__(self, folder: Path) -> None:
        self.clips = folder / "clips"
        (self.clips / "sub").mkdir(parents=True)
        for name in ("a.mp4", "sub/a.mkv"):
            write_clip(self.clips / name, frames=2)
        self.weights = folder / "weights.pt"
        self.weights.write_text("weights")
        self.out = folder / "out"
        self.manifest = Manifest(BatchFolder(self.out))
        self.report = Report()

    def options(self, **detection: object) -> AnnotateOptions:
        settings = DetectionSettings(weights=str(self.weights), **detection)  # type: ignore[arg-type]
        output = OutputOptions(output=self.out, json=True)
        return AnnotateOptions([str(self.clips)], recursive=True, detection=settings, output=output)

    def compare(self, resolved: Resolved = HERE, **detection: object) -> Comparison:
        """What a start would find, with these settings; the plan is noted."""
        options = self.options(**detection)
        settings = BatchSettings(*self._asked(options, resolved)).recorded(self.manifest.folder)
        videos = planned(gathered(options, self.report), self.out, settings, self.report)
        self.manifest.plan(videos)
        return compared(videos, self.manifest, settings)

    def make(self, videos: list[PlannedVideo]) -> None:
        backend = LocalBackend(TASK, self.out, 1, len(videos))
        try:
            Scheduler(self.manifest, backend, lambda video, outcome: None).run(videos)
        finally:
            backend.close()

    @staticmethod
    def _asked(
        options: AnnotateOptions, resolved: Resolved
    ) -> tuple[dict[str, object], Resolved, dict[str, str]]:
        asked, places = asked_for(options)
        return asked, resolved, places


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    """All of it finished."""
    batch = Batch(tmp_path)
    batch.make(batch.compare().missing)
    return batch


def names(videos: list[PlannedVideo]) -> list[str]:
    return [video.name for video in videos]


def test_what_is_finished_is_not_made_again(batch: Batch):
    found = batch.compare()
    assert (found.missing, found.finished, told(found)) == ([], 2, [])
    assert (batch.out / "sub" / "a_masks.jsonl").is_file()


def test_other_settings_are_new_keys_and_it_is_said_which(batch: Batch):
    found = batch.compare(nms="exact")
    assert names(found.missing) == ["a.mp4", "sub/a.mkv"]
    (line,) = told(found)
    assert "2 videos (a.mp4, sub/a.mkv) finished with other settings" in line
    assert "detection nms: fast, now exact" in line


def test_other_weights_of_the_same_name_are_new_keys(batch: Batch):
    batch.weights.write_text("changed")
    found = batch.compare()
    assert len(found.missing) == 2
    assert "weights weights: " in told(found)[0]


def test_an_8_bit_model_that_comes_beside_the_weights_is_a_change(batch: Batch):
    batch.weights.with_name("weights.int8.xml").write_text("a model")
    assert "weights weights.int8.xml: none, now " in told(batch.compare())[0]


def test_an_input_that_has_changed_is_a_new_key(batch: Batch):
    write_clip(batch.clips / "a.mp4", frames=3)
    found = batch.compare()
    assert (names(found.missing), names(found.inputs), found.settings) == (["a.mp4"], ["a.mp4"], [])
    assert "1 video (a.mp4) finished, but the input has changed" in told(found)[0]


def test_a_record_without_its_file_is_said_and_made_again(batch: Batch):
    (batch.out / "a_masks.mp4").unlink()
    found = batch.compare()
    assert (names(found.missing), names(found.lost)) == (["a.mp4"], ["a.mp4"])
    batch.manifest.forget(found.lost[0].key)
    batch.make(found.missing)
    assert (batch.out / "a_masks.mp4").is_file()
    assert batch.compare().finished == 2


def test_outputs_that_are_replaced_under_other_settings_lose_their_record(batch: Batch):
    batch.make(batch.compare(nms="exact").missing)
    assert batch.compare(nms="exact").finished == 2
    assert names(batch.compare().missing) == ["a.mp4", "sub/a.mkv"]


def test_a_second_machine_takes_the_engine_that_the_first_one_has_chosen(batch: Batch):
    found = batch.compare(resolved=Resolved("openvino", "cpu", "fp32"))
    assert found.finished == 2


def test_an_engine_that_is_asked_for_by_name_is_another_setting(batch: Batch):
    found = batch.compare(resolved=Resolved("openvino", "cpu", "fp32"), precision="fp32")
    assert "precision: bf16, now fp32" in told(found)[0]


def test_settings_come_back_from_their_record_as_they_were_given(batch: Batch):
    options = batch.options(classes=("person", "dog"), score_threshold=0.25, stabilise="light")
    options = replace(options, video=VideoOptions(as_="json", stride=2, frame_rate="30000/1001"))
    settings = BatchSettings(*Batch._asked(options, HERE)).recorded(batch.manifest.folder)
    named = replace(options.detection, engine="openvino", device="cpu", precision="bf16")
    assert settings.options.detection == named
    assert settings.options.video == options.video
    assert (settings.options.output.json, settings.options.crop_masks) == (True, True)


def test_a_file_that_no_batch_has_made_is_not_replaced_unless_it_is_allowed(tmp_path: Path):
    batch = Batch(tmp_path)
    batch.out.mkdir()
    (batch.out / "a_masks.mp4").write_text("somebody's own")
    options = batch.options()
    settings = BatchSettings(*Batch._asked(options, HERE))
    videos = planned(gathered(options, batch.report), batch.out, settings, batch.report)
    assert names(without_foreign(videos, batch.manifest, True, batch.report)) == ["a.mp4", "sub/a.mkv"]
    assert names(without_foreign(videos, batch.manifest, False, batch.report)) == ["sub/a.mkv"]
    assert "no batch has made it" in batch.report.failures[0]


def test_what_a_killed_start_has_made_without_a_record_is_the_batchs_own(batch: Batch):
    videos = batch.manifest.planned()
    batch.manifest.forget(videos[0].key)
    assert without_foreign(videos, batch.manifest, False, batch.report) == videos


def test_inputs_stand_in_lists_too(tmp_path: Path):
    (tmp_path / "one.txt").write_text("# clips\na.mp4\n\n  b c.mp4 \n")
    (tmp_path / "two.txt").write_text("d.mp4\n")
    words = words_of([f"@{tmp_path / 'one.txt'}", "e.mp4"], [tmp_path / "two.txt"])
    assert words == ["a.mp4", "b c.mp4", "e.mp4", "d.mp4"]


@pytest.mark.parametrize(
    ("words", "lists"),
    [(["@absent.txt"], []), ([], ["absent.txt"]), ([], [])],
    ids=["word", "flag", "nothing"],
)
def test_a_list_that_is_not_there_and_no_input_at_all_are_usage_errors(words: list[str], lists: list[str]):
    with pytest.raises(ConfigError):
        words_of(words, [Path(one) for one in lists])


@pytest.mark.parametrize("word", ["0", "rtsp://10.0.0.7/live"])
def test_what_cannot_be_read_again_is_refused(tmp_path: Path, word: str):
    options = AnnotateOptions([word], output=OutputOptions(output=tmp_path / "out"))
    with pytest.raises(ConfigError, match="cannot be read again"):
        gathered(options, Report())


@pytest.mark.parametrize("out", [None, "all.mp4"])
def test_a_batch_wants_a_folder(tmp_path: Path, out: str | None):
    write_clip(tmp_path / "a.mp4", frames=1)
    options = AnnotateOptions([str(tmp_path / "a.mp4")], output=OutputOptions(output=out and tmp_path / out))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="folder"):
        gathered(options, Report())


def test_outputs_below_the_folder_that_is_searched_are_no_inputs_of_the_next_start(tmp_path: Path):
    batch = Batch(tmp_path)
    options = batch.options()
    options = replace(options, output=replace(options.output, output=batch.clips / "out"))
    (batch.clips / "out" / "sub").mkdir(parents=True)
    for name in ("a_masks.mp4", "sub/a_masks.mp4"):
        write_clip(batch.clips / "out" / name, frames=1)
    found = gathered(options, batch.report)
    assert sorted(job.name for job in found.videos) == [
        str(batch.clips / "a.mp4"),
        str(batch.clips / "sub" / "a.mkv"),
    ]


def test_a_gpu_has_one_worker_unless_more_are_asked_for(batch: Batch):
    settings = BatchSettings(*Batch._asked(batch.options(), Resolved("torch", "cuda", "fp16")))
    assert suited(BatchOptions(), settings).workers == 1
    assert suited(BatchOptions(workers=3), settings).workers == 3
    on_cpu = replace(settings, resolved=HERE)
    assert suited(BatchOptions(), on_cpu).workers is None
