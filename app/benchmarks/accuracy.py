"""Cost of int8: mask AP of the weights in fp32 and in int8 on labelled images."""

from __future__ import annotations

from app.benchmarks.figures import Figure, Setup, at_most, missing
from app.evaluate.images import Task, measure_run
from model.errors import ConfigError
from model.evaluation.coco_eval import match_classes
from model.predictor import load_predictor
from model.training.data.labelled import load_labelled


def run(setup: Setup) -> list[Figure]:
    """The same images through PyTorch in fp32 and through OpenVINO in int8."""
    title = "mask AP, fp32 - int8"
    if setup.data is None:
        return [missing(title, "no labelled images; name a COCO json with --data")]
    try:
        int8 = load_predictor(setup.weights, precision="int8", device="cpu", score_threshold=0.0)
    except ConfigError as error:
        return [missing(title, str(error))]
    fp32 = load_predictor(setup.weights, engine="torch", precision="fp32", device="cpu", score_threshold=0.0)
    labels = load_labelled(setup.data)
    task = Task(labels, match_classes(labels.truth, fp32.config.class_names))
    found = {
        label: measure_run(task, label, predictor)[0].metrics for label, predictor in
        {"fp32": fp32, "int8": int8}.items()
    }  # fmt: skip
    masks = {label: metrics.masks.ap for label, metrics in found.items() if metrics.masks is not None}
    ap = {label: value for label, value in masks.items() if value is not None}
    if len(ap) < len(found):
        return [missing(title, f"{setup.data} has no masks of the classes that the weights know")]
    figures = [Figure(f"mask AP, {label}", value, "") for label, value in ap.items()]
    return [*figures, at_most(title, ap["fp32"] - ap["int8"], 0.01, "")]
