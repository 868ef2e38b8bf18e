"""The formats' own tools, as far as reading goes: TrackEval's data sets over files of one video."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from trackeval.datasets import KittiMOTS, MOTSChallenge, YouTubeVIS
from trackeval.metrics import HOTA, TrackMAP

QUIET = {"PRINT_CONFIG": False}


def mots_challenge(path: Path, truth: Path, frames: int, folder: Path) -> MOTSChallenge:
    """TrackEval's MOTSChallenge over a result and the truth; the video is called "clip"."""
    _copy(truth, folder / "gt" / "clip" / "gt" / "gt.txt")
    _copy(path, folder / "trackers" / "ours" / "data" / "clip.txt")
    return MOTSChallenge(
        QUIET
        | {
            "GT_FOLDER": str(folder / "gt"),
            "TRACKERS_FOLDER": str(folder / "trackers"),
            "SEQ_INFO": {"clip": frames},
            "SKIP_SPLIT_FOL": True,
        }
    )


def kitti_mots(path: Path, truth: Path, frames: int, folder: Path) -> KittiMOTS:
    """TrackEval's KITTI MOTS, which knows cars too and counts frames from 0; the video is called "0000"."""
    _copy(truth, folder / "gt" / "label_02" / "0000.txt")
    _copy(path, folder / "trackers" / "ours" / "data" / "0000.txt")
    return KittiMOTS(
        QUIET
        | {
            "GT_FOLDER": str(folder / "gt"),
            "TRACKERS_FOLDER": str(folder / "trackers"),
            "SEQ_INFO": {"0000": frames},
        }
    )


def youtube_vis(path: Path, truth: Path, folder: Path) -> YouTubeVIS:
    """TrackEval's YouTube-VIS over results and a data set; the video is called "frame"."""
    _copy(truth, folder / "gt" / "youtube_vis_val" / "labels.json")
    _copy(path, folder / "trackers" / "youtube_vis_val" / "ours" / "data" / "results.json")
    return YouTubeVIS(
        QUIET
        | {
            "GT_FOLDER": f"{folder / 'gt'}/",
            "TRACKERS_FOLDER": f"{folder / 'trackers'}/",
            "SPLIT_TO_EVAL": "val",
        }
    )


def read(dataset: Any) -> Mapping[str, Any]:
    """What TrackEval reads of the only video: by frame `tracker_ids`, `tracker_classes`, `tracker_dets`."""
    return dataset.get_raw_seq_data("ours", dataset.seq_list[0])


def hota(dataset: Any, name: str) -> float:
    """HOTA of a class, 0..1: 1 where every mask and every id is right (Luiten et al., IJCV 2021)."""
    data = dataset.get_preprocessed_seq_data(read(dataset), name)
    return float(np.mean(HOTA().eval_sequence(data)["HOTA"]))


def track_ap(dataset: Any, name: str) -> float:
    """AP of a class's whole tracks, 0..1 (Yang et al., "Video Instance Segmentation", ICCV 2019)."""
    data = dataset.get_preprocessed_seq_data(read(dataset), name)
    metric = TrackMAP({"PRINT_CONFIG": False, "USE_AREA_RANGES": False, "USE_TIME_RANGES": False})
    combined = metric.combine_sequences({"clip": metric.eval_sequence(data)})
    return float(np.mean(combined["AP_all"]))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True)
    shutil.copy(source, target)
