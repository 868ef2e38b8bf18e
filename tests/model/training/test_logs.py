import csv
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model.errors import TrainingError
from model.training.logs import STEP_FIELDS, CsvLog, TensorBoardLog, step_row
from model.training.watcher import StepReport
from tests.full_disk import no_file_longer_than

LOSSES = {"box": 1 / 3, "cls": 2e-8, "mask": 1.0, "semantic": 0.1 + 0.2, "mask_iou": 0.0}


def report(iteration: int, **losses: float) -> StepReport:
    return StepReport(iteration, LOSSES | losses, 1e-3 / 3, 16, 0.5, 0.01)


def write(path: Path, first: int, iterations: range) -> None:
    log = CsvLog(path, STEP_FIELDS, first)
    for iteration in iterations:
        log.write(step_row(report(iteration)))
    log.close()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def iterations(path: Path) -> list[int]:
    return [int(row["iteration"]) for row in rows(path)]


def test_a_row_holds_every_figure_to_its_last_digit(tmp_path):
    write(tmp_path / "log.csv", 0, range(1))
    (row,) = rows(tmp_path / "log.csv")
    assert tuple(row) == STEP_FIELDS
    assert {name: float(row[name]) for name in LOSSES} == LOSSES
    assert float(row["learning_rate"]) == 1e-3 / 3
    assert (row["iteration"], row["images"], row["seconds"], row["waited"]) == ("0", "16", "0.5", "0.01")


def test_a_row_is_in_the_file_as_soon_as_it_is_written(tmp_path):
    log = CsvLog(tmp_path / "log.csv", STEP_FIELDS, 0)
    log.write(step_row(report(0)))
    assert iterations(tmp_path / "log.csv") == [0]
    log.close()


def test_a_run_that_goes_on_drops_the_rows_that_it_writes_again(tmp_path):
    path = tmp_path / "log.csv"
    write(path, 0, range(7))
    kept = path.read_bytes().splitlines(keepends=True)[:5]
    write(path, 4, range(4, 6))
    assert iterations(path) == [0, 1, 2, 3, 4, 5]
    assert path.read_bytes().startswith(b"".join(kept))


def test_a_row_that_was_cut_short_is_dropped(tmp_path):
    path = tmp_path / "log.csv"
    write(path, 0, range(3))
    path.write_bytes(path.read_bytes()[:-9])
    write(path, 3, range(3, 4))
    assert iterations(path) == [0, 1, 3]


def test_a_header_that_was_cut_short_is_written_anew(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"iteration,bo")
    write(path, 2, range(2, 3))
    assert iterations(path) == [2]


def test_a_new_run_starts_an_empty_log(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("left,by,something\n0,1,2\n")
    write(path, 0, range(2))
    assert iterations(path) == [0, 1]


def test_a_log_that_was_removed_is_begun_where_the_run_is(tmp_path):
    write(tmp_path / "log.csv", 4, range(4, 6))
    assert iterations(tmp_path / "log.csv") == [4, 5]


def test_a_folder_that_is_not_there_is_an_error_by_name(tmp_path):
    with pytest.raises(TrainingError, match=r"nowhere/log\.csv cannot be written"):
        CsvLog(tmp_path / "nowhere" / "log.csv", STEP_FIELDS, 0)


def test_a_full_disk_is_told_and_does_not_spoil_the_closing(tmp_path):
    log = CsvLog(tmp_path / "log.csv", STEP_FIELDS, 0)
    log.write(step_row(report(0)))
    with no_file_longer_than((tmp_path / "log.csv").stat().st_size + 9):
        with pytest.raises(TrainingError, match=r"log\.csv cannot be written: File too large"):
            log.write(step_row(report(1)))
        log.close()
    write(tmp_path / "log.csv", 1, range(1, 2))
    assert iterations(tmp_path / "log.csv") == [0, 1]


def test_tensorboard_gets_losses_rate_and_speed_now_and_then_and_the_figures_of_a_validation(tmp_path):
    log = TensorBoardLog(tmp_path, 0, every=2)
    for iteration in range(5):
        log.write(report(iteration, box=float(iteration)))
    log.scalars(4, {"mask/ap50": 0.25})
    log.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss/box")] == [(0, 0.0), (2, 2.0), (4, 4.0)]
    assert [e.value for e in events.Scalars("images_per_second")] == [32.0] * 3
    assert [(e.step, e.value) for e in events.Scalars("mask/ap50")] == [(4, 0.25)]


def test_tensorboard_forgets_what_a_run_that_goes_on_writes_again(tmp_path):
    for first, value in ((0, 1.0), (2, 5.0)):
        log = TensorBoardLog(tmp_path, first, every=1)
        for iteration in range(first, 4):
            log.write(report(iteration, box=value))
        log.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss/box")] == [(0, 1.0), (1, 1.0), (2, 5.0), (3, 5.0)]
