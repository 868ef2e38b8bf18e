"""Tables of figures, as a terminal and as a file receive them."""

import io
import re
import sys

import pytest

from app.terminal import Table, plain, show

TABLE = Table("title", ("setting", "AP", "ms"), (("nms=fast", "29.8", "30"), ("nms=exact", "-", "142.5")))


def test_off_a_terminal_columns_are_aligned_and_first_one_is_flush_left():
    assert plain(TABLE).splitlines() == [
        "title",
        "setting      AP     ms",
        "nms=fast   29.8     30",
        "nms=exact     -  142.5",
    ]


def test_off_a_terminal_nothing_but_the_plain_table_is_printed(capsys: pytest.CaptureFixture[str]):
    show(TABLE)

    assert capsys.readouterr().out == plain(TABLE) + "\n"


def test_a_wide_table_is_not_cut_off_in_a_file(capsys: pytest.CaptureFixture[str]):
    show(Table("t", ("x" * 300, "y"), (("a", "1"),)))

    assert "x" * 300 in capsys.readouterr().out


class Terminal(io.StringIO):
    """What rich takes for a terminal."""

    def isatty(self) -> bool:
        return True


def on_terminal(table: Table, columns: int, monkeypatch: pytest.MonkeyPatch) -> str:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "stdout", terminal)
    show(table)
    return terminal.getvalue()


def test_on_a_terminal_the_table_is_drawn(monkeypatch: pytest.MonkeyPatch):
    drawn = on_terminal(TABLE, 80, monkeypatch)

    assert "142.5" in drawn
    assert "\x1b[" in drawn


def wide() -> Table:
    figures = ("AP", "AP50", "AP70", "AP75")
    heads = ("setting", *[f"{kind} {figure}" for kind in ("mask", "box") for figure in figures])
    return Table("title", heads, (("nms=class-agnostic", *["100.0"] * 8),))


@pytest.mark.parametrize("columns", [80, 40])
def test_a_narrow_terminal_cuts_nothing_off(columns: int, monkeypatch: pytest.MonkeyPatch):
    drawn = on_terminal(wide(), columns, monkeypatch)

    assert "nms=class-agnostic" in drawn
    assert drawn.count("100.0") == 8
    assert "…" not in drawn


def test_heads_of_several_words_take_several_lines_so_that_a_wide_table_fits(monkeypatch: pytest.MonkeyPatch):
    drawn = on_terminal(wide(), 80, monkeypatch)

    assert "mask AP50" not in drawn
    assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 80 for line in drawn.splitlines())
