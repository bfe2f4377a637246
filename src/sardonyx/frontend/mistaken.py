"""What a file that is taken for a model most likely is, by how it begins."""

from __future__ import annotations

_OTHER_FILES = (
    (b"version https://git-lfs", "this is a pointer of Git LFS; `git lfs pull` gets the model itself"),
    (
        b"PK\x03\x04",
        "this is a zip archive, as PyTorch and Keras save models; convert the model to ONNX",
    ),
    (b"\x89HDF", "this is an HDF5 file, as Keras saves models; convert the model to ONNX"),
    (b"GGUF", "this is a GGUF file; convert the model to ONNX"),
    (b"\x1f\x8b", "this is compressed by gzip; decompress it"),
    (b"\x80", "this is a pickle of Python; convert the model to ONNX"),
    (b"<", "this is a page of HTML or XML; was it downloaded from an address that shows the model?"),
    (b"{", "this is JSON, not an ONNX model"),
)
"""How files begin that are taken for models."""
START_BYTES = 1 << 10
"""As much of a file as `likely` looks at."""


def likely(start: bytes) -> str:
    """Of a file that is no model: what it is, and what to do, as a clause."""
    if start[4:8] == b"TFL3":
        return "this is a TensorFlow Lite model; convert it to ONNX"
    found = (what for first, what in _OTHER_FILES if start.lstrip()[: len(first)] == first)
    return next(found, "this is no ONNX model, or only a part of one; compare its size with the original's")
