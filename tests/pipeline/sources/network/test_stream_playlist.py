"""Live playlists (HLS): they grow a segment at a time, and end where they say so."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from model.errors import SourceError
from pipeline.sources.network.receiver import Reconnect
from pipeline.sources.network.stream import open_stream
from tests.clips import number_of
from tests.pipeline.sources.media_server import media
from tests.weights_server import Handler, fixed, serving, whole

QUICK = Reconnect(attempts=2, first_delay=0.01)
FIRST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1.2,\n1.ts\n"
REST = "#EXT-X-DISCONTINUITY\n#EXTINF:1.2,\n2.ts\n#EXT-X-ENDLIST\n"

pytestmark = pytest.mark.usefixtures("no_proxy")


@dataclass
class Broadcast:
    """A playlist of one segment; once `later` is set, what it answers is `then`, or it is gone."""

    then: str | None
    later: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: Handler) -> None:
        if request.path.endswith(".ts"):
            whole(media())(request)
            return
        text = self.then if self.later.is_set() else FIRST
        answer = fixed(404) if text is None else whole(text.encode(), Content_Type="application/x-mpegurl")
        answer(request)


def test_a_live_playlist_is_waited_for_and_ends_where_it_says_so():
    broadcast = Broadcast(FIRST + REST)
    timer = threading.Timer(1.0, broadcast.later.set)
    with serving(broadcast, name="list.m3u8") as server:
        source = open_stream(server.address, open_timeout=20, read_timeout=0.4, reconnect=QUICK)
        with closing(source):
            timer.start()
            numbers = [number_of(frame.image) for frame in iter(source.read, None)]
    timer.join()

    assert source.info.live
    assert (numbers[:28], numbers[-30:]) == ([*range(28)], [*range(30)])  # FFmpeg blurs the joint
    assert len(numbers) < 62


def test_a_live_playlist_that_is_gone_is_lost_and_not_at_its_end():
    broadcast = Broadcast(None)
    with serving(broadcast, name="list.m3u8") as server:
        source = open_stream(server.address, open_timeout=20, reconnect=QUICK)
        with closing(source):
            broadcast.later.set()
            with pytest.raises(SourceError, match=r"lost after 2 attempt\(s\) to reconnect: .*404 Not Found"):
                list(iter(source.read, None))


def test_a_playlist_with_an_end_is_a_recording():
    broadcast = Broadcast(FIRST + "#EXT-X-ENDLIST\n")
    broadcast.later.set()
    with serving(broadcast, name="list.m3u8") as server, closing(open_stream(server.address)) as source:
        numbers = [number_of(frame.image) for frame in iter(source.read, None)]

    assert not source.info.live
    assert numbers == [*range(30)]
    assert source.warnings == ()
