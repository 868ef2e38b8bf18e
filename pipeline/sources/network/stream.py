"""Network streams."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import closing

from model.errors import SourceError
from pipeline.frame import Frame
from pipeline.frame_queue import FrameQueue, QueueClosed
from pipeline.sources.addresses import redacted, scheme_of
from pipeline.sources.base import SourceInfo
from pipeline.sources.network.link import Target
from pipeline.sources.network.receiver import Receiver, Reconnect
from pipeline.sources.network.transports import TRANSPORTS
from pipeline.sources.warning_log import WarningLog

_AHEAD = 2  # frames that wait for their reader
_PATIENCE = 2.0  # seconds that the receiving thread has to end
_POLL = 0.1  # seconds


def open_stream(
    address: str,
    *,
    open_timeout: float = 5.0,
    read_timeout: float = 5.0,
    reconnect: Reconnect | None = None,
    interrupted: threading.Event | None = None,
) -> StreamSource:
    """A network stream, opened up to its first frame.

    open_timeout: seconds to connect, and as many again to learn what the stream holds
    read_timeout: seconds without data after which the connection counts as lost; of a live playlist (HLS),
                  which grows a segment at a time, 20 at least
    reconnect:    what is done then; None for the usual
    interrupted:  setting it, from any thread, ends the opening too, when there is no source yet to interrupt;
                  later it does what `interrupt` does

    The first connection is tried once, so that a wrong address is told at once; one that is lost later is
    made again, with a warning. A recording over HTTP, the length of which is known, waits for its reader as
    a file does (`live` is False) and ends as one; everything else is live.

    Raises SourceError when it cannot be opened or is interrupted. No message tells a password.
    """
    transport = TRANSPORTS.get(scheme_of(address))
    if transport is None:
        known = ", ".join(f"{scheme}://" for scheme in TRANSPORTS)
        raise SourceError(f"{redacted(address)}: expected an address that begins with {known}")
    target = Target(address, transport, open_timeout, read_timeout)
    source = StreamSource(target, reconnect or Reconnect(), interrupted or threading.Event())
    try:
        source.wait_until_open()
    except BaseException:
        source.close()
        raise
    return source


class StreamSource:
    """The frames of a network stream, as `Source` has it.

    A thread of its own connects, receives and decodes, so that `read` is free whatever FFmpeg waits for, and
    a Ctrl-C is heard. Interrupted, FFmpeg gives up within a fraction of a second. Only a name server that
    does not answer holds the thread for longer, for that wait is the system's; the thread is then left to
    end by itself, and does not keep the program from ending.
    """

    def __init__(self, target: Target, reconnect: Reconnect, interrupted: threading.Event) -> None:
        self._name = target.name
        self._interrupted = interrupted
        self._log = WarningLog()
        self._receiver = Receiver(target, reconnect, interrupted, self._log)
        self._frames: FrameQueue[Frame] = FrameQueue("received", _AHEAD)
        self._opened: Future[SourceInfo] = Future()
        self._error: BaseException | None = None
        self._read_up = False
        self._thread = threading.Thread(target=self._receive, name="stream receiver", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"StreamSource({self._name!r})"

    @property
    def info(self) -> SourceInfo:
        """Facts from the first connection, and the size of the first picture."""
        return self._receiver.info

    @property
    def warnings(self) -> tuple[str, ...]:
        """Problems so far, each kind once."""
        return self._log.messages

    @property
    def cut(self) -> bool:
        """True if a recording ended before its own end."""
        return self._log.cut and self._read_up

    def wait_until_open(self) -> None:
        """Wait for the first frame. Raises SourceError when there is none, or when interrupted."""
        while not self._interrupted.is_set():
            try:
                self._opened.result(timeout=_POLL)
                return
            except NotYet:
                continue
        raise self._interruption()

    def read(self) -> Frame | None:
        """The next frame; None at the end of a recording, and once interrupted or closed.

        Raises StreamLostError when the stream is lost for good.
        """
        if self._interrupted.is_set():
            return None
        try:
            return self._frames.get()
        except QueueClosed:
            self._read_up = True
            if self._error is not None and not self._interrupted.is_set():
                raise self._error from None
            return None

    def interrupt(self) -> None:
        """Make `read` return None at once; may be called from any thread."""
        self._interrupted.set()
        self._frames.abort()

    def close(self) -> None:
        """Hang up and end the receiving thread."""
        self.interrupt()
        self._thread.join(_PATIENCE)

    def _receive(self) -> None:
        """The receiving thread."""
        try:
            with closing(self._receiver.frames()) as frames:
                for frame in frames:
                    if not self._opened.done():
                        self._opened.set_result(self._receiver.info)
                    self._frames.put(frame)
        except QueueClosed:
            pass  # the reader has ended
        except BaseException as error:  # whatever it is, it is raised in the reader
            self._error = error
        finally:
            if not self._opened.done():
                self._opened.set_exception(self._error or self._interruption())
            self._frames.close()

    def _interruption(self) -> SourceError:
        return SourceError(f"{self._name}: interrupted before it was open")
