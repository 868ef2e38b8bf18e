"""Run an exported ONNX model, of a network without anchors, with NumPy and ONNX Runtime alone.

python run_app.py export --format onnx --weights livemask_n -o out
python -m examples.onnx_numpy out/livemask_n.onnx picture.npy      # [H, W, 3] uint8, red first
"""

import json
import sys

import numpy as np
import onnxruntime


def prepare(picture, config):
    """Return the network's input [1, 3, h, w], padded to multiples of 32, and its size without padding."""
    rows, sizes, longest = picture.astype(np.float32), picture.shape[:2], config["image_size"]
    content = [min(max(round(old * longest / max(sizes) / 4), 1) * 4, longest) for old in sizes]
    for axis, (old, new) in enumerate(zip(sizes, content, strict=True)):  # means under a triangle
        away = np.abs((np.arange(new)[:, None] + 0.5) * old / new - (np.arange(old) + 0.5))
        weights = np.maximum(1 - away / max(old / new, 1), 0)
        rows = np.moveaxis(np.tensordot(weights / weights.sum(1, keepdims=True), rows, (1, axis)), 0, axis)
    images = np.moveaxis((rows - config["pixel_mean"]) / config["pixel_std"], 2, 0)[None].astype(np.float32)
    return np.pad(images, ((0, 0), (0, 0), *((0, -s % 32) for s in content))), content


def detect(session, picture):
    """Return boxes [N, 4] x1 y1 x2 y2 in 0..1, scores [N], names and masks [N, h/4, w/4], best first."""
    config = json.loads(session.get_modelmeta().custom_metadata_map["livemask.config"])
    images, (height, width) = prepare(picture, config)
    distances, logits, coefficients, prototypes = (out[0] for out in session.run(None, {"images": images}))
    # A row for each cell of three grids: first that of stride 8, row by row, then 16, then 32.
    grids = [(s, np.indices(np.array(images.shape[2:]) // s)[::-1].reshape(2, -1).T) for s in (8, 16, 32)]
    centres = np.concatenate([(cells + 0.5) * s for s, cells in grids])
    strides = np.concatenate([np.full((len(cells), 1), s) for s, cells in grids])
    # A cell says how far left, top, right and bottom of the box are from its centre, in strides.
    boxes = np.concatenate([centres - distances[:, :2] * strides, centres + distances[:, 2:] * strides], 1)
    scores, classes = 1 / (1 + np.exp(-logits.max(1))), logits.argmax(1)
    thresholds = np.array(config["detection"].get("class_thresholds") or [0.3] * logits.shape[1])
    shown = (scores > thresholds[classes]) & (centres <= (width, height)).all(1)  # and not in the padding
    keep = np.flatnonzero(shown)[np.argsort(-scores[shown], kind="stable")]
    # Fast NMS: a box goes when a better one overlaps it too much (the area shared over the area of both).
    low, high, areas = boxes[keep, :2], boxes[keep, 2:], (boxes[keep, 2:] - boxes[keep, :2]).prod(-1)
    shared = (np.minimum(high[:, None], high) - np.maximum(low[:, None], low)).clip(0).prod(-1)
    overlap = np.triu(shared / (areas[:, None] + areas - shared), 1).max(0, initial=0)
    keep = keep[overlap <= config["detection"]["nms_iou_threshold"]]
    # A mask is a sum of prototypes, plus a polynomial of the place in the box (u, v from -1 to 1), cropped.
    h, w = height // 4, width // 4
    y, x, masks = np.arange(h)[:, None] + 0.5, np.arange(w) + 0.5, np.zeros((len(keep), h, w), bool)
    for mask, row, (x1, y1, x2, y2) in zip(masks, coefficients[keep], boxes[keep] / 4, strict=True):
        u, v = (2 * x - x1 - x2) / (x2 - x1), (2 * y - y1 - y2) / (y2 - y1)
        place = sum(a * b for a, b in zip(row[-6:], (1, u, v, u * u, v * v, u * v), strict=True))
        inside = (x >= x1 - 0.5) & (x < x2 + 1.5) & (y >= y1 - 0.5) & (y < y2 + 1.5)
        mask[:] = inside & (prototypes[:h, :w] @ row[:-6] + 8 * place > 0)
    names = [config["class_names"][c] for c in classes[keep]]
    return boxes[keep] / (width, height, width, height), scores[keep], names, masks


if __name__ == "__main__":
    found = detect(onnxruntime.InferenceSession(sys.argv[1]), np.load(sys.argv[2]))
    print(*(f"{name} {score:.2f}, {mask.sum()} cells" for _, score, name, mask in zip(*found, strict=True)))
