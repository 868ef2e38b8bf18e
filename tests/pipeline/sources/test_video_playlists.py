"""A file that is called a video but is a playlist neither reads another file nor reaches the network."""

from __future__ import annotations

import shutil

import pytest

from model.errors import SourceError
from pipeline.sources.video import open_video
from tests.clips import write_clip
from tests.pipeline.sources.reading import read_video
from tests.weights_server import serving, whole

# name -> a text that makes FFmpeg open `{target}`, a path or an address, where it is allowed to
PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
    "hls master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{target}\n",
    "hls with a byte order mark": "\ufeff#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n",
    "hls with a key": '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n'
    "#EXTINF:1,\n{target}\n",
    "concat": "ffconcat version 1.0\nfile {target}\n",
    "dash": '<?xml version="1.0"?><MPD><Period><AdaptationSet mimeType="video/mp4"><Representation>'
    "<BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 9 RTP/AVP 96\na=control:{target}\n",
    "wpl": "[playlist]\nFile1={target}\n",
}


@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".mkv", ""])
@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_opens_no_other_file(tmp_path, name, suffix, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_clip("secret.mp4")
    path = tmp_path / f"holiday{suffix}"
    path.write_text(PLAYLISTS[name].format(target="secret.mp4"), encoding="utf-8")

    with pytest.raises(SourceError, match="a playlist or a description of streams; name the video itself"):
        open_video(path)


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_does_not_reach_the_network(tmp_path, name, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    write_clip(tmp_path / "clip.mp4")
    path = tmp_path / "holiday.mp4"
    with serving(whole((tmp_path / "clip.mp4").read_bytes())) as server:
        path.write_text(PLAYLISTS[name].format(target=server.address), encoding="utf-8")
        with pytest.raises(SourceError):
            open_video(path)

    assert server.requests == []


def test_names_that_are_patterns_or_protocols_to_ffmpeg_are_nothing_but_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_clip("a.mp4", frames=4)
    for name in ("img%03d.mp4", "concat:a.mp4|a.mp4", "file:a.mp4", "pipe:0", "@a.mp4"):
        shutil.copyfile("a.mp4", name)

        assert read_video(tmp_path / name).numbers == [0, 1, 2, 3]

    for name in (
        "lavfi:testsrc",
        "subfile,,start,0,end,0,,:a.mp4",
        "data:video/mp4;base64,AAAA",
        "http:a.mp4",
    ):
        with pytest.raises(SourceError, match="no such file"):
            open_video(tmp_path / name)
