import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QDialog, QFileDialog, QInputDialog

from ui.window.dialogs import open_dialogs


def dialog_of(window, kind):
    (dialog,) = open_dialogs(window)
    assert isinstance(dialog, kind)
    return dialog


@pytest.mark.parametrize(
    ("name", "asked"),
    [("open_file", "open"), ("open_folder", "open"), ("open_weights", "detect"), ("annotate", None)],
)
def test_file_dialogs_act_once_a_file_is_chosen(window, session, tmp_path, name, asked):
    chosen = tmp_path / "chosen.mp4"
    window.menus.actions[name].trigger()
    dialog = dialog_of(window, QFileDialog)
    before = len(session.asked)
    dialog.fileSelected.emit(str(chosen))
    dialog.done(QDialog.DialogCode.Accepted)

    if asked is not None:
        assert session.asked[before][0] == asked
        return
    output = dialog_of(window, QFileDialog)
    output.fileSelected.emit(str(tmp_path / "out.mp4"))
    output.done(QDialog.DialogCode.Accepted)
    assert session.asked[-1] == ("annotate", str(chosen), tmp_path / "out.mp4")


def test_an_address_is_asked_for(window, session):
    window.menus.actions["open_address"].trigger()
    dialog = dialog_of(window, QInputDialog)
    dialog.setTextValue(" rtsp://host/one ")
    dialog.accept()

    assert session.asked[-1] == ("open", "rtsp://host/one")


def test_the_output_folder_is_chosen(window, controller, tmp_path):
    window.menus.actions["output_folder"].trigger()
    dialog = dialog_of(window, QFileDialog)
    dialog.fileSelected.emit(str(tmp_path))
    dialog.reject()

    assert controller.output == tmp_path


@pytest.mark.parametrize("key", ["?", "F1"])
def test_the_shortcuts_are_shown_by_a_key(window, qtbot, key):
    qtbot.keyClick(window, Qt.Key.Key_F1 if key == "F1" else Qt.Key.Key_Question)
    dialog_of(window, QDialog).close()


def test_about_says_that_nothing_leaves_the_machine(window):
    window.menus.actions["about"].trigger()
    dialog = dialog_of(window, QDialog)
    assert "nothing leaves it" in dialog.text()
    dialog.close()


def test_an_annotated_copy_never_replaces_a_file_and_is_asked_for_again(window, session, tmp_path):
    there = tmp_path / "clip_masks.mp4"
    there.write_bytes(b"")
    window.menus.actions["annotate"].trigger()
    dialog = dialog_of(window, QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "clip.mp4"))
    dialog.done(QDialog.DialogCode.Accepted)
    output = dialog_of(window, QFileDialog)
    assert output.testOption(QFileDialog.Option.DontConfirmOverwrite)
    assert output.selectedFiles() == [str(tmp_path / "clip_masks_2.mp4")]

    output.fileSelected.emit(str(there))
    output.done(QDialog.DialogCode.Accepted)
    again = dialog_of(window, QFileDialog)
    assert session.asked[-1][0] != "annotate"
    assert again.selectedFiles() == [str(there)]
    assert "clip_masks.mp4 exists already" in window.notices.notices[0].text
    again.reject()


@pytest.mark.parametrize("kind", ["file", "folder", "weights"])
def test_panels_ask_for_the_windows_own_dialogs(window, controller, kind):
    getattr(controller, f"ask_for_{kind}")()

    dialog_of(window, QFileDialog).reject()
