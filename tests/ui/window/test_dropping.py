import pytest

from ui.window.dropping import sort_dropped


@pytest.fixture
def folder(tmp_path):
    for name in ("clip.mp4", "photo.JPG", "net.pt", "net.onnx", "notes.txt", "nameless"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("name", ["clip.mp4", "photo.JPG", "nameless", ""])
def test_videos_pictures_and_folders_are_sources(folder, name):
    dropped = sort_dropped([str(folder / name)])

    assert (dropped.source, dropped.weights, dropped.refused) == (str(folder / name), "", ())


def test_weights_come_along_with_a_source(folder):
    dropped = sort_dropped([str(folder / "net.pt"), str(folder / "clip.mp4")])

    assert dropped.weights.endswith("net.pt")
    assert dropped.source.endswith("clip.mp4")
    assert not dropped.refused


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["notes.txt"], ".txt is neither"),
        (["gone.mp4"], "no such file"),
        (["clip.mp4", "photo.JPG"], "2 sources at once"),
        (["net.pt", "net.onnx"], "2 files of weights at once"),
        ([], "nothing that was dropped"),
    ],
)
def test_what_is_refused_says_why(folder, names, told):
    dropped = sort_dropped([str(folder / name) for name in names])

    assert told in " ".join(dropped.refused)
    assert (dropped.source, dropped.weights) == ("", "")


def test_addresses_are_sources_if_their_kind_can_be_opened_and_never_shown_with_a_password():
    assert sort_dropped(["rtsp://me:word@host/one"]).source == "rtsp://me:word@host/one"

    refused = sort_dropped(["ftp://me:word@host/clip.mp4"]).refused
    assert "rtsp://" in refused[0]
    assert "word" not in refused[0]


def test_one_that_is_refused_does_not_keep_another_from_being_opened(folder):
    dropped = sort_dropped([str(folder / "notes.txt"), str(folder / "clip.mp4")])

    assert dropped.source.endswith("clip.mp4")
    assert "notes.txt" in dropped.refused[0]
