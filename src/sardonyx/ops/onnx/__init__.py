"""The operators of ai.onnx, one family a file."""
