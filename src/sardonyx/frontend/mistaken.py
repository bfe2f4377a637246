"""What a file that is taken for a model most likely is, by how it begins."""

from __future__ import annotations

_MAGIC = (
    (4, b"TFL3", "tflite"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"\x89HDF", "hdf5"),
    (0, b"GGUF", "gguf"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\x80", "pickle"),
)
"""Where a format has which bytes."""
_WORDS = (
    (b"version https://git-lfs", "pointer"),
    *((start, "page") for start in (b"<!", b"<?", b"<h", b"<H")),
    (b"{", "json"),
)
"""How texts begin, after white space."""
ADVICE = {
    "tflite": "is a TensorFlow Lite model; convert it to ONNX",
    "pointer": "is a pointer of Git LFS; `git lfs pull` gets the model itself",
    "zip": "is a zip archive, as PyTorch and Keras save models; convert the model to ONNX",
    "hdf5": "is an HDF5 file, as Keras saves models; convert the model to ONNX",
    "gguf": "is a GGUF file of llama.cpp, from which there is no converter; convert what it was made of",
    "gzip": "is compressed by gzip; decompress it",
    "pickle": "is a pickle of Python; convert the model to ONNX",
    "page": "is a page of HTML or XML; was it downloaded from an address that shows the model?",
    "json": "is JSON, not an ONNX model",
}
"""What a file of a format is in place of a model, and what to do: what a sentence says of it."""
_TOO_DEEP = (
    "its bodies of If, Loop and Scan lie in each other deeper than files can be read, 31 times; "
    "make functions of the inner ones"
)
START_BYTES = 1 << 10
"""As much of a file as `likely` looks at."""


def format_of(start: bytes) -> str:
    """The format of a file that begins so, one of `ADVICE`; empty if it is another."""
    for at, magic, name in _MAGIC:
        if start[at : at + len(magic)] == magic:
            return name
    text = start.lstrip()
    return next((name for words, name in _WORDS if text.startswith(words)), "")


def unparsed(start: bytes, error: Exception) -> str:
    """Why protobuf did not read a file that begins so, and what to do, as a clause."""
    deep = isinstance(error, RecursionError) or "Depth" in str(error)
    return _TOO_DEEP if deep else likely(start)


def likely(start: bytes) -> str:
    """Of a file that is no model: what it is, and what to do, as a clause."""
    other = "is no ONNX model, or only a part of one; compare its size with the original's"
    return f"this {ADVICE.get(format_of(start), other)}"
