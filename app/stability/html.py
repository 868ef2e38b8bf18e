"""The report as one page of HTML that needs nothing beside it: what it shows, and its template filled in."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from app.stability.plots import TRUTH, Plot, Series, over_time, trade_off
from app.stability.run import Run
from app.stability.tables import GAIN_HEADS, NONE, PLAIN, Gain, columns, gain_cells, gains, percent, rows
from app.stability.timeline import ROWS, timeline
from model.project import ROOT

if TYPE_CHECKING:
    from pipeline.stability.records import TrackScore

TEMPLATE = "report.html.j2"
DEFINITIONS = Path("pipeline/stability/DEFINITIONS.md")
_BELOW = 2  # headings of the page that are above those of the definitions
FEW_TRACKS = 8  # whose table is open from the start
TRACK_HEADS = (
    "frames", "seen", "missing", "pairs", "jitter", "boundary jitter", "excess", "worst in frame",
    "id / class changes", "J", "stability",
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """address: the JPEG as a data URI; alt: what it shows; caption: what is to be said of it."""

    address: str
    alt: str
    caption: str


@dataclass(frozen=True)
class RunPart:
    """The part of the page about one run.

    tracks: a row of texts for each; the first names the track
    """

    label: str
    anchor: str
    failed: str | None
    timeline: Plot | None
    tracks: tuple[tuple[str, ...], ...]
    left_out: int
    pictures: tuple[Picture, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class VideoPart:
    """The part of the page about one input."""

    name: str
    facts: str
    has_truth: bool
    over_time: Plot
    trade_off: Plot | None
    runs: tuple[RunPart, ...]


def page(runs: Sequence[Run], failures: Sequence[str], versions: Mapping[str, Any]) -> str:
    """The whole page; the same runs give the same text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found = gains(runs)
    return environment.get_template(TEMPLATE).render(
        columns=columns(runs),
        groups=[(name, list(group)) for name, group in groupby(rows(runs), key=lambda row: row.video)],
        gain_heads=GAIN_HEADS,
        gains=[(gain.run.video.name, gain.run.setting.label, gain_cells(gain)) for gain in found],
        sentences=[_sentence(gain) for gain in found],
        plain=PLAIN,
        videos=list(_videos(runs)),
        sources=sorted({run.setting.source for run in runs}),
        track_heads=TRACK_HEADS,
        shown_tracks=ROWS,
        few_tracks=FEW_TRACKS,
        failures=failures,
        versions=versions,
        settings=[(run.video.name, run.setting.label, _flat(run.facts)) for run in runs],
        definitions=definitions(),
        definitions_path=DEFINITIONS.as_posix(),
    )


def _videos(runs: Sequence[Run]) -> Iterator[VideoPart]:
    for number, (name, group) in enumerate(groupby(runs, key=lambda run: run.video.name)):
        same = list(group)
        first = same[0]
        yield VideoPart(
            name=name,
            facts=_facts(first),
            has_truth=first.video.truth is not None,
            over_time=_over_time(same, f"v{number}"),
            trade_off=_trade_off(same, f"t{number}"),
            runs=tuple(_part(run, f"r{number}-{place}") for place, run in enumerate(same)),
        )


def _facts(run: Run) -> str:
    rate = "" if run.rate is None else f", {float(run.rate):g} frames/s"
    truth = "" if run.video.truth is None else ", with ground truth"
    return f"{run.summary.frames} frames, {run.size[1]} × {run.size[0]}{rate}{truth}"


def _over_time(runs: Sequence[Run], name: str) -> Plot:
    figures = {"jitter": "jitter", "boundary jitter": "boundary_jitter"}
    if runs[0].video.truth is not None:
        figures |= {"excess jitter": "excess", TRUTH: "iou"}
    panels = {
        title: [Series(run.setting.label, run.curves.times, run.curves.figures[figure]) for run in runs]
        for title, figure in figures.items()
    }
    breaks = [runs[0].curves.times[frame] for frame in runs[0].summary.breaks]
    return over_time(panels, breaks, name)


def _trade_off(runs: Sequence[Run], name: str) -> Plot | None:
    """Plot a figure against accuracy over the settings; None for a single setting or without ground truth."""
    lines: dict[str, list[tuple[str, float, float]]] = {}
    for run in runs:
        excess, iou = run.summary.excess, run.summary.iou
        if excess is not None and iou is not None:
            lines.setdefault(run.setting.source, []).append((run.setting.stabilise, excess, iou))
    if sum(map(len, lines.values())) < 2:
        return None
    return trade_off(lines, "excess jitter", name)


def _part(run: Run, anchor: str) -> RunPart:
    tracks = sorted(run.summary.tracks, key=lambda track: (-track.seen, track.track))[:ROWS]
    return RunPart(
        label=run.setting.label,
        anchor=anchor,
        failed=run.summary.failed,
        timeline=timeline(run, anchor),
        tracks=tuple(_track(track) for track in sorted(tracks, key=lambda t: t.track)),
        left_out=len(run.summary.tracks) - len(tracks),
        pictures=tuple(_pictures(run)),
        warnings=run.warnings,
    )


def _track(track: TrackScore) -> tuple[str, ...]:
    worst = NONE if track.worst_frame is None else f"{track.worst_frame} ({percent(track.worst_jitter)})"
    return (
        f"{track.class_name} {track.track}",
        f"{track.first}–{track.last}",
        str(track.seen),
        str(track.missing),
        str(track.compared),
        percent(track.jitter),
        percent(track.boundary_jitter),
        percent(track.excess, True),
        worst,
        f"{len(track.id_changes)} / {len(track.class_changes)}",
        percent(track.iou),
        percent(track.stability),
    )


def _pictures(run: Run) -> Iterator[Picture]:
    for worst in run.worst:
        who = f"{worst.moment.class_name} {worst.moment.track}"
        code = base64.b64encode(worst.jpeg).decode("ascii")
        yield Picture(
            f"data:image/jpeg;base64,{code}",
            f"Frames {worst.index - 1} and {worst.index} side by side, {who} outlined: {worst.what}",
            f"Frame {worst.index}, {worst.time:.2f} s, {who}: {worst.what}",
        )


def _sentence(gain: Gain) -> str:
    """Return the gains and costs of a strength in words."""
    run = gain.run
    name = "excess jitter" if gain.excess is not None else "jitter"
    change = gain.excess if gain.excess is not None else gain.jitter
    told = f"there was no {name} to compare" if change is None else f"{name} is {_less(change, '.0f', ' %')}"
    if gain.iou is not None:
        told += f", J {_less(gain.iou, '.2f', ' points')}"
        if gain.like_iou is not None:
            told += f", {_less(gain.like_iou, '.2f', ' points')} over as many masks"
    return f"{run.video.name}, {run.setting.label}, against {PLAIN}: {told}."


def _less(change: float, digits: str, unit: str) -> str:
    """A difference of shares in words."""
    amount = format(abs(100 * change), digits)
    if not float(amount):
        return "the same"
    return f"{amount}{unit} {'lower' if change < 0 else 'higher'}"


def _flat(facts: Mapping[str, Any]) -> str:
    """Nested facts as one line."""
    return ", ".join(f"{name} {value}" for name, value in _leaves(facts) if value is not None)


def _leaves(facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        else:
            yield name.replace("_", " "), value


def definitions() -> str:
    """Return the text of `DEFINITIONS`, Markdown, as HTML; its formulas, LaTeX between dollars, as MathML."""

    def formula(latex: str, options: dict[str, object]) -> str:
        return convert(latex, display="block" if options["display_mode"] else "inline")

    reader = MarkdownIt("commonmark").use(dollarmath_plugin, renderer=formula)
    tokens = reader.parse((ROOT / DEFINITIONS).read_text(encoding="utf-8"))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{int(token.tag[1:]) + _BELOW}"
    return str(reader.renderer.render(tokens, reader.options, {}))
