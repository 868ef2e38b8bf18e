"""Find instances in photographs, print them, and save each picture with its masks drawn on it.

python -m examples.photographs assets/photos/dog.jpg assets/photos/cows.jpg -o out
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

from model import load_predictor
from pipeline.overlay.draw import draw
from pipeline.sources.images import read_image


def main(argv: list[str] | None = None) -> None:
    """Annotate every photograph that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("out"))
    parser.add_argument("--weights", help="a file, or a name that `models list` shows")
    args = parser.parse_args(argv)

    # Loading takes a second or more, so it is done once. Without arguments these are the shipped weights, in
    # the fastest engine of this machine, with a threshold for the score of each class; `score_threshold=0.5`
    # would be one for all.
    predictor = load_predictor(args.weights)
    args.output.mkdir(parents=True, exist_ok=True)

    for path in args.photos:
        # A picture is a NumPy array [H, W, 3] of bytes, blue first, as OpenCV has them. `cv2.imread` would
        # do; `read_image` also converts colour profiles and knows more formats.
        picture = read_image(path)

        # One picture gives one `Detections`, a list of pictures a list of them.
        found = predictor(picture)

        print(f"{path.name}: {len(found)} instances")
        for name, score, box, mask in zip(found.names, found.scores, found.boxes, found.masks, strict=True):
            left, top, right, bottom = box.round().astype(int)
            # `mask` has the height and width of the picture, True where the instance is.
            print(f"  {name} {score:.2f}, box {left},{top} to {right},{bottom}, {mask.sum()} pixels")

        # `draw` returns a copy; the picture stays as it was.
        cv2.imwrite(str(args.output / f"{path.stem}_masks.png"), draw(picture, found))


if __name__ == "__main__":
    main()
