"""`annotate` with streams that break off: what came of them is there, and the exit code says so."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from app import runs
from app.cli import EXIT_CUT, EXIT_FAILED
from model.errors import StreamLostError
from tests.app.conftest import Annotate
from tests.clips import write_clip
from tests.pipeline.sources.media_server import media
from tests.pipeline.standins import Source
from tests.weights_server import serving, stalled, whole

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    options = runs.SourceOptions
    monkeypatch.setattr(runs, "SourceOptions", lambda: options(open_timeout=20, read_timeout=0.3))
    monkeypatch.setenv("no_proxy", "*")


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_stream_that_was_cut_leaves_a_part_and_ends_in_a_code_of_its_own(
    annotate: Annotate, tmp_path: Path, capsys: Said
) -> None:
    content = media("clip.mkv", 50)
    with serving(stalled(content, len(content) * 6 // 10), name="clip.mkv") as server:
        assert annotate(server.address, "-o", tmp_path / "out.mp4", "--json") == EXIT_CUT
    said = capsys.readouterr()
    assert [line for line in said.err.splitlines() if line.startswith("broken off: ")]
    assert "0 annotated, 1 broken off in " in said.out
    assert not (tmp_path / "out.mp4").exists()
    (part,) = tmp_path.glob("out.*.part.mp4")
    assert 15 <= frames_in(part) < 45
    assert len(list(tmp_path.glob("out.*.part.jsonl"))) == 1


def test_a_stream_that_was_cut_is_tried_again_by_the_next_run(annotate: Annotate, tmp_path: Path) -> None:
    content = media("clip.mkv", 20)
    with serving(stalled(content, len(content) * 6 // 10), name="clip.mkv") as server:
        assert annotate(server.address, "-o", tmp_path / "out.mp4") == EXIT_CUT
        server.answer_with(whole(content))
        assert annotate(server.address, "-o", tmp_path / "out.mp4", "--skip-existing") == 0
    assert frames_in(tmp_path / "out.mp4") == 20


def lose() -> None:
    raise StreamLostError("rtsp://camera/live: the stream is lost after 5 attempt(s) to reconnect: no data")


@pytest.mark.parametrize(("others", "code"), [((), EXIT_CUT), (("absent.mp4",), EXIT_FAILED)])
def test_a_live_stream_that_is_lost_for_good_ends_so_too_unless_something_failed(
    annotate: Annotate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Said,
    others: tuple[str, ...],
    code: int,
) -> None:
    def open_source(*arguments: object) -> Source:
        return Source(None, live=True, at=3, fault=lose, pace=0.01)

    monkeypatch.setattr(runs, "open_source", open_source)
    assert annotate("rtsp://camera/live", *others, "-o", tmp_path / "out") == code
    assert "broken off: rtsp://camera/live: the stream is lost" in capsys.readouterr().err


def test_a_file_that_breaks_off_is_annotated_as_far_as_it_goes(annotate: Annotate, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", frames=50)
    content = (tmp_path / "clip.mkv").read_bytes()
    (tmp_path / "clip.mkv").write_bytes(content[: len(content) // 2])
    assert annotate(tmp_path / "clip.mkv", "-o", tmp_path / "out.mp4") == 0
    assert 10 < frames_in(tmp_path / "out.mp4") < 50


def test_the_exit_codes_are_told_by_help(annotate: Annotate, capsys: Said) -> None:
    with pytest.raises(SystemExit):
        annotate("--help")
    assert "3 nothing failed, but a stream broke off" in " ".join(capsys.readouterr().out.split())
