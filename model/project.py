"""Paths of the project's own files: its checkout, and the weights and images in it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "weights"
ASSETS = ROOT / "assets"
PHOTOS = ASSETS / "photos"
DEMO = ASSETS / "demo.mp4"
