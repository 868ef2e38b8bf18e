"""The dialogs. None blocks the window: each acts once it is accepted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QDialog, QFileDialog, QInputDialog, QMessageBox, QWidget

from pipeline.sources.addresses import SCHEMES
from ui.control.controller import Controller
from ui.control.notices import ANNOTATION, Level
from ui.window.dropping import WEIGHTS_SUFFIXES

ABOUT = """<h3>LiveMask</h3>
<p>Real-time instance segmentation for webcams and video, on YOLACT.</p>
<p>Everything is computed on this machine; nothing leaves it.</p>"""

QUIT_QUESTION = "A file is being annotated. Nothing of it is kept if you quit now."


class Dialogs:
    """Open dialogs over a window; each is deleted when it is closed, or with the window."""

    def __init__(self, controller: Controller, window: QWidget) -> None:
        self._controller = controller
        self._window = window
        self._folder = ""  # folder of the last chosen file
        controller.file_requested.connect(self.open_file)
        controller.folder_requested.connect(self.open_folder)
        controller.weights_requested.connect(self.open_weights)

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
        """Choose a file of weights, and use it."""
        patterns = " ".join(f"*{suffix}" for suffix in sorted(WEIGHTS_SUFFIXES))
        filters = [f"Weights ({patterns})", "All files (*)"]
        take = self._controller.set_detection
        self._choose("Open weights", filters, lambda path: take(weights=path))

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
        """Choose a file and the path of its annotated copy, and start the annotation."""
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

    def about(self) -> None:
        """Show name and purpose of the application."""
        box = QMessageBox(QMessageBox.Icon.NoIcon, "About LiveMask", ABOUT, parent=self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def ask_to_quit(self, quit_all_the_same: Callable[[], object]) -> None:
        """Ask whether to continue the annotation of a file, or to cancel it and quit."""
        if any(isinstance(dialog, QMessageBox) for dialog in open_dialogs(self._window)):
            return  # the question is open already
        box = QMessageBox(QMessageBox.Icon.Question, "Quit LiveMask", QUIT_QUESTION, parent=self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        leave = box.addButton("Cancel the annotation and quit", QMessageBox.ButtonRole.DestructiveRole)
        stay = box.addButton("Go on", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.setEscapeButton(stay)
        box.buttonClicked.connect(lambda button: quit_all_the_same() if button is leave else None)
        box.open()

    def _open_address(self, text: str) -> None:
        if text.strip():
            self._controller.open(text.strip())

    def _ask_for_output(self, source: str, proposed: Path | None = None) -> None:
        dialog = self._files("Annotate a file: where to", ["Videos (*.mp4 *.mkv *.mov *.webm)"])
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)  # existing files are never replaced
        dialog.setDefaultSuffix("mp4")
        dialog.selectFile(str(proposed or free_name(Path(source).with_suffix(""))))
        dialog.fileSelected.connect(lambda output: self._annotate(source, Path(output)))
        dialog.open()

    def _annotate(self, source: str, output: Path) -> None:
        if not output.is_file():
            self._controller.annotate(source, output)
            return
        text = f"{output.name} exists already, and existing files are not replaced; choose another name"
        self._controller.notify(Level.WARNING, text, topic=ANNOTATION)
        self._ask_for_output(source, output)

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


def free_name(path: Path) -> Path:
    """Return a path that does not exist for an annotated copy. path: the source without its suffix."""
    proposed, number = path.with_name(f"{path.name}_masks.mp4"), 2
    while proposed.exists():
        proposed, number = path.with_name(f"{path.name}_masks_{number}.mp4"), number + 1
    return proposed


def open_dialogs(window: QWidget) -> list[QDialog]:
    """Return the visible dialogs of a window."""
    return [dialog for dialog in window.findChildren(QDialog) if dialog.isVisible()]


def _media() -> list[str]:
    from pipeline.sources.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    videos, images = (
        " ".join(f"*{suffix}" for suffix in sorted(kind)) for kind in (VIDEO_SUFFIXES, IMAGE_SUFFIXES)
    )
    return [f"Videos and pictures ({videos} {images})", f"Videos ({videos})", f"Pictures ({images})",
            "All files (*)"]  # fmt: skip
