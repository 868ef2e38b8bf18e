"""Make README's good and bad example, and the card's failures, of the demo photographs. Run by hand:

python assets/make_examples.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from model import Predictor, load_predictor  # noqa: E402  (found by the line above)
from pipeline.overlay.draw import draw  # noqa: E402
from pipeline.sources.images import read_image  # noqa: E402

GOOD, BAD = "sheep", "mariachi"
FAILURES = ("cutlery", "chair", "cat")
HEIGHT = 360  # pixels of each picture


def annotated(name: str, predictor: Predictor) -> NDArray[np.uint8]:
    """A demo photograph with what is found in it, [HEIGHT, W, 3] uint8 BGR."""
    frame = read_image(ROOT / "assets" / "photos" / f"{name}.jpg")
    drawn = draw(frame, predictor(frame))
    width = round(drawn.shape[1] * HEIGHT / drawn.shape[0])
    return np.asarray(cv2.resize(drawn, (width, HEIGHT), interpolation=cv2.INTER_AREA))


def main() -> None:
    """Write the three pictures with the weights that come along."""
    predictor = load_predictor(engine="torch", device="cpu")
    for path, names in (
        ("assets/good.jpg", (GOOD,)),
        ("assets/bad.jpg", (BAD,)),
        ("weights/failures.jpg", FAILURES),
    ):
        row = np.hstack([annotated(name, predictor) for name in names])
        cv2.imwrite(str(ROOT / path), row, [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
