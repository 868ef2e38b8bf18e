"""The dialogs. None of them makes the window wait: each one acts once it is accepted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QDialog, QFileDialog, QInputDialog, QMessageBox, QWidget

from pipeline.sources.addresses import SCHEMES
from ui.controller import Controller
from ui.dropping import WEIGHTS_SUFFIXES
from ui.shortcuts import ShortcutsDialog

ABOUT = """<h3>LiveMask</h3>
<p>Real-time instance segmentation for webcams and video, on YOLACT.</p>
<p>Everything is computed on this machine; nothing leaves it.</p>"""


class Dialogs:
    """Opens them over a window; each goes with its closing, or with the window."""

    def __init__(self, controller: Controller, window: QWidget) -> None:
        self._controller = controller
        self._window = window
        self._folder = ""  # where the last file was found

    def open_file(self) -> None:
        """Choose a video or a picture, and open it."""
        self._choose("Open a file", _media(), self._controller.open)

    def open_folder(self) -> None:
        """Choose a folder of pictures, and open it."""
        dialog = self._files("Open a folder of pictures", [])
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(self._controller.open)
        dialog.open()

    def open_weights(self) -> None:
        """Choose a file of weights, and detect with it."""
        patterns = " ".join(f"*{suffix}" for suffix in sorted(WEIGHTS_SUFFIXES))
        filters = [f"Weights ({patterns})", "All files (*)"]
        self._choose("Open weights", filters, lambda path: self._controller.set_detection(weights=path))

    def open_address(self) -> None:
        """Ask for the address of a stream, and open it."""
        dialog = QInputDialog(self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Open an address")
        kinds = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        dialog.setLabelText(f"Address of a stream ({kinds}):")
        dialog.resize(520, dialog.sizeHint().height())
        dialog.textValueSelected.connect(self._open_address)
        dialog.open()

    def annotate(self) -> None:
        """Choose a file and where its annotated copy goes, and begin."""
        self._choose("Annotate a file: which one", _media(), self._ask_for_output)

    def choose_output(self) -> None:
        """Choose the folder for recordings and snapshots."""
        dialog = self._files("Folder for recordings and snapshots", [])
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        if self._controller.output.is_dir():
            dialog.setDirectory(str(self._controller.output))
        dialog.fileSelected.connect(lambda folder: self._controller.remember(output=folder))
        dialog.open()

    def show_shortcuts(self) -> None:
        """Show the table of shortcuts."""
        ShortcutsDialog(self._window).open()

    def about(self) -> None:
        """Tell what this is."""
        box = QMessageBox(QMessageBox.Icon.NoIcon, "About LiveMask", ABOUT, parent=self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def _open_address(self, text: str) -> None:
        if text.strip():
            self._controller.open(text.strip())

    def _ask_for_output(self, source: str) -> None:
        path = Path(source)
        dialog = self._files("Annotate a file: where to", ["Videos (*.mp4 *.mkv *.mov *.webm)"])
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("mp4")
        dialog.selectFile(str(path.with_name(f"{path.stem}_masks.mp4")))
        dialog.fileSelected.connect(lambda output: self._controller.annotate(source, Path(output)))
        dialog.open()

    def _choose(self, title: str, filters: list[str], act: Callable[[str], None]) -> None:
        dialog = self._files(title, filters)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self._act(act, path))
        dialog.open()

    def _act(self, act: Callable[[str], None], path: str) -> None:
        self._folder = str(Path(path).parent)
        act(path)

    def _files(self, title: str, filters: list[str]) -> QFileDialog:
        dialog = QFileDialog(self._window, title, self._folder)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if filters:
            dialog.setNameFilters(filters)
        return dialog


def open_dialogs(window: QWidget) -> list[QDialog]:
    """Those that are open over a window."""
    return [dialog for dialog in window.findChildren(QDialog) if dialog.isVisible()]


def _media() -> list[str]:
    from pipeline.sources.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    videos, images = (
        " ".join(f"*{suffix}" for suffix in sorted(kind)) for kind in (VIDEO_SUFFIXES, IMAGE_SUFFIXES)
    )
    return [f"Videos and pictures ({videos} {images})", f"Videos ({videos})", f"Pictures ({images})",
            "All files (*)"]  # fmt: skip
