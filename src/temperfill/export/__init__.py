"""ONNX files of our network, checked against torch before they are written."""

from temperfill.export.onnx_file import Part, export_onnx
from temperfill.export.parity import TOLERANCE, Difference

__all__ = ["TOLERANCE", "Difference", "Part", "export_onnx"]
