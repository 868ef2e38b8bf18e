"""The panel of the source: cameras, files, folders, addresses and recent sources."""

from __future__ import annotations

from urllib.parse import urlsplit

from PyQt6.QtGui import QCloseEvent, QShowEvent
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QListWidgetItem,
    QPushButton,
    QWidget,
)

from pipeline.live.events import Closed, Failed, Lost, Opened, Opening, Regained
from pipeline.sources.addresses import SCHEMES, is_address, redacted, scheme_of
from pipeline.sources.base import SourceInfo
from pipeline.sources.cameras.listing import list_cameras
from ui.control.controller import Controller
from ui.control.notices import Level, Notice
from ui.panels.cameras import CameraPicker, FindCameras
from ui.panels.sections import Sections
from ui.panels.widgets import CompactList, WrappedLabel

NOTHING_OPEN = "Nothing is open."
SOURCE = "source"  # the task of a `Failed` of the source
_REFUSALS = frozenset({SOURCE, "drop"})  # topics of notices about refused sources


def address_problem(text: str) -> str:
    """Return the reason why a text is no address of a stream; "" if it is one."""
    text = text.strip()
    if not text:
        return "Type an address first, such as rtsp://camera.local/stream."
    if not is_address(text):
        return f"An address begins with {', '.join(f'{scheme}://' for scheme in SCHEMES)}."
    if scheme_of(text) not in SCHEMES:
        return f"{scheme_of(text)}:// cannot be opened; there are {', '.join(f'{s}://' for s in SCHEMES)}."
    if any(sign.isspace() for sign in text):
        return "An address cannot contain spaces."
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:  # about a port or brackets
        return f"This address cannot be read: {str(error).lower()}."
    listens = parts.scheme == "udp" and port is not None
    return "" if parts.hostname or listens else "The address names no host after ://."


def source_text(info: SourceInfo) -> str:
    """Return a description of a source in one or two lines."""
    size = f"{info.width} × {info.height}"
    if (
        info.frame_count is not None and info.path is None and not info.live
    ):  # pictures have no rate of their own
        many = "a picture" if info.frame_count == 1 else f"{info.frame_count} pictures"
        return f"{info.name}\n{many}, {size}"
    rate = "" if info.frame_rate is None else f"{float(info.frame_rate):.4g} frames a second"
    length = "" if info.duration is None else _time_text(float(info.duration))
    facts = (size, rate, "live" if info.live else length)
    return f"{info.name}\n{', '.join(fact for fact in facts if fact)}"


def _time_text(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes // 60}:{minutes % 60:02}:{rest:02} long" if minutes >= 60 else f"{minutes}:{rest:02} long"
    )


class SourcePanel(Sections):
    """Open the chosen source and show its state. Nothing here waits for a source."""

    def __init__(
        self, controller: Controller, parent: QWidget | None = None, find: FindCameras = list_cameras
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._has_looked = False
        self._name = self._failure = ""  # of the source opened last
        self._opening = False
        self._state = WrappedLabel(NOTHING_OPEN, "State of the source")
        self._close = QPushButton("Close")
        self._close.setAccessibleName("Close the source")
        self._cameras = CameraPicker(find)
        self._file = QPushButton("Open file…")
        self._folder = QPushButton("Open folder…")
        self._address = QLineEdit()
        self._address.setPlaceholderText("rtsp://…")
        self._address.setAccessibleName("Network address")
        self._open_address = QPushButton("Open address")
        self._problem = WrappedLabel(name="Problem of the address")
        self._recent = CompactList("Recent sources; Enter opens one")
        self._clear = QPushButton("Clear the list")
        self._arrange()
        self._connect_widgets()
        self._connect_events()
        self._list_recent()
        self._show_state()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """List cameras when the panel is shown for the first time."""
        super().showEvent(event)
        if not self._has_looked:
            self._has_looked = True
            self._cameras.look()

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802
        """Stop the search for cameras."""
        self._cameras.end()
        super().closeEvent(event)

    def _arrange(self) -> None:
        self.add_section("Open now", self._state, self._close)
        self.add_section("Camera", self._cameras)
        self.add_section("File, or folder of images", _beside(self._file, self._folder))
        self.add_section("Network address", self._address, self._open_address, self._problem)
        self.add_section("Recent", self._recent, self._clear, stretch=1)

    def _connect_widgets(self) -> None:
        self._close.clicked.connect(self._controller.close_source)
        self._cameras.chosen.connect(self._controller.open)
        self._cameras.mode_chosen.connect(self._choose_mode)
        self._cameras.mode.show_value(self._controller.settings.camera_mode)
        self._file.clicked.connect(self._controller.ask_for_file)
        self._folder.clicked.connect(self._controller.ask_for_folder)
        self._open_address.clicked.connect(self._try_address)
        self._address.returnPressed.connect(self._try_address)
        self._address.textEdited.connect(self._forget_problem)
        self._recent.itemActivated.connect(self._open_recent)
        self._clear.clicked.connect(self._clear_recent)

    def _connect_events(self) -> None:
        bridge = self._controller.bridge
        bridge.opening.connect(self._on_opening)
        bridge.opened.connect(self._on_opened)
        bridge.lost.connect(self._on_lost)
        bridge.regained.connect(self._on_regained)
        bridge.closed.connect(self._on_closed)
        bridge.failed.connect(self._on_failed)
        self._controller.recent_changed.connect(self._list_recent)
        self._controller.notice.connect(self._on_notice)

    def _show_state(self) -> None:
        opened = self._controller.opened
        self._tell(NOTHING_OPEN if opened is None else source_text(opened.info), opened is not None)

    def _tell(self, words: str, can_close: bool) -> None:
        self._state.show_text(words)
        self._close.setEnabled(can_close)

    def _on_opening(self, event: Opening) -> None:
        self._name, self._failure, self._opening = event.name, "", True
        self._tell(f"Opening {event.name}…", True)

    def _on_opened(self, event: Opened) -> None:
        self._name, self._opening = event.name or event.info.name, False  # it may be the previous source
        if self._name == redacted(self._address.text().strip()):
            self._address.clear()  # it may contain a password
        self._tell(source_text(event.info), True)

    def _on_lost(self, event: Lost) -> None:
        self._tell(f"Lost: {event.name} delivers no pictures ({event.reason}). Reconnecting.", True)

    def _on_regained(self, event: Regained) -> None:
        self._show_state()

    def _on_closed(self, event: Closed) -> None:
        if event.name == self._name:  # not the previous source, which ends while this one is being opened
            self._tell(self._failure or NOTHING_OPEN, False)

    def _on_failed(self, event: Failed) -> None:
        if event.task == SOURCE:
            fresh = self._opening or self._controller.opened is None
            happened, self._opening = "Not opened" if fresh else "Interrupted", False
            self._failure = f"{happened}: {event.message}"
            self._tell(self._failure, False)

    def _on_notice(self, notice: Notice) -> None:
        """Withdraw the last failure when another source is refused without being opened."""
        if self._failure and notice.level is Level.WARNING and notice.topic in _REFUSALS:
            self._failure = ""
            self._show_state()

    def _choose_mode(self, field: str, mode: str) -> None:
        self._controller.remember(**{field: mode})

    def _try_address(self) -> None:
        text = self._address.text().strip()
        problem = address_problem(text)
        self._problem.show_text(problem)
        if not problem:
            self._controller.open(text)

    def _forget_problem(self) -> None:
        self._problem.show_text("")

    def _list_recent(self) -> None:
        self._recent.clear()
        for source in self._controller.settings.recent:
            item = QListWidgetItem(source)
            item.setToolTip(source)
            self._recent.addItem(item)
        self._clear.setEnabled(self._recent.count() > 0)

    def _open_recent(self, item: QListWidgetItem) -> None:
        self._controller.open(item.text())

    def _clear_recent(self) -> None:
        self._controller.remember(recent=())
        self._controller.recent_changed.emit()


def _beside(*widgets: QWidget) -> QWidget:
    """Return a row of widgets."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return row
