"""MI-GAN (Sargsyan et al., ICCV 2023) by the ONNX file that its authors release, which is computed by onnxruntime.

The file takes an 8-bit picture (1, 3, H, W) and mask (1, 1, H, W), 255 = known, of any size, and gives the filled
picture (https://github.com/Picsart-AI-Research/MI-GAN, ``migan_pipeline_v2.onnx``).
"""

from pathlib import Path

import numpy as np

from temperfill.methods.contract import PlainArrayMethod
from temperfill.methods.on_bytes import Hole, Picture, byte_method

INPUTS = {"image": "tensor(uint8)", "mask": "tensor(uint8)"}
"""Names and types of what the released file takes."""


def load(device: str = "cpu", path: Path | None = None) -> PlainArrayMethod:
    """The method, ready for calls.

    Args:
        device: accepted as for every method; onnxruntime computes on the CPU.
        path: of the ONNX file.

    Raises:
        OSError: no such file.
        ValueError: no path, or a file that is not readable or takes something else.
    """
    if path is None:
        raise ValueError("method migan needs its authors' ONNX file: give the path of the .onnx instead of its name")
    if not path.is_file():
        raise FileNotFoundError(f"no ONNX file at {path}")
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.RuntimeException, ValueError) as error:
        raise ValueError(f"{path} is not a readable ONNX file: {str(error).splitlines()[0]}") from None
    found = {entry.name: entry.type for entry in session.get_inputs()}
    if found != INPUTS or len(session.get_outputs()) != 1:
        raise ValueError(f"{path} takes {found}, not {INPUTS} for one picture as MI-GAN's released file")

    def fill(picture: Picture, hole: Hole) -> Picture:
        hidden = np.where(hole[..., None], np.uint8(0), picture)
        known = np.where(hole, np.uint8(0), np.uint8(255))
        planes = {"image": hidden.transpose(2, 0, 1)[None], "mask": known[None, None]}
        (filled,) = session.run(None, {name: np.ascontiguousarray(plane) for name, plane in planes.items()})
        result: Picture = filled[0].transpose(1, 2, 0)
        return result

    return byte_method("migan", fill)
