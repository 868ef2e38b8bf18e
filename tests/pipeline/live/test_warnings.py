"""Errors as events."""

from __future__ import annotations

import pytest

from model.errors import SourceError
from pipeline.live.warnings import failed, without_secrets


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_an_error_of_ours_speaks_for_itself_and_its_traceback_goes_with_it() -> None:
    told = failed("source", raised(SourceError("clip.mp4: no such file")))
    assert (told.task, told.message) == ("source", "clip.mp4: no such file")
    assert "Traceback" in told.details
    assert "test_warnings.py" in told.details


def test_any_other_error_is_called_unexpected() -> None:
    told = failed("network", raised(KeyError("weights")))
    assert told.message == "an unexpected error, which is a fault of the program: KeyError: 'weights'"
    assert failed("network", raised(MemoryError())).message.endswith("MemoryError: ")


@pytest.mark.parametrize(
    "text",
    [
        "cannot open 'rtsp://anna:s3cret@camera.lan/live': refused",
        "(http://camera.lan/?password=s3cret)",
        "OSError: [Errno 5] rtsp:/anna:s3cret@camera.lan",
        "twice: rtsp://anna:s3cret@a and rtsp://anna:s3cret@b",
    ],
)
def test_addresses_within_a_text_lose_their_secrets(text: str) -> None:
    assert "s3cret" not in without_secrets(text)


def test_a_secret_with_spaces_in_it_is_known_by_the_source_that_was_typed() -> None:
    source = "rtsp://anna:my s3cret@camera.lan/live"
    assert without_secrets(f"{source}: gone", source) == "rtsp://***@camera.lan/live: gone"


def test_paths_and_other_words_stay_as_they_are() -> None:
    text = r'File "C:\clips\a.mp4" and /home/anna/b.mp4: 3:/4 of C:/x'
    assert without_secrets(text, "/home/anna/b.mp4") == text
