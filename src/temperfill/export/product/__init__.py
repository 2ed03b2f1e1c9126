"""The whole of filling one window of a picture as one ONNX graph, from bytes to bytes."""
