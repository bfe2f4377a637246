"""Small models that tests serve, as ONNX text."""

from __future__ import annotations

from pathlib import Path

import onnx

SUM_AND_DIFFERENCE = """
<ir_version: 10, opset_import: ["" : 21]>
simple (int32[N, 16] INPUT0, int32[N, 16] INPUT1) => (int32[N, 16] OUTPUT0, int32[N, 16] OUTPUT1) {
    OUTPUT0 = Add(INPUT0, INPUT1)
    OUTPUT1 = Sub(INPUT0, INPUT1)
}
"""
IDENTITY = """
<ir_version: 10, opset_import: ["" : 21]>
identity (TYPE[N, M] x) => (TYPE[N, M] y) {
    y = Identity(x)
}
"""


def identity(element: str) -> str:
    """A model that gives back what it takes, of an ONNX element type."""
    return IDENTITY.replace("TYPE", element)


def save(text: str, path: Path) -> Path:
    """Write the model of an ONNX text; folders on the way are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(onnx.parser.parse_model(text), path)
    return path
