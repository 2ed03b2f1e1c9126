"""Fills a picture with an exported model, without torch.

python examples/onnx_fill.py MODEL PHOTO MASK OUTPUT [SKETCH]

`temperfill export --part network --output network.onnx` writes the model. White in the mask marks what to fill; the
lines of the sketch, white and one pixel wide, are followed by models that take one.
"""

import sys

import numpy as np
import onnxruntime
from PIL import Image


def main(model: str, photo: str, mask: str, output: str, sketch: str | None = None) -> None:
    """Writes the photo with its hole filled; other pixels are not touched."""
    pixels = np.asarray(Image.open(photo).convert("RGB"))
    hole = np.asarray(Image.open(mask).convert("L")) > 127
    height, width = hole.shape
    # Sides must be multiples of 4, and 12 or more.
    border = [(0, max(12, -(-side // 4) * 4) - side) for side in (height, width)]
    planes = {
        "image": np.pad(pixels, [*border, (0, 0)], "edge").transpose(2, 0, 1)[None].astype(np.float32) / 255,
        "mask": np.pad(hole, border, "edge")[None, None].astype(np.float32),
    }
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    if "sketch" in [plane.name for plane in session.get_inputs()]:
        lines = np.zeros_like(hole) if sketch is None else np.asarray(Image.open(sketch).convert("L")) > 127
        planes["sketch"] = np.pad(lines, border)[None, None].astype(np.float32)
    (composite,) = session.run(None, planes)
    filled = np.rint(composite[0].transpose(1, 2, 0)[:height, :width] * 255).astype(np.uint8)
    Image.fromarray(np.where(hole[..., None], filled, pixels)).save(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
