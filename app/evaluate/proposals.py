"""The work of `eval --proposals`: average recall of DeepMask's and SharpMask's proposals."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from app.labelled_data import labelled_images, read_labelled
from app.options import DataOptions
from app.terminal import Table, percent, progress_bar, show
from app.values import PROPOSAL_COMPARABLE, Sweep, combined
from model.atomic import write_bytes
from model.checkpoints.catalog import DEFAULT_PROPOSALS, resolve_weights
from model.checkpoints.kinds import is_sharpmask_file
from model.detections import Detections
from model.errors import ConfigError, DataError, SourceError
from model.evaluation.ground_truth import GroundTruth
from model.evaluation.proposal_eval import COUNTS, SIZES, ProposalFigures, RecallFigures, proposal_recall
from model.sharpmask.predictor import ProposalPredictor, load_proposal_predictor, measuring_options


@dataclass(frozen=True)
class ProposalMeasuring:
    """Flags of `eval --proposals`.

    zoom: scales beside the usual seven; topn: windows that become proposals; refine: SharpMask's refinement
    """

    data: DataOptions
    weights: str | None = None
    device: str = "auto"
    engine: str = "torch"
    precision: str = "fp32"
    zoom: int = 0
    topn: int = 1000
    refine: bool = True
    compare: Sequence[Sweep] = ()
    resamples: int = 1000
    output: Path | None = None

    @property
    def runs(self) -> dict[str, ProposalMeasuring]:
        """The settings of each run, by what sets it apart. Raises ConfigError on settings of detection."""
        for sweep in self.compare:
            if sweep.key not in PROPOSAL_COMPARABLE:
                known = ", ".join(PROPOSAL_COMPARABLE)
                raise ConfigError(f"--compare {sweep.key} is no setting of proposals; there are {known}")
        return {label: replace(self, **values) for label, values in combined(self.compare).items()}


@dataclass
class _Pass:
    """One run over the images: proposals, and the seconds that each image took."""

    seconds: list[float] = field(default_factory=list)


def measure_proposals(measuring: ProposalMeasuring) -> None:
    """Measure average recall once, or once for each combination that is compared, and print tables."""
    runs = measuring.runs
    path = resolve_weights(measuring.weights or DEFAULT_PROPOSALS)
    if not is_sharpmask_file(path):
        raise ConfigError(f"{path} is no proposal network; --proposals measures DeepMask and SharpMask")
    labels = labelled_images(measuring.data)
    found: dict[str, tuple[ProposalFigures, float]] = {}
    used: set[str] = set()
    for label, run in runs.items():
        options = measuring_options(run.zoom, run.topn, run.refine)
        predictor = load_proposal_predictor(path, options, run.device, run.engine, run.precision)
        if predictor.choice is not None:
            used.add(f"{predictor.choice.engine} {predictor.choice.precision}")
        one = _Pass()
        results = _proposals(labels, predictor, one, label, measuring.data.skip_broken)
        figures = proposal_recall(labels.truth, results, measuring.resamples)
        found[label] = figures, sum(one.seconds) / max(1, len(one.seconds))
    title = (
        f"{predictor.config.name} on {labels.file.name}, {figures.images} images, {figures.objects} objects, "
        f"{' and '.join(sorted(used))}"
    )
    for kind in ("masks", "boxes"):
        show(_table(f"{title}: {kind}", {k: (getattr(f, kind), s) for k, (f, s) in found.items()}))
        print()
    if measuring.output:
        _write(measuring.output, found)


def _proposals(
    labels: GroundTruth, predictor: ProposalPredictor, one: _Pass, title: str, skip_broken: bool
) -> Iterator[tuple[Any, Detections]]:
    with progress_bar() as progress:
        for image in progress.track(labels.images, description=title or "evaluating"):
            try:
                frame = read_labelled(labels.place(image))
            except SourceError as error:
                if not skip_broken:
                    raise DataError(
                        f"{error}; --skip-broken counts it as an image without proposals"
                    ) from error
                print(f"skipped: {error}", file=sys.stderr)
                continue
            started = time.perf_counter()
            detections = predictor(frame)
            one.seconds.append(time.perf_counter() - started)
            yield image["id"], detections


def _table(title: str, found: dict[str, tuple[RecallFigures, float]]) -> Table:
    heads = ("", *(f"AR@{n}" for n in COUNTS), "95 %", "AUC", *SIZES[1:], "s an image")
    rows = []
    for label, (figures, seconds) in found.items():
        interval = figures.intervals.get(100)
        rows.append(
            (
                label or "all",
                *(percent(figures.at[n]) for n in COUNTS),
                f"{percent(interval.low)}–{percent(interval.high)}" if interval else "",
                percent(figures.auc),
                *(percent(figures.by_size[size]) for size in SIZES[1:]),
                f"{seconds:.3f}",
            )
        )
    return Table(title, heads, tuple(rows))


def _write(output: Path, found: dict[str, tuple[ProposalFigures, float]]) -> None:
    """Write all figures to `proposals.json` in the folder."""
    output.mkdir(parents=True, exist_ok=True)
    runs = {label or "all": asdict(figures) | {"seconds": s} for label, (figures, s) in found.items()}
    write_bytes(output / "proposals.json", (json.dumps(runs, indent=2) + "\n").encode())
    print(f"written to {output}")
