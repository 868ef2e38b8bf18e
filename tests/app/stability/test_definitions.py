"""The definitions are shown whole, and nothing of their notation is left as it was typed."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from app.stability.html import DEFINITIONS, definitions
from tests.source_tree import ROOT


class Page(HTMLParser):
    """What is open, what was headed by what, and all text outside of formulas."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self.formulas = 0
        self.text = ""

    def handle_starttag(self, tag, attrs):
        if tag != "mspace":
            self.open.append(tag)
        self.formulas += tag == "math"

    def handle_endtag(self, tag):
        if tag != "mspace":
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and re.fullmatch("h[1-6]", self.open[-1]):
            self.headings.append((self.open[-1], data))
        if "math" not in self.open:
            self.text += data


def test_every_heading_and_formula_of_the_text_is_there():
    text = (ROOT / DEFINITIONS).read_text(encoding="utf-8")
    page = Page()
    page.feed(definitions())
    assert page.open == []
    told = [(f"h{len(marks) + 2}", name) for marks, name in re.findall(r"^(#+) (.+)$", text, re.MULTILINE)]
    assert len(told) > 5
    assert page.headings == told
    assert page.formulas == len(re.findall(r"\$\$.+?\$\$|\$[^$]+\$", text, re.DOTALL))
    assert re.search(r"[$\\^*`]|_\{", page.text) is None
