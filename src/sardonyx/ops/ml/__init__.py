"""The operators of ai.onnx.ml, one family a file."""
