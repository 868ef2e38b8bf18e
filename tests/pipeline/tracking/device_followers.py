"""Followers of what a GPU found, on tensors of the CPU."""

from __future__ import annotations

from pipeline.detectors.device_following import DeviceFollower
from pipeline.tracking.following import make_follower
from pipeline.tracking.options import FollowOptions


def make_device_follower(options: FollowOptions) -> DeviceFollower:
    return DeviceFollower(make_follower(options))
