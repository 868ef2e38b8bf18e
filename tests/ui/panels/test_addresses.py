"""What is taken for the address of a stream, and what is said of others."""

from __future__ import annotations

import pytest

from ui.panels.source import address_problem


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Type an address"),
        ("camera.local/stream", "begins with"),
        ("file:///etc/passwd", "cannot be opened"),
        ("rtsp://", "no host"),
        ("http://:8080/x", "no host"),
        ("rtsp://a b/c", "spaces"),
        ("http://host:99999/x", "cannot be read"),
        ("http://[::1/x", "cannot be read"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(text, reason):
    assert reason in address_problem(text)


@pytest.mark.parametrize(
    "text",
    ["http://h/x.mjpg", "https://h/x.m3u8", "rtsp://u:p@10.0.0.2:554/1", "udp://@:1234", "udp://239.0.0.1:5"],
)
def test_good_addresses_have_no_problem(text):
    assert address_problem(text) == ""
