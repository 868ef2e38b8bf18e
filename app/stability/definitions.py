"""The definitions that figures of the report go by, as HTML with formulas that a browser sets."""

from __future__ import annotations

from pathlib import Path

from model.project import ROOT

DEFINITIONS = Path("pipeline/stability/DEFINITIONS.md")
_BELOW = 2  # the page's own headings are above those of the text


def definitions() -> str:
    """The text of `DEFINITIONS`, Markdown, as HTML; its formulas, LaTeX between dollars, as MathML."""
    from latex2mathml.converter import convert
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    def formula(latex: str, options: dict[str, object]) -> str:
        return convert(latex, display="block" if options["display_mode"] else "inline")

    reader = MarkdownIt("commonmark").use(dollarmath_plugin, renderer=formula)
    tokens = reader.parse((ROOT / DEFINITIONS).read_text(encoding="utf-8"))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{int(token.tag[1:]) + _BELOW}"
    return str(reader.renderer.render(tokens, reader.options, {}))
