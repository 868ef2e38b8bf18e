"""Names of files need not be UTF-8; what is written about them is."""

import os

from app.stability.html import page
from pipeline.sinks.files import utf8

NAME = os.fsdecode(b"caf\xe9.mp4")


def test_a_name_that_is_not_utf8_is_spelled_out():
    assert utf8(NAME + " é") == "caf\\udce9.mp4 é".encode()


def test_a_page_about_such_a_file_can_be_written():
    text = utf8(page([], [f"{NAME}: not a video"], {})).decode("utf-8")
    assert "caf\\udce9.mp4: not a video" in text
