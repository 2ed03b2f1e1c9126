"""ONNX files of our network, checked against torch before they are written."""

from temperfill.export.onnx_file import export_onnx
from temperfill.export.parity import TOLERANCE, Difference

__all__ = ["TOLERANCE", "Difference", "export_onnx"]
